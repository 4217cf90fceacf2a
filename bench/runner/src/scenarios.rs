//! The scenarios: what is measured, which subjects take part, which figures are reported.
//!
//! To add a scenario, add a row.

use crate::columns::{
    BY_MEMBERS, BY_ROOMS, CONNECTS, Column, LATENCY, LOGINS, MEMORY, RATE, READS, READS_AT_A_RATE,
    STORM,
};
use crate::targets::{Subject, Target};

/// One measurement.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One line about what happens.
    pub(crate) about: &'static str,
    /// The load generator's command and options, separated by spaces.
    pub(crate) arguments: &'static str,
    /// The measured time of a round, as a multiple of `--seconds`; 0 if the scenario has no fixed time.
    pub(crate) lengths: f64,
    /// Ratios are computed for the first one.
    pub(crate) columns: &'static [Column],
    pub(crate) subjects: &'static [Subject],
    /// Whether each round needs a freshly started server.
    pub(crate) fresh: bool,
    /// Whether `--quick` includes it.
    pub(crate) quick: bool,
}

const fn v1(target: Target) -> Subject {
    Subject { target, v2: false }
}

const fn v2(target: Target) -> Subject {
    Subject { target, v2: true }
}

/// All targets.
const ALL: &[Subject] = &[
    v1(Target::Postgres),
    v2(Target::Postgres),
    v1(Target::Sqlite),
    v2(Target::Sqlite),
    v1(Target::Edge),
    v2(Target::Edge),
    v1(Target::Baseline),
    v1(Target::Node),
    v1(Target::Object),
    v1(Target::ObjectWithoutStore),
    v1(Target::ObjectOnPostgres),
    v1(Target::ObjectThatAppends),
];

/// All targets with accounts.
const ACCOUNTS: &[Subject] = &[
    v1(Target::Postgres),
    v1(Target::Sqlite),
    v1(Target::Edge),
    v1(Target::Node),
];

/// Scaling is measured on the deployed configuration, and on the bare broadcast server to separate
/// the costs of the machine.
const SCALING_SUBJECTS: &[Subject] = &[
    v1(Target::Postgres),
    v2(Target::Postgres),
    v1(Target::Baseline),
];

const BASE: Scenario = Scenario {
    name: "",
    about: "",
    arguments: "",
    lengths: 1.0,
    columns: RATE,
    subjects: ALL,
    fresh: false,
    quick: false,
};

/// Memory of idle connections.
const IDLE: Scenario = Scenario {
    lengths: 0.0,
    columns: MEMORY,
    fresh: true,
    ..BASE
};

const HISTORY_AT_A_RATE: Scenario = Scenario {
    lengths: 6.0,
    columns: READS_AT_A_RATE,
    subjects: ACCOUNTS,
    fresh: true,
    ..BASE
};

/// On freshly started servers, so that rooms of earlier rounds have no influence.
const SCALING_MEMBERS: Scenario = Scenario {
    lengths: 2.0,
    columns: BY_MEMBERS,
    subjects: SCALING_SUBJECTS,
    fresh: true,
    ..BASE
};

const SCALING_ROOMS: Scenario = Scenario {
    columns: BY_ROOMS,
    ..SCALING_MEMBERS
};

