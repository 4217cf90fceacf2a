//! Which figures are told of a scenario.

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

pub(super) const P50: Column = column("p50 ms", "/p50_us", 1e-3, 2);
pub(super) const P99: Column = column("p99 ms", "/p99_us", 1e-3, 2);
pub(super) const P999: Column = column("p99.9 ms", "/p999_us", 1e-3, 2);
const SERVER: Column = column("server CPU ms/1,000", "/cpu_s_per_1000_of/server", 1e3, 3);
const STACK: Column = column("stack CPU ms/1,000", "/cpu_s_per_1000", 1e3, 3);
const GENERATOR: Column = column("generator", "/cpu_s_per_1000_of/generator", 1e3, 3);
const DELIVERIES: Column = column("deliveries/s", "/deliveries_per_s", 1.0, 0);
const REQUESTS: Column = column("requests/s", "/requests_per_s", 1.0, 0);

pub(super) const RATE: &[Column] = &[DELIVERIES, P50, P99, P999, STACK, SERVER, GENERATOR];
pub(super) const LATENCY: &[Column] = &[
    P99,
    P50,
    P999,
    column("slowest ms", "/max_us", 1e-3, 1),
    column("machine: slowest sync ms", "/machine_sync_us", 1e-3, 1),
    column("latest wake ms", "/machine_late_us", 1e-3, 1),
    DELIVERIES,
    STACK,
    SERVER,
];
pub(super) const READS: &[Column] = &[REQUESTS, P50, P99, P999, STACK, SERVER, GENERATOR];
pub(super) const READS_ON_TIME: &[Column] = &[P99, P50, P999, REQUESTS, STACK, SERVER];
pub(super) const MEMORY: &[Column] = &[
    column("KiB/connection", "/kib_per_connection", 1.0, 2),
    column("MiB before", "/resident_before_kib", 1.0 / 1024.0, 1),
];
const MESSAGE: Column = column("a message: server CPU µs", "/message_us/server", 1.0, 0);
const ITS_STACK: Column = column("its stack", "/message_us/stack", 1.0, 0);
const TO_ALL: Column = column("to all: server", "/message_to_all_us/server", 1.0, 0);
const TO_ALL_STACK: Column = column("to all: stack", "/message_to_all_us/stack", 1.0, 0);
const GENERATOR_SHARE: Column =
    column("generator, % of a core", "/generator_share_of_core", 1e2, 0);
pub(super) const BY_MEMBERS: &[Column] = &[
    column("a delivery: server CPU µs", "/delivery_us", 1.0, 2),
    column("of it the kernel's", "/delivery_kernel_us", 1.0, 2),
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
pub(super) const BY_ROOMS: &[Column] = &[
    TO_ALL,
    TO_ALL_STACK,
    MESSAGE,
    ITS_STACK,
    P50,
    P99,
    P999,
    GENERATOR_SHARE,
];
pub(super) const LOGINS: &[Column] = &[
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
pub(super) const JOINS: &[Column] = &[
    column("joins/s", "/joins_per_s", 1.0, 0),
    P50,
    P99,
    P999,
    STACK,
    SERVER,
    GENERATOR,
];
pub(super) const STORM: &[Column] = &[
    column("all back, ms", "/all_back_ms", 1.0, 0),
    P50,
    P99,
    P999,
    STACK,
    SERVER,
];
