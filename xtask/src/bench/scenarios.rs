//! What is measured, of whom, and what is told of it. To add a scenario, add a row.

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

/// One figure of a scenario.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Where it is in the load generator's answer (RFC 6901).
    pub(crate) pointer: &'static str,
    pub(crate) scale: f64,
    pub(crate) digits: usize,
}

const fn column(title: &'static str, pointer: &'static str, scale: f64, digits: usize) -> Column {
    Column {
        title,
        pointer,
        scale,
        digits,
    }
}

const P50: Column = column("p50 ms", "/p50_us", 1e-3, 2);
const P99: Column = column("p99 ms", "/p99_us", 1e-3, 2);
const P999: Column = column("p99.9 ms", "/p999_us", 1e-3, 2);
const SERVER: Column = column("server CPU ms/1,000", "/cpu_s_per_1000_of/server", 1e3, 3);
const STACK: Column = column("stack CPU ms/1,000", "/cpu_s_per_1000", 1e3, 3);
const GENERATOR: Column = column("generator", "/cpu_s_per_1000_of/generator", 1e3, 3);
const DELIVERIES: Column = column("deliveries/s", "/deliveries_per_s", 1.0, 0);
const REQUESTS: Column = column("requests/s", "/requests_per_s", 1.0, 0);

const RATE: &[Column] = &[DELIVERIES, P50, P99, P999, STACK, SERVER, GENERATOR];
const LATENCY: &[Column] = &[P99, P50, P999, DELIVERIES, STACK, SERVER];
const READS: &[Column] = &[REQUESTS, P50, P99, P999, STACK, SERVER, GENERATOR];
const READS_ON_TIME: &[Column] = &[P99, P50, P999, REQUESTS, STACK, SERVER];
const MEMORY: &[Column] = &[
    column("KiB/connection", "/kib_per_connection", 1.0, 2),
    column("MiB before", "/resident_before_kib", 1.0 / 1024.0, 1),
];
const MESSAGE: Column = column("a message: server CPU µs", "/message_us/server", 1.0, 0);
const ITS_STACK: Column = column("its stack", "/message_us/stack", 1.0, 0);
const TO_ALL: Column = column("to all: server", "/message_to_all_us/server", 1.0, 0);
const TO_ALL_STACK: Column = column("to all: stack", "/message_to_all_us/stack", 1.0, 0);
const GENERATOR_SHARE: Column =
    column("generator, % of a core", "/generator_share_of_core", 1e2, 0);
const BY_MEMBERS: &[Column] = &[
    column("a delivery: server CPU µs", "/delivery_us", 1.0, 2),
    MESSAGE,
    ITS_STACK,
    TO_ALL,
    TO_ALL_STACK,
    DELIVERIES,
    P50,
    P99,
    P999,
    GENERATOR_SHARE,
];
const BY_ROOMS: &[Column] = &[
    TO_ALL,
    TO_ALL_STACK,
    MESSAGE,
    ITS_STACK,
    P50,
    P99,
    P999,
    GENERATOR_SHARE,
];
const LOGINS: &[Column] = &[
    column("of the hash alone", "/share_of_hash", 1.0, 3),
    REQUESTS,
    column("hashes/s", "/hashes_per_s", 1.0, 0),
    column("CPU ms a login", "/cpu_s_per_1000", 1.0, 1),
    column("of it server", "/cpu_s_per_1000_of/server", 1.0, 1),
    column("CPU ms a hash", "/hash_cpu_s", 1e3, 1),
    P50,
    P99,
    P999,
];

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
        about: "one room of 50, 10 send the next message when their last has arrived",
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
        about: "50 rooms of 10 at saturation, 2 send in each, 5 messages under way each",
        arguments: "fanout --rooms 50 --members 10 --senders 2 --window 5",
        quick: true,
        ..BASE
    },
    Scenario {
        name: "many-rooms",
        about: "500 rooms of 2, one sends in each, one message under way",
        arguments: "fanout --rooms 500 --members 2 --senders 1 --window 1",
        ..BASE
    },
    // A runtime of objects puts away what a join has woken ten seconds later, and wakes what an
    // earlier round left by its alarms: hence 15 seconds to get warm, and a server just started.
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
        arguments: "idle --rooms 5000 --members 2",
        ..IDLE
    },
    Scenario {
        name: "joins",
        about: "sockets that join with their token and leave, 32 at a time; v2 until greeted",
        arguments: "joins",
        columns: &[
            column("joins/s", "/joins_per_s", 1.0, 0),
            P50,
            P99,
            P999,
            STACK,
            SERVER,
            GENERATOR,
        ],
        quick: true,
        ..BASE
    },
    Scenario {
        name: "storm",
        about: "1,000 sockets of 20 rooms cut off and back at once: until the last one is",
        arguments: "storm",
        lengths: 0.0,
        columns: &[
            column("all back, ms", "/all_back_ms", 1.0, 0),
            P50,
            P99,
            P999,
            STACK,
            SERVER,
        ],
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
        name: "growth-members-10",
        about: "cost of a message and of a delivery, one by one: a room of 10",
        arguments: "growth --members 10",
        ..GROWTH
    },
    Scenario {
        name: "growth-members-100",
        about: "a room of 100",
        arguments: "growth --members 100",
        ..GROWTH
    },
    Scenario {
        name: "growth-members-1000",
        about: "a room of 1,000",
        arguments: "growth --members 1000",
        ..GROWTH
    },
    Scenario {
        name: "growth-members-5000",
        about: "a room of 5,000",
        arguments: "growth --members 5000",
        ..GROWTH
    },
    Scenario {
        name: "growth-rooms-1",
        about: "cost of a message among more and more rooms: one room of 2",
        arguments: "growth --members 2",
        ..GROWTH_IN_ROOMS
    },
    Scenario {
        name: "growth-rooms-50",
        about: "50 rooms of 2",
        arguments: "growth --members 2 --rooms 50",
        ..GROWTH_IN_ROOMS
    },
    Scenario {
        name: "growth-rooms-500",
        about: "500 rooms of 2",
        arguments: "growth --members 2 --rooms 500",
        ..GROWTH_IN_ROOMS
    },
    Scenario {
        name: "growth-rooms-5000",
        about: "5,000 rooms of 2",
        arguments: "growth --members 2 --rooms 5000",
        ..GROWTH_IN_ROOMS
    },
];

#[cfg(test)]
mod tests {
    use super::*;

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
