//! What is common to the adapters and what differs.

use crate::{Violation, Workspace};

const ADAPTERS: [&str; 2] = ["local-server/src", "worker/src"];

/// Files that only one adapter has, with the reason.
const ONLY_ONE: &[(&str, &str)] = &[
    ("main.rs", "a binary has `main`"),
    ("lib.rs", "a Worker is a library the runtime calls"),
    ("room_do.rs", "a Room lives in a Durable Object"),
    ("object_sink.rs", "natively a Room's task owns its sockets"),
    ("room_jobs.rs", "natively the Room's task waits for results"),
    (
        "room_slot.rs",
        "natively a panic ends the Room's task, and its sockets connect again",
    ),
    (
        "session_do.rs",
        "one object per session records which Rooms it has sockets in",
    ),
    (
        "session_rooms.rs",
        "at the edge each session's object records its Rooms",
    ),
    (
        "counters.rs",
        "natively core's counters are used as they are",
    ),
    (
        "limits_do.rs",
        "the counters of all isolates are in Durable Objects",
    ),
    ("rpc.rs", "a Worker and its objects are not one process"),
    (
        "rpc_messages.rs",
        "a Worker and its objects are not one process",
    ),
    ("faults.rs", "natively a panic ends one task only"),
    ("hyperdrive.rs", "sockets come from a binding"),
    ("logging.rs", "the console is the only output"),
    ("backup.rs", "a Worker has no files"),
    ("owner.rs", "a Worker has no files"),
    (
        "single_server.rs",
        "at the edge any number of instances share the database",
    ),
    ("admin.rs", "a Worker has no command line"),
    ("cli.rs", "a Worker has no command line"),
    ("environment.rs", "a Worker has no environment file"),
    ("healthcheck.rs", "a Worker does not run in a container"),
    ("migrate.rs", "a Worker does not run migrations"),
    ("room_inbox.rs", "the runtime queues an object's events"),
    ("send_queue.rs", "the runtime queues frames for a socket"),
    (
        "unconfirmed.rs",
        "natively the send queue shows what a client has not read",
    ),
    (
        "flooding.rs",
        "natively a flooding socket is read slowly after its close",
    ),
    ("run.rs", "the runtime starts and ends a Worker"),
    (
        "cache_writer.rs",
        "objects share no process to batch cache writes in",
    ),
    ("room_database.rs", "natively one pool serves all Rooms"),
    (
        "hibernation.rs",
        "natively a Room stays in memory while it has sockets",
    ),
    ("secret_key.rs", "a Worker has no files"),
    ("private_files.rs", "a Worker has no files"),
    (
        "assets.rs",
        "at the edge the platform serves the files of web/dist",
    ),
    ("serve.rs", "the runtime speaks HTTP"),
    ("signals.rs", "the runtime starts and ends a Worker"),
];

/// INVARIANT: core behaves the same on every target.
pub(crate) fn target_code(workspace: &Workspace) -> Vec<Violation> {
    let message = "target-specific code belongs in an adapter or the client of redis-http";
    let mut violations = Vec::new();
    for (path, source) in workspace.tree.rust_under("core/src") {
        for (line, code) in source.lines() {
            if code.contains("target_arch") || code.contains("target_family") {
                violations.push(Violation::at_line(path, line, message));
            }
        }
    }
    violations
}

/// INVARIANT: the adapters can be read side by side.
pub(crate) fn same_files(workspace: &Workspace) -> Vec<Violation> {
    let [first, second] = ADAPTERS.map(|adapter| workspace.tree.names_in(adapter));
    if first.is_empty() || second.is_empty() {
        return Vec::new();
    }
    let excepted = |name: &&str| ONLY_ONE.iter().any(|(file, _)| file == name);
    let missing = |from: &[&str], to: &[&str], adapter: &str| -> Vec<Violation> {
        from.iter()
            .filter(|name| !to.contains(name) && !excepted(name))
            .map(|name| {
                Violation::new(format!("{adapter}/{name}"), "only the other adapter has it")
            })
            .collect()
    };
    let mut violations = missing(&first, &second, ADAPTERS[1]);
    violations.extend(missing(&second, &first, ADAPTERS[0]));
    violations
}
