//! The inputs of the cost model: usage per day, effort per unit, published prices. The one place to
//! edit.

/// A number that was assumed or measured.
pub(super) struct Assumption {
    pub(super) value: f64,
    pub(super) name: &'static str,
}

const fn assume(value: f64, name: &'static str) -> Assumption {
    Assumption { value, name }
}

/// What one user does per day. How the software handles it is in `model`.
pub(super) mod day {
    use super::{Assumption, assume};

    pub(crate) const SENDS: Assumption = assume(20.0, "messages sent over a socket");
    pub(crate) const REST_SENDS: Assumption = assume(1.0, "messages sent over REST");
    pub(crate) const SOCKETS: Assumption =
        assume(12.0, "sockets opened, each followed by one `resume`");
    pub(crate) const CONNECTED: Assumption = assume(
        5_400.0,
        "seconds with an open socket (pings do not wake an object)",
    );
    pub(crate) const AUTHS: Assumption = assume(6.0, "token refreshes over an open socket");
    pub(crate) const HISTORIES: Assumption = assume(12.0, "pages of history read");
    pub(crate) const READS: Assumption =
        assume(12.0, "other REST requests: lists, profiles, refreshes");
    pub(crate) const LOGINS: Assumption =
        assume(0.15, "logins (a refresh token is valid for a week)");
    pub(crate) const CONVERSATIONS: Assumption = assume(1.0, "active conversations per daily user");
    pub(crate) const ALL: &[&Assumption] = &[
        &SENDS,
        &REST_SENDS,
        &SOCKETS,
        &CONNECTED,
        &AUTHS,
        &HISTORIES,
        &READS,
        &LOGINS,
        &CONVERSATIONS,
    ];
}

/// The effort per unit.
pub(super) mod effort {
    use super::{Assumption, assume};

    pub(crate) const CONNECTED_AT_ONCE: Assumption =
        assume(3.0, "members connected at the same time in an active room");
    pub(crate) const SEND_MS: Assumption = assume(
        100.0,
        "ms a room is in memory for a send: connect, commit, cache",
    );
    pub(crate) const KEEP_ALIVE_MS: Assumption = assume(
        100.0,
        "ms more on average for the database connection that is kept open: one second after one send in ten, which followed another within a second",
    );
    pub(crate) const OTHER_MS: Assumption =
        assume(20.0, "ms an object is in memory for any other call");
    pub(crate) const CHECK_ROWS: Assumption = assume(
        4.0,
        "rows that objects write per socket or token refresh, at most: the room's alarm and name, the session's list and alarm",
    );
    pub(crate) const REQUEST_CPU_MS: Assumption = assume(5.0, "ms of CPU for a request");
    pub(crate) const LOGIN_CPU_MS: Assumption = assume(65.0, "ms of CPU for a login (argon2)");
    pub(crate) const MESSAGE_BYTES: Assumption = assume(
        400.0,
        "bytes of a message in PostgreSQL with indexes (measured: 363)",
    );
    pub(crate) const EVENT_BYTES: Assumption =
        assume(425.0, "bytes of an event in Redis (measured: 424)");
    pub(crate) const EVENTS_CACHED: Assumption =
        assume(50.0, "events cached per conversation, of at most 100");
    pub(crate) const PEAK: Assumption = assume(4.0, "ratio of the peak rate to the mean rate");
    pub(crate) const STATEMENTS_PER_CU: Assumption =
        assume(500.0, "statements per second of one CU (1 vCPU, 4 GB)");
    pub(crate) const MONTHS_KEPT: Assumption = assume(12.0, "months of messages stored");
    pub(crate) const ALL: &[&Assumption] = &[
        &CONNECTED_AT_ONCE,
        &SEND_MS,
        &KEEP_ALIVE_MS,
        &OTHER_MS,
        &CHECK_ROWS,
        &REQUEST_CPU_MS,
        &LOGIN_CPU_MS,
        &MESSAGE_BYTES,
        &EVENT_BYTES,
        &EVENTS_CACHED,
        &PEAK,
        &STATEMENTS_PER_CU,
        &MONTHS_KEPT,
    ];
}

