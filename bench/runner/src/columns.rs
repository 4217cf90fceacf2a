//! The figures reported for a scenario.

/// One figure of a scenario.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Its JSON pointer in the output of the load generator (RFC 6901).
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

pub(crate) const P50: Column = column("p50 ms", "/p50_us", 1e-3, 2);
pub(crate) const P99: Column = column("p99 ms", "/p99_us", 1e-3, 2);
pub(crate) const P999: Column = column("p99.9 ms", "/p999_us", 1e-3, 2);
const SERVER: Column = column("server CPU ms/1,000", "/cpu_s_per_1000_of/server", 1e3, 3);
const STACK: Column = column("stack CPU ms/1,000", "/cpu_s_per_1000", 1e3, 3);
const GENERATOR: Column = column("generator", "/cpu_s_per_1000_of/generator", 1e3, 3);
const DELIVERIES: Column = column("deliveries/s", "/deliveries_per_s", 1.0, 0);
const REQUESTS: Column = column("requests/s", "/requests_per_s", 1.0, 0);

pub(crate) const RATE: &[Column] = &[DELIVERIES, P50, P99, P999, STACK, SERVER, GENERATOR];
pub(crate) const LATENCY: &[Column] = &[
    P99,
    P50,
    P999,
    column("slowest ms", "/max_us", 1e-3, 1),
    column("host: slowest fsync ms", "/host_sync_us", 1e-3, 1),
    column(
        "host: largest wake delay ms",
        "/host_wake_delay_us",
        1e-3,
        1,
    ),
    DELIVERIES,
    STACK,
    SERVER,
];
pub(crate) const READS: &[Column] = &[REQUESTS, P50, P99, P999, STACK, SERVER, GENERATOR];
pub(crate) const READS_AT_A_RATE: &[Column] = &[P99, P50, P999, REQUESTS, STACK, SERVER];
pub(crate) const MEMORY: &[Column] = &[
    column("KiB/connection", "/kib_per_connection", 1.0, 2),
    column("MiB before", "/resident_before_kib", 1.0 / 1024.0, 1),
];
const MESSAGE: Column = column("message: server CPU µs", "/message_us/server", 1.0, 0);
const MESSAGE_STACK: Column = column("message: stack", "/message_us/stack", 1.0, 0);
const WITH_DELIVERIES: Column = column(
    "with deliveries: server",
    "/message_with_deliveries_us/server",
    1.0,
    0,
);
const WITH_DELIVERIES_STACK: Column = column(
    "with deliveries: stack",
    "/message_with_deliveries_us/stack",
    1.0,
    0,
);
const GENERATOR_SHARE: Column =
    column("generator, % of a core", "/generator_share_of_core", 1e2, 0);
pub(crate) const BY_MEMBERS: &[Column] = &[
    column("delivery: server CPU µs", "/delivery_us", 1.0, 2),
    column("of it kernel", "/delivery_kernel_us", 1.0, 2),
    MESSAGE,
    MESSAGE_STACK,
    WITH_DELIVERIES,
    WITH_DELIVERIES_STACK,
    DELIVERIES,
    P50,
    P99,
    P999,
    GENERATOR_SHARE,
];
pub(crate) const BY_ROOMS: &[Column] = &[
    WITH_DELIVERIES,
    WITH_DELIVERIES_STACK,
    MESSAGE,
    MESSAGE_STACK,
    P50,
    P99,
    P999,
    GENERATOR_SHARE,
];
pub(crate) const LOGINS: &[Column] = &[
    column("share of hash rate", "/share_of_hash", 1.0, 3),
    REQUESTS,
    column("hashes/s", "/hashes_per_s", 1.0, 0),
    column("CPU ms a login", "/cpu_s_per_1000", 1.0, 1),
    column("of it server", "/cpu_s_per_1000_of/server", 1.0, 1),
    column("CPU ms a hash", "/hash_cpu_s", 1e3, 1),
    P50,
    P99,
    P999,
];
pub(crate) const CONNECTS: &[Column] = &[
    column("connects/s", "/connects_per_s", 1.0, 0),
    P50,
    P99,
    P999,
    STACK,
    SERVER,
    GENERATOR,
];
pub(crate) const STORM: &[Column] = &[
    column("all reconnected, ms", "/all_reconnected_ms", 1.0, 0),
    P50,
    P99,
    P999,
    STACK,
    SERVER,
];
