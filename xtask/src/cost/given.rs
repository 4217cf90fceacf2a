//! What the cost model is told: how a daily user behaves, what a unit costs. The one place to edit.

/// A number that was assumed or measured, and what it counts.
pub(super) struct Given {
    pub(super) value: f64,
    pub(super) what: &'static str,
}

const fn given(value: f64, what: &'static str) -> Given {
    Given { value, what }
}

/// What a daily user does in a day, and what that takes. Rules of the software are in `model`.
pub(super) mod day {
    use super::{Given, given};

    pub(crate) const SENDS: Given = given(20.0, "messages sent over a socket");
    pub(crate) const REST_SENDS: Given = given(1.0, "messages sent over REST");
    pub(crate) const SOCKETS: Given = given(12.0, "sockets opened, each followed by one `resume`");
    pub(crate) const CONNECTED: Given = given(
        5_400.0,
        "seconds with a socket open (pings are answered without waking anything)",
    );
    pub(crate) const AUTHS: Given = given(6.0, "fresher tokens sent over an open socket");
    pub(crate) const HISTORIES: Given = given(12.0, "pages of history read");
    pub(crate) const READS: Given = given(12.0, "other REST requests: lists, profiles, refreshes");
    pub(crate) const LOGINS: Given = given(0.15, "logins (a refresh token lives for a week)");
    pub(crate) const CONVERSATIONS: Given =
        given(1.0, "conversations with news, for each daily user");
    pub(crate) const ALL: &[&Given] = &[
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

/// What things take.
pub(super) mod effort {
    use super::{Given, given};

    pub(crate) const CONNECTED_AT_ONCE: Given =
        given(3.0, "members connected at once in a Room that has any");
    pub(crate) const SEND_MS: Given = given(
        100.0,
        "ms a Room is awake for a send: connect, commit, cache",
    );
    pub(crate) const LIVELY_MS: Given = given(
        100.0,
        "ms more, on average, as its connection is kept: a second after one send in ten, which followed another within a second",
    );
    pub(crate) const OTHER_MS: Given = given(20.0, "ms an object is awake for anything else");
    pub(crate) const LOOK_ROWS: Given = given(
        4.0,
        "rows objects write for a socket or a fresher token, at most: the Room's alarm and name, the session's list and alarm",
    );
    pub(crate) const REQUEST_CPU_MS: Given = given(5.0, "ms of CPU for a request");
    pub(crate) const LOGIN_CPU_MS: Given = given(65.0, "ms of CPU for a login (argon2)");
    pub(crate) const MESSAGE_BYTES: Given = given(
        400.0,
        "bytes of a message in PostgreSQL, indexes included (measured: 363)",
    );
    pub(crate) const EVENT_BYTES: Given =
        given(425.0, "bytes of an event in Redis (measured: 424)");
    pub(crate) const EVENTS_CACHED: Given =
        given(50.0, "events cached for a conversation, of at most 100");
    pub(crate) const PEAK: Given = given(4.0, "times the mean rate, at the peak");
    pub(crate) const STATEMENTS_PER_CU: Given =
        given(500.0, "statements a second from one CU (1 vCPU, 4 GB)");
    pub(crate) const MONTHS_KEPT: Given = given(12.0, "months of messages kept");
    pub(crate) const ALL: &[&Given] = &[
        &CONNECTED_AT_ONCE,
        &SEND_MS,
        &LIVELY_MS,
        &OTHER_MS,
        &LOOK_ROWS,
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

/// What a unit costs in a month, beyond what is included.
pub(super) struct Price {
    pub(super) what: &'static str,
    /// In units.
    pub(super) included: f64,
    /// US dollars for `per` units.
    pub(super) dollars: f64,
    pub(super) per: f64,
    pub(super) unit: &'static str,
    pub(super) from: &'static str,
}

impl Price {
    /// US dollars for this many units in a month.
    pub(super) fn of(&self, units: f64) -> f64 {
        (units - self.included).max(0.0) / self.per * self.dollars
    }
}

/// A plan of a fixed price.
pub(super) struct Plan {
    pub(super) dollars: f64,
    pub(super) gigabytes: f64,
    /// In a month.
    pub(super) traffic_gigabytes: f64,
}

/// Public prices in US dollars, as published in November 2026.
pub(super) mod prices {
    use super::{Plan, Price};

    /// Workers Paid, for the account.
    pub(crate) const SUBSCRIPTION: f64 = 5.0;
    pub(crate) const HOURS: f64 = 730.0;

    const WORKERS: &str = "developers.cloudflare.com/workers/platform/pricing";
    const OBJECTS: &str = "developers.cloudflare.com/durable-objects/platform/pricing";
    const LOGS: &str = "developers.cloudflare.com/workers/observability/logs/workers-logs";
    const NEON: &str = "neon.com/pricing (Scale)";
    const UPSTASH: &str = "upstash.com/pricing/redis";

    const fn price(
        what: &'static str,
        included: f64,
        dollars: f64,
        (per, unit): (f64, &'static str),
        from: &'static str,
    ) -> Price {
        Price {
            what,
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

    /// Redis at a fixed price; the smallest that suffices is taken where it is cheaper.
    pub(crate) const REDIS_PLANS: &[Plan] = &[
        plan(10.0, 0.25, 50.0),
        plan(20.0, 1.0, 100.0),
        plan(100.0, 5.0, 500.0),
        plan(200.0, 10.0, 1_000.0),
        plan(400.0, 50.0, 5_000.0),
        plan(800.0, 100.0, 10_000.0),
        plan(1_500.0, 500.0, 20_000.0),
    ];

    const fn plan(dollars: f64, gigabytes: f64, traffic_gigabytes: f64) -> Plan {
        Plan {
            dollars,
            gigabytes,
            traffic_gigabytes,
        }
    }
}