/// The price of a unit per month, beyond the included amount.
pub(super) struct Price {
    pub(super) name: &'static str,
    /// The included units per month.
    pub(super) included: f64,
    /// US dollars for `per` units.
    pub(super) dollars: f64,
    pub(super) per: f64,
    pub(super) unit: &'static str,
    pub(super) from: &'static str,
}

impl Price {
    /// US dollars per month for this many units.
    pub(super) fn cost_of(&self, units: f64) -> f64 {
        (units - self.included).max(0.0) / self.per * self.dollars
    }
}

/// A fixed-price Redis plan, per month.
pub(super) struct RedisPlan {
    pub(super) dollars: f64,
    pub(super) gigabytes: f64,
    pub(super) traffic_gigabytes: f64,
}

/// Public prices in US dollars, as published in November 2026.
pub(super) mod prices {
    use super::{Price, RedisPlan};

    /// Workers Paid, per account and month.
    pub(crate) const SUBSCRIPTION: f64 = 5.0;
    pub(crate) const HOURS: f64 = 730.0;

    const WORKERS: &str = "developers.cloudflare.com/workers/platform/pricing";
    const OBJECTS: &str = "developers.cloudflare.com/durable-objects/platform/pricing";
    const LOGS: &str = "developers.cloudflare.com/workers/observability/logs/workers-logs";
    const NEON: &str = "neon.com/pricing (Scale)";
    const UPSTASH: &str = "upstash.com/pricing/redis";

    const fn price(
        name: &'static str,
        included: f64,
        dollars: f64,
        (per, unit): (f64, &'static str),
        from: &'static str,
    ) -> Price {
        Price {
            name,
            included,
            dollars,
            per,
            unit,
            from,
        }
    }

    const MILLION: f64 = 1e6;

    pub(crate) const REQUESTS: Price =
        price("Worker requests", 10e6, 0.30, (MILLION, "million"), WORKERS);
    pub(crate) const CPU: Price = price(
        "Worker CPU, ms",
        30e6,
        0.02,
        (MILLION, "million ms"),
        WORKERS,
    );
    pub(crate) const LOG_LINES: Price =
        price("Worker log lines", 20e6, 0.60, (MILLION, "million"), LOGS);
    pub(crate) const OBJECT_REQUESTS: Price =
        price("object requests", 1e6, 0.15, (MILLION, "million"), OBJECTS);
    pub(crate) const DURATION: Price = price(
        "object duration, GB-s",
        400e3,
        12.50,
        (MILLION, "million GB-s"),
        OBJECTS,
    );
    pub(crate) const ROWS: Price = price(
        "object rows written",
        50e6,
        1.00,
        (MILLION, "million"),
        OBJECTS,
    );
    pub(crate) const COMPUTE: Price = price(
        "database compute, CU-hours",
        0.0,
        0.222,
        (1.0, "CU-hour"),
        NEON,
    );
    pub(crate) const STORAGE: Price = price("database storage, GB", 0.0, 0.35, (1.0, "GB"), NEON);
    pub(crate) const COMMANDS: Price =
        price("Redis commands", 0.0, 0.20, (100e3, "100,000"), UPSTASH);

    pub(crate) const ALL: &[&Price] = &[
        &REQUESTS,
        &CPU,
        &LOG_LINES,
        &OBJECT_REQUESTS,
        &DURATION,
        &ROWS,
        &COMPUTE,
        &STORAGE,
        &COMMANDS,
    ];

    /// The smallest sufficient plan is used where it is cheaper than the price per command.
    pub(crate) const REDIS_PLANS: &[RedisPlan] = &[
        plan(10.0, 0.25, 50.0),
        plan(20.0, 1.0, 100.0),
        plan(100.0, 5.0, 500.0),
        plan(200.0, 10.0, 1_000.0),
        plan(400.0, 50.0, 5_000.0),
        plan(800.0, 100.0, 10_000.0),
        plan(1_500.0, 500.0, 20_000.0),
    ];

    const fn plan(dollars: f64, gigabytes: f64, traffic_gigabytes: f64) -> RedisPlan {
        RedisPlan {
            dollars,
            gigabytes,
            traffic_gigabytes,
        }
    }
}
