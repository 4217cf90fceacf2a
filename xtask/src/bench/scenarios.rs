//! What is measured, of whom, and what is told of it. To add a scenario, add a row.

use super::columns::{
    BY_MEMBERS, BY_ROOMS, Column, JOINS, LATENCY, LOGINS, MEMORY, RATE, READS, READS_ON_TIME, STORM,
};
use super::contestants::{Contestant, Target};

/// One measurement.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One line about what happens.
    pub(crate) about: &'static str,
    /// The load generator's command and options, apart by spaces.
    pub(crate) arguments: &'static str,
    /// How often the run's seconds go into one round of it; 0 when it takes no time of its own.
    pub(crate) lengths: f64,
    /// The first is what ratios are of.
    pub(crate) columns: &'static [Column],
    pub(crate) contestants: &'static [Contestant],
    /// Whether each round needs a server that was just started.
    pub(crate) fresh: bool,
    /// Whether `--quick` measures it too.
    pub(crate) quick: bool,
}

const fn v1(target: Target) -> Contestant {
    Contestant { target, v2: false }
}

const fn v2(target: Target) -> Contestant {
    Contestant { target, v2: true }
}

/// Everybody.
const ALL: &[Contestant] = &[
    v1(Target::Postgres),
    v2(Target::Postgres),
    v1(Target::Sqlite),
    v2(Target::Sqlite),
    v1(Target::Edge),
    v2(Target::Edge),
    v1(Target::Floor),
    v1(Target::Node),
    v1(Target::Object),
    v1(Target::ObjectWithoutStore),
    v1(Target::ObjectOnPostgres),
    v1(Target::ObjectThatAppends),
];

/// Everybody with accounts.
const ACCOUNTS: &[Contestant] = &[
    v1(Target::Postgres),
    v1(Target::Sqlite),
    v1(Target::Edge),
    v1(Target::Node),
];

/// What grows is seen on the deployed shape, and what of it the machine alone makes grow on the
/// floor.
const GROWING: &[Contestant] = &[
    v1(Target::Postgres),
    v2(Target::Postgres),
    v1(Target::Floor),
];

const BASE: Scenario = Scenario {
    name: "",
    about: "",
    arguments: "",
    lengths: 1.0,
    columns: RATE,
    contestants: ALL,
    fresh: false,
    quick: false,
};

/// Memory of what is connected and says nothing.
const IDLE: Scenario = Scenario {
    lengths: 0.0,
    columns: MEMORY,
    fresh: true,
    ..BASE
};

const HISTORY_ON_TIME: Scenario = Scenario {
    lengths: 6.0,
    columns: READS_ON_TIME,
    contestants: ACCOUNTS,
    fresh: true,
    ..BASE
};

/// Each on a server just started, so that Rooms of earlier rounds are no part of it.
const GROWTH: Scenario = Scenario {
    lengths: 2.0,
    columns: BY_MEMBERS,
    contestants: GROWING,
    fresh: true,
    ..BASE
};

const GROWTH_IN_ROOMS: Scenario = Scenario {
    columns: BY_ROOMS,
    ..GROWTH
};

