//! Faults of the Room's host: requests, revocations, deadlines, connection ids, the write buffer.

use super::mutation::{Mutation, edit};

pub(crate) const HOST_MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "connects a socket of a revoked session",
        edits: &[edit(
            "host/mod.rs",
            "        if self.process.is_revoked(&connection.caller.session_id) {\n",
            "        if false {\n",
        )],
    },
    Mutation {
        name: "does not remember a revocation",
        edits: &[edit(
            "host/mod.rs",
            "        self.process.remember_revoked(session_id, now);\n",
            "",
        )],
    },
    Mutation {
        name: "forgets a pending request",
        edits: &[edit(
            "host/mod.rs",
            "        self.requests.insert(request_id, reply);\n",
            "        if self.requests.is_empty() {
            self.requests.insert(request_id, reply);
        }\n",
        )],
    },
    Mutation {
        name: "replies to the wrong request",
        edits: &[edit(
            "host/mod.rs",
            "        self.last_request += 1;\n",
            "        self.last_request = 1 + self.last_request % 8;\n",
        )],
    },
    Mutation {
        name: "ignores the flush deadline",
        edits: &[edit(
            "host/mod.rs",
            "            flush: self.room.flush_deadline(now),\n",
            "            flush: None,\n",
        )],
    },
    Mutation {
        name: "ignores the wake-up deadline",
        edits: &[edit(
            "host/mod.rs",
            "            wake_up: self.room.next_wakeup(now),\n",
            "            wake_up: None,\n",
        )],
    },
    Mutation {
        name: "keeps a connection whose queue is full",
        edits: &[edit(
            "host/mod.rs",
            "            following.extend(disconnects);\n",
            "            drop(disconnects);\n",
        )],
    },
    Mutation {
        name: "reuses a connection id",
        edits: &[edit(
            "host/process.rs",
            "        let last_connection = AtomicU64::new(last.0);\n",
            "        let last_connection = AtomicU64::new(last.0.saturating_sub(1));\n",
        )],
    },
    Mutation {
        name: "loses buffered events when more arrive",
        edits: &[edit(
            "host/write_buffer.rs",
            "                waiting.extend(new.events);\n",
            "                *waiting = new.events;\n",
        )],
    },
    Mutation {
        name: "loses events that arrive during a cache write",
        edits: &[edit(
            "host/write_buffer.rs",
            "        let more = !self.waiting.is_empty();\n",
            "        let more = false;\n",
        )],
    },
];
