//! Computes the cost of a month from the usage of the users.
//!
//! How often the software uses each part of the platform is defined here; the numbers are in
//! `assumptions`.

use super::assumptions::{Price, day, effort, prices};

const DAYS: f64 = 30.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// The memory billed per object, in GB, whatever it uses.
const OBJECT_GB: f64 = 0.128;
/// Incoming WebSocket frames billed as one request.
const FRAMES_PER_REQUEST: f64 = 20.0;
/// The pipeline after a send: add, trim, expire. An upper bound: an active Room batches several sends
/// into one pipeline.
const COMMANDS_PER_SEND: f64 = 3.0;
/// The objects of rate limits: one call for the address, one for the account, one after a success.
/// Ordinary changes, such as refreshes, are a call each; they are few beside the other calls.
const LIMIT_CALLS_PER_LOGIN: f64 = 3.0;
/// Two counters are written and, after a success, written or deleted; an alarm is a row.
const LIMIT_ROWS_PER_LOGIN: f64 = 5.0;
const GB: f64 = 1e9;

/// A row of the table.
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) units: f64,
    pub(super) dollars: f64,
}

/// The cost of a month.
pub(super) struct Month {
    pub(super) items: Vec<Item>,
    /// The object duration if every socket kept its Room in memory.
    pub(super) without_hibernation: Item,
    /// Statements per second at the peak.
    pub(super) peak_statements: f64,
}

impl Month {
    /// The cost with this many daily users.
    pub(super) fn with_users(users: f64) -> Self {
        let monthly = |per_day: f64| per_day * users * DAYS;
        let sends = day::SENDS.value + day::REST_SENDS.value;
        let rest = day::REST_SENDS.value + day::HISTORIES.value + day::READS.value;
        let requests = monthly(rest + day::SOCKETS.value + day::LOGINS.value);
        let cpu = requests * effort::REQUEST_CPU_MS.value
            + monthly(day::LOGINS.value) * effort::LOGIN_CPU_MS.value;
        let statements = sends
            + day::SOCKETS.value
            + day::HISTORIES.value
            + day::READS.value
            // One before the password hash and one after it.
            + 2.0 * day::LOGINS.value;
        let peak_statements = users * statements / SECONDS_PER_DAY * effort::PEAK.value;
        let units = peak_statements / effort::STATEMENTS_PER_CU.value;
        // 0.25 is the smallest size that is sold.
        let compute = units.max(0.25) * prices::HOURS;
        let storage = monthly(sends) * effort::MONTHS_KEPT.value * effort::MESSAGE_BYTES.value / GB;
        let objects = ObjectUsage::per_day();
        let items = vec![
            item(&prices::REQUESTS, requests),
            item(&prices::CPU, cpu),
            item(&prices::LOG_LINES, requests),
            item(&prices::OBJECT_REQUESTS, monthly(objects.requests)),
            item(&prices::DURATION, monthly(objects.seconds) * OBJECT_GB),
            item(&prices::ROWS, monthly(objects.rows)),
            item(&prices::COMPUTE, compute),
            item(&prices::STORAGE, storage),
            redis(users),
        ];
        let connected = day::CONNECTED.value / effort::CONNECTED_AT_ONCE.value;
        Self {
            items,
            without_hibernation: item(&prices::DURATION, monthly(connected) * OBJECT_GB),
            peak_statements,
        }
    }

    /// US dollars per month.
    pub(super) fn total(&self) -> f64 {
        prices::SUBSCRIPTION + self.items.iter().map(|item| item.dollars).sum::<f64>()
    }
}

/// Usage of Durable Objects by one user per day.
struct ObjectUsage {
    requests: f64,
    seconds: f64,
    rows: f64,
}

impl ObjectUsage {
    fn per_day() -> Self {
        // Each socket: its upgrade and a check at its session's object. Each token refresh: such a check.
        let checks = day::SOCKETS.value + day::AUTHS.value;
        let limits = day::LOGINS.value * LIMIT_CALLS_PER_LOGIN;
        let calls = day::SOCKETS.value + checks + day::REST_SENDS.value + limits;
        // A close counts as a frame.
        let resumes = day::SOCKETS.value;
        let closes = day::SOCKETS.value;
        let frames = day::SENDS.value + day::AUTHS.value + resumes + closes;
        // At most one per token of a socket, and one that deletes the session's record.
        let alarms = checks + day::LOGINS.value;
        let sends = day::SENDS.value + day::REST_SENDS.value;
        let others = calls + frames + alarms - sends;
        let send_ms = effort::SEND_MS.value + effort::KEEP_ALIVE_MS.value;
        Self {
            requests: calls + frames / FRAMES_PER_REQUEST + alarms,
            seconds: (sends * send_ms + others * effort::OTHER_MS.value) / 1_000.0,
            rows: checks * effort::CHECK_ROWS.value + day::LOGINS.value * LIMIT_ROWS_PER_LOGIN,
        }
    }
}

fn item(price: &Price, units: f64) -> Item {
    Item {
        name: price.name,
        units,
        dollars: price.cost_of(units),
    }
}

/// Redis per command or at a fixed price, whichever is cheaper.
fn redis(users: f64) -> Item {
    let monthly = |per_day: f64| per_day * users * DAYS;
    let sends = day::SENDS.value + day::REST_SENDS.value;
    let commands = sends * COMMANDS_PER_SEND + day::HISTORIES.value;
    let events = effort::EVENTS_CACHED.value;
    let gigabytes = users * day::CONVERSATIONS.value * events * effort::EVENT_BYTES.value / GB;
    let traffic = monthly(sends + day::HISTORIES.value * events) * effort::EVENT_BYTES.value / GB;
    let fits = prices::REDIS_PLANS
        .iter()
        .filter(|plan| plan.gigabytes >= gigabytes && plan.traffic_gigabytes >= traffic);
    let fixed = fits.map(|plan| plan.dollars).fold(f64::INFINITY, f64::min);
    let commands = monthly(commands);
    Item {
        name: "Redis commands",
        units: commands,
        dollars: prices::COMMANDS.cost_of(commands).min(fixed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(month: &Month, name: &str) -> f64 {
        let item = month.items.iter().find(|item| item.name == name);
        item.unwrap().dollars
    }

    #[test]
    fn included_units_are_free_and_the_rest_is_linear() {
        let (hundred, million) = (Month::with_users(100.0), Month::with_users(1_000_000.0));
        assert!(dollars(&hundred, "Worker requests") < f64::EPSILON);
        // 37.15 requests per day and user, the first ten million free, then 0.30 per million.
        let expected = (37.15 * 1e6 * 30.0 - 10e6) / 1e6 * 0.30;
        assert!((dollars(&million, "Worker requests") - expected).abs() < 0.01);
    }

    #[test]
    fn without_hibernation_object_duration_would_dominate() {
        let month = Month::with_users(100_000.0);
        assert!(
            month.without_hibernation.dollars > 10.0 * dollars(&month, "object duration, GB-s")
        );
        assert!(month.without_hibernation.dollars > month.total());
    }

    #[test]
    fn redis_uses_the_cheaper_price() {
        let small = redis(10.0);
        assert!((small.dollars - prices::COMMANDS.cost_of(small.units)).abs() < f64::EPSILON);
        let large = redis(1e6);
        assert!(large.dollars < prices::COMMANDS.cost_of(large.units));
    }
}
