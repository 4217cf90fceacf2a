//! The commands that the proxy rejects.
//!
//! All callers share one connection, so a command that changes the connection's state or blocks it
//! would affect other callers. Commands that administer the server are rejected as Upstash does: a
//! leaked token must endanger the data only, not the machine (`CONFIG` and `MODULE` can write files
//! and load code).

use crate::codec::{Command, CommandError};

/// Commands that change the state of the connection.
const STATEFUL: &[&str] = &[
    "ASKING",
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WATCH",
];

/// Commands that block the connection.
const BLOCKING: &[&str] = &[
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "WAIT",
    "WAITAOF",
];

/// Commands that administer the server.
const ADMINISTRATIVE: &[&str] = &[
    "ACL",
    "BGREWRITEAOF",
    "BGSAVE",
    "CONFIG",
    "DEBUG",
    "FAILOVER",
    "MIGRATE",
    "MODULE",
    "REPLICAOF",
    "SAVE",
    "SHUTDOWN",
    "SLAVEOF",
];

/// The error for `command`; `None` when it is forwarded.
pub(super) fn reject(command: &Command) -> Option<CommandError> {
    let name = command.name();
    if name.is_empty() {
        return Some(CommandError::new("ERR empty command"));
    }
    let listed = |names: &'static [&'static str]| {
        names
            .iter()
            .copied()
            .find(|listed| listed.eq_ignore_ascii_case(name))
    };
    if let Some(name) = listed(STATEFUL) {
        return Some(rejection(
            name,
            "it changes the connection, which all callers share",
        ));
    }
    if let Some(name) = listed(BLOCKING) {
        return Some(rejection(
            name,
            "it blocks the connection, which all callers share",
        ));
    }
    if let Some(name) = listed(ADMINISTRATIVE) {
        return Some(rejection(name, "it administers the server"));
    }
    if blocks_on_streams(command) {
        return Some(rejection(
            "BLOCK",
            "it blocks the connection, which all callers share",
        ));
    }
    if name.eq_ignore_ascii_case("SCRIPT") && word_is(command, 1, "DEBUG") {
        return Some(rejection(
            "SCRIPT DEBUG",
            "it changes the connection, which all callers share",
        ));
    }
    None
}

fn rejection(name: &str, reason: &str) -> CommandError {
    CommandError::new(format!("ERR {name} is not served over HTTP: {reason}"))
}

fn word_is(command: &Command, index: usize, expected: &str) -> bool {
    command
        .words()
        .get(index)
        .is_some_and(|word| word.eq_ignore_ascii_case(expected))
}

/// `XREAD` and `XREADGROUP` block only with the option `BLOCK`, which precedes `STREAMS`; keys and ids
/// follow that word.
fn blocks_on_streams(command: &Command) -> bool {
    // XREADGROUP GROUP <group> <consumer> …: the two names are not options.
    let options = match command.name() {
        name if name.eq_ignore_ascii_case("XREAD") => 1,
        name if name.eq_ignore_ascii_case("XREADGROUP") => 4,
        _ => return false,
    };
    let options = command.words().iter().skip(options);
    options
        .take_while(|word| !word.eq_ignore_ascii_case("STREAMS"))
        .any(|word| word.eq_ignore_ascii_case("BLOCK"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(words: &str) -> bool {
        reject(&words.split_whitespace().collect()).is_some()
    }

    #[test]
    fn commands_that_affect_other_callers_are_rejected() {
        for words in [
            "",
            "SUBSCRIBE c",
            "subscribe c",
            "BLPOP k 0",
            "MULTI",
            "exec",
            "WATCH k",
            "SELECT 1",
            "AUTH p",
            "CLIENT REPLY OFF",
            "MONITOR",
            "QUIT",
            "HELLO 3",
            "CONFIG SET dir /",
            "SHUTDOWN",
            "WAIT 1 0",
            "XREAD COUNT 1 BLOCK 0 STREAMS s $",
            "xreadgroup group g c block 0 streams s >",
            "SCRIPT DEBUG YES",
        ] {
            assert!(rejected(words), "{words:?}");
        }
    }

    #[test]
    fn ordinary_commands_are_forwarded() {
        for words in [
            "GET MULTI",
            "SET k SUBSCRIBE",
            "XREAD STREAMS block 0",
            "XREADGROUP GROUP block c STREAMS s >",
            "EVAL return 0",
            "SCRIPT LOAD x",
            "PUBLISH c m",
            "PING",
            "LPOP k",
            "NOSUCHCOMMAND",
        ] {
            assert!(!rejected(words), "{words:?}");
        }
    }
}