/// Ten senders in a room keep ten messages under way each, unless said otherwise.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "fanout-1x10",
        about: "one room of 10 at saturation, everybody sends",
        arguments: "fanout --instances 10",
        ..BASE
    },
    Scenario {
        name: "fanout-1x50",
        about: "one room of 50 at saturation, 10 send",
        arguments: "fanout --instances 50",
        quick: true,
        ..BASE
    },
    Scenario {
        name: "fanout-1x50-window-1",
        about: "one room of 50, 10 send the next message when their last has arrived",
        arguments: "fanout --instances 50 --window 1",
        ..BASE
    },
    Scenario {
        name: "fanout-1x500",
        about: "one room of 500 at saturation, 10 send",
        arguments: "fanout --instances 500",
        ..BASE
    },
    Scenario {
        name: "fanout-50x10",
        about: "50 rooms of 10 at saturation, 2 send in each, 5 messages under way each",
        arguments: "fanout --rooms 50 --instances 10 --senders 2 --window 5",
        quick: true,
        ..BASE
    },
    Scenario {
        name: "many-rooms",
        about: "500 rooms of 2, one sends in each, one message under way",
        arguments: "fanout --rooms 500 --instances 2 --senders 1 --window 1",
        // Not the edge: all Rooms of one isolate connect to the database at once here, past a
        // simulator that does not pool, and are answered `unavailable` when that takes too long.
        contestants: &[
            v1(Target::Postgres),
            v2(Target::Postgres),
            v1(Target::Sqlite),
            v2(Target::Sqlite),
            v1(Target::Floor),
            v1(Target::Node),
            v1(Target::Object),
            v1(Target::ObjectWithoutStore),
            v1(Target::ObjectOnPostgres),
        ],
        ..BASE
    },
    // A runtime of objects puts away what a join has woken ten seconds later, and wakes what an
    // earlier round left by its alarms: hence 15 seconds to get warm, and a server just started.
    Scenario {
        name: "moderate-1x50",
        about: "one room of 50 at 450 deliveries a second",
        arguments: "fanout --instances 50 --rate 450 --warm-up 15",
        lengths: 6.0,
        columns: LATENCY,
        fresh: true,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "moderate-50x10",
        about: "50 rooms of 10 at 900 deliveries a second",
        arguments: "fanout --rooms 50 --instances 10 --rate 900 --warm-up 15",
        lengths: 6.0,
        columns: LATENCY,
        fresh: true,
        ..BASE
    },
    Scenario {
        name: "moderate-history",
        about: "the newest 100 messages of a conversation, cached, 100 times a second; 16 connections",
        arguments: "reads --what history --rate 100 --warm-up 15",
        contestants: &[v1(Target::Postgres), v1(Target::Sqlite), v1(Target::Node)],
        ..HISTORY_ON_TIME
    },
    Scenario {
        name: "moderate-history-20",
        about: "the same 20 times a second, which is moderate at the edge, too",
        arguments: "reads --what history --rate 20 --warm-up 15",
        ..HISTORY_ON_TIME
    },
    Scenario {
        name: "idle",
        about: "resident memory of an idle connection, 20 rooms of 50, server just started",
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
        about: "as many in 5,000 rooms of 2",
        arguments: "idle --rooms 5000 --instances 2",
        ..IDLE
    },
    Scenario {
        name: "joins",
        about: "sockets that join with their token and leave, 32 at a time; v2 until greeted",
        arguments: "joins",
        columns: JOINS,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "storm",
        about: "1,000 sockets of 20 rooms cut off and back at once: until the last one is",
        arguments: "storm",
        // Not the edge: it asks some of a thousand at once to come back later, and they do.
        contestants: &[
            v1(Target::Postgres),
            v2(Target::Postgres),
            v1(Target::Sqlite),
            v2(Target::Sqlite),
            v1(Target::Floor),
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
        contestants: ACCOUNTS,
        quick: true,
        ..BASE
    },
    Scenario {
        name: "profile",
        about: "the caller's account; 16 connections; the floor knows it by heart",
        arguments: "reads --what profile",
        columns: READS,
        contestants: &[
            v1(Target::Postgres),
            v1(Target::Sqlite),
            v1(Target::Edge),
            v1(Target::Floor),
            v1(Target::Node),
        ],
        ..BASE
    },
    Scenario {
        name: "list",
        about: "the caller's 20 conversations of 10; 16 connections",
        arguments: "reads --what list",
        columns: READS,
        contestants: ACCOUNTS,
        ..BASE
    },
    Scenario {
        name: "logins",
        about: "logins, 8 at a time, as a share of what the password hash alone allows on all cores",
        arguments: "logins --connections 8",
        lengths: 2.0,
        columns: LOGINS,
        contestants: &[v1(Target::Postgres), v1(Target::Sqlite), v1(Target::Edge)],
        ..BASE
    },
    Scenario {
        name: "growth-instances-10",
        about: "cost of a message and of a delivery, one by one: a room of 10",
        arguments: "growth --instances 10",
        ..GROWTH
    },
    Scenario {
        name: "growth-instances-100",
        about: "a room of 100",
        arguments: "growth --instances 100",
        ..GROWTH
    },
    Scenario {
        name: "growth-instances-1000",
        about: "a room of 1,000",
        arguments: "growth --instances 1000",
        ..GROWTH
    },
    Scenario {
        name: "growth-instances-5000",
        about: "a room of 5,000",
        arguments: "growth --instances 5000",
        ..GROWTH
    },
    Scenario {
        name: "growth-rooms-1",
        about: "cost of a message among more and more rooms: one room of 2",
        arguments: "growth --instances 2",
        ..GROWTH_IN_ROOMS
    },
    Scenario {
        name: "growth-rooms-50",
        about: "50 rooms of 2",
        arguments: "growth --instances 2 --rooms 50",
        ..GROWTH_IN_ROOMS
    },
    Scenario {
        name: "growth-rooms-500",
        about: "500 rooms of 2",
        arguments: "growth --instances 2 --rooms 500",
        ..GROWTH_IN_ROOMS
    },
    Scenario {
        name: "growth-rooms-5000",
        about: "5,000 rooms of 2",
        arguments: "growth --instances 2 --rooms 5000",
        ..GROWTH_IN_ROOMS
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::columns::{P50, P99, P999};

    #[test]
    fn who_tells_a_latency_tells_its_tail() {
        for scenario in SCENARIOS {
            let tells = |one: &Column| {
                let mut columns = scenario.columns.iter();
                columns.any(|column| column.pointer == one.pointer)
            };
            let told = [P50, P99, P999].iter().filter(|one| tells(one)).count();
            assert!(told == 0 || told == 3, "{}", scenario.name);
        }
    }
}