/// Unless stated otherwise, ten senders in a room keep ten messages in flight each.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "fanout-1x10",
        about: "one room of 10 at saturation, all send",
        arguments: "fanout --members 10",
        ..BASE
    },
    Scenario {
        name: "fanout-1x50",
        about: "one room of 50 at saturation, 10 send",
        arguments: "fanout --members 50",
        quick: true,
        ..BASE
    },
    Scenario {
        name: "fanout-1x50-window-1",
        about: "one room of 50, 10 send, one message in flight each",
        arguments: "fanout --members 50 --window 1",
        ..BASE
    },
    Scenario {
        name: "fanout-1x500",
        about: "one room of 500 at saturation, 10 send",
        arguments: "fanout --members 500",
        ..BASE
    },
    Scenario {
        name: "fanout-50x10",
        about: "50 rooms of 10 at saturation, 2 send in each, 5 messages in flight each",
        arguments: "fanout --rooms 50 --members 10 --senders 2 --window 5",
        quick: true,
        ..BASE
    },
    Scenario {
        name: "many-rooms",
        about: "500 rooms of 2, one sends in each, one message in flight",
        arguments: "fanout --rooms 500 --members 2 --senders 1 --window 1",
        // Without the edge: all rooms of one isolate connect to the database at once, the local
        // Hyperdrive does not pool, and slow connections end in `unavailable`.
        subjects: &[
            v1(Target::Postgres),
            v2(Target::Postgres),
            v1(Target::Sqlite),
            v2(Target::Sqlite),
            v1(Target::Baseline),
            v1(Target::Node),
            v1(Target::Object),
            v1(Target::ObjectWithoutStore),
            v1(Target::ObjectOnPostgres),
        ],
        ..BASE
    },
    // The runtime of Durable Objects evicts idle objects after ten seconds, and alarms wake objects of
    // earlier rounds. So scenarios at a moderate rate warm up for 15 seconds, on a fresh server.
    Scenario {
        name: "moderate-1x50",
        about: "one room of 50 at 450 deliveries a second",
        arguments: "fanout --members 50 --rate 450 --warm-up 15",
        lengths: 6.0,
        columns: LATENCY,
        fresh: true,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "moderate-50x10",
        about: "50 rooms of 10 at 900 deliveries a second",
        arguments: "fanout --rooms 50 --members 10 --rate 900 --warm-up 15",
        lengths: 6.0,
        columns: LATENCY,
        fresh: true,
        ..BASE
    },
    Scenario {
        name: "moderate-history",
        about: "the newest 100 messages of a conversation, cached, 100 times a second; 16 connections",
        arguments: "reads --what history --rate 100 --warm-up 15",
        subjects: &[v1(Target::Postgres), v1(Target::Sqlite), v1(Target::Node)],
        ..HISTORY_AT_A_RATE
    },
    Scenario {
        name: "moderate-history-20",
        about: "the same 20 times a second, a moderate rate for the edge as well",
        arguments: "reads --what history --rate 20 --warm-up 15",
        ..HISTORY_AT_A_RATE
    },
    Scenario {
        name: "idle",
        about: "resident memory of an idle connection, 20 rooms of 50, fresh server",
        arguments: "idle",
        quick: true,
        ..IDLE
    },
    Scenario {
        name: "idle-5000",
        about: "the same with 100 rooms of 50",
        arguments: "idle --rooms 100",
        ..IDLE
    },
    Scenario {
        name: "idle-10000",
        about: "the same with 200 rooms of 50",
        arguments: "idle --rooms 200",
        ..IDLE
    },
    Scenario {
        name: "idle-rooms-5000",
        about: "10,000 connections in 5,000 rooms of 2",
        arguments: "idle --rooms 5000 --members 2",
        ..IDLE
    },
    Scenario {
        name: "connects",
        about: "sockets opened with a token and closed, 32 concurrent; v2 up to `hello`",
        arguments: "connects",
        columns: CONNECTS,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "storm",
        about: "reconnect storm: 1,000 sockets of 20 rooms reset at once, until the last has reconnected",
        arguments: "storm",
        // Without the edge: it rejects some of a thousand at once with `overloaded`.
        subjects: &[
            v1(Target::Postgres),
            v2(Target::Postgres),
            v1(Target::Sqlite),
            v2(Target::Sqlite),
            v1(Target::Baseline),
            v1(Target::Node),
            v1(Target::Object),
        ],
        lengths: 0.0,
        columns: STORM,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "history",
        about: "the newest 100 messages of a conversation, cached; 16 connections",
        arguments: "reads --what history",
        columns: READS,
        subjects: ACCOUNTS,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "profile",
        about: "the caller's account; 16 connections; a constant response in the baseline",
        arguments: "reads --what profile",
        columns: READS,
        subjects: &[
            v1(Target::Postgres),
            v1(Target::Sqlite),
            v1(Target::Edge),
            v1(Target::Baseline),
            v1(Target::Node),
        ],
        ..BASE
    },
    Scenario {
        name: "list",
        about: "the caller's 20 conversations of 10; 16 connections",
        arguments: "reads --what list",
        columns: READS,
        subjects: ACCOUNTS,
        ..BASE
    },
    Scenario {
        name: "logins",
        about: "logins, 8 concurrent, as a share of the password hashes the machine can compute",
        arguments: "logins --connections 8",
        lengths: 2.0,
        columns: LOGINS,
        subjects: &[v1(Target::Postgres), v1(Target::Sqlite), v1(Target::Edge)],
        ..BASE
    },
    Scenario {
        name: "scaling-members-10",
        about: "cost of a message and of a delivery, one at a time: a room of 10",
        arguments: "scaling --members 10",
        ..SCALING_MEMBERS
    },
    Scenario {
        name: "scaling-members-100",
        about: "a room of 100",
        arguments: "scaling --members 100",
        ..SCALING_MEMBERS
    },
    Scenario {
        name: "scaling-members-1000",
        about: "a room of 1,000",
        arguments: "scaling --members 1000",
        ..SCALING_MEMBERS
    },
    Scenario {
        name: "scaling-members-5000",
        about: "a room of 5,000",
        arguments: "scaling --members 5000",
        ..SCALING_MEMBERS
    },
    Scenario {
        name: "scaling-rooms-1",
        about: "cost of a message by number of rooms: one room of 2",
        arguments: "scaling --members 2",
        ..SCALING_ROOMS
    },
    Scenario {
        name: "scaling-rooms-50",
        about: "50 rooms of 2",
        arguments: "scaling --members 2 --rooms 50",
        ..SCALING_ROOMS
    },
    Scenario {
        name: "scaling-rooms-500",
        about: "500 rooms of 2",
        arguments: "scaling --members 2 --rooms 500",
        ..SCALING_ROOMS
    },
    Scenario {
        name: "scaling-rooms-5000",
        about: "5,000 rooms of 2",
        arguments: "scaling --members 2 --rooms 5000",
        ..SCALING_ROOMS
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{P50, P99, P999};

    #[test]
    fn scenario_with_a_latency_reports_its_tail() {
        for scenario in SCENARIOS {
            let reports = |one: &Column| {
                let mut columns = scenario.columns.iter();
                columns.any(|column| column.pointer == one.pointer)
            };
            let reported = [P50, P99, P999].iter().filter(|one| reports(one)).count();
            assert!(reported == 0 || reported == 3, "{}", scenario.name);
        }
    }
}
