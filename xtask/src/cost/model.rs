//! From what users do to what a month costs: how often each part of the software is used for it.
//!
//! The rules counted here are the software's and the platform's; numbers that may be argued about
//! are in `given`.

use super::given::{Price, day, effort, prices};

const DAYS: f64 = 30.0;
const SECONDS_A_DAY: f64 = 86_400.0;
/// 128 MB, which an object is billed for whatever it takes.
const OBJECT_GB: f64 = 0.128;
/// Incoming frames that are billed as one request.
const FRAMES_A_REQUEST: f64 = 20.0;
/// A pipeline after a send: add, trim, prolong. At most: a lively Room makes one for several sends.
const COMMANDS_A_SEND: f64 = 3.0;
/// Two counters of three commands, and one that is deleted after a success.
const COMMANDS_A_LOGIN: f64 = 7.0;
const GB: f64 = 1e9;

/// A row of the table: how much of what, at which price.
pub(super) struct Line {
    pub(super) what: &'static str,
    pub(super) units: f64,
    pub(super) dollars: f64,
}

/// What a month costs with this many daily users.
pub(super) struct Month {
    pub(super) lines: Vec<Line>,
    /// The line of the duration, had every socket kept its Room in memory.
    pub(super) awake: Line,
    /// What else would be good to know.
    pub(super) peak_statements: f64,
}

impl Month {
    pub(super) fn of(users: f64) -> Self {
        let monthly = |a_day: f64| a_day * users * DAYS;
        let sends = day::SENDS.value + day::REST_SENDS.value;
        let rest = day::REST_SENDS.value + day::HISTORIES.value + day::READS.value;
        let requests = monthly(rest + day::SOCKETS.value + day::LOGINS.value);
        let cpu = requests * effort::REQUEST_CPU_MS.value
            + monthly(day::LOGINS.value) * effort::LOGIN_CPU_MS.value;
        let statements = sends
            + day::SOCKETS.value
            + day::HISTORIES.value
            + day::READS.value
            // One before the hash and one after it.
            + 2.0 * day::LOGINS.value;
        let peak_statements = users * statements / SECONDS_A_DAY * effort::PEAK.value;
        let units = peak_statements / effort::STATEMENTS_PER_CU.value;
        // The smallest that is sold.
        let compute = units.max(0.25) * prices::HOURS;
        let storage = monthly(sends) * effort::MONTHS_KEPT.value * effort::MESSAGE_BYTES.value / GB;
        let objects = Objects::of_a_day();
        let lines = vec![
            line(&prices::REQUESTS, requests),
            line(&prices::CPU, cpu),
            line(&prices::LOG_LINES, requests),
            line(&prices::OBJECT_REQUESTS, monthly(objects.requests)),
            line(&prices::DURATION, monthly(objects.seconds) * OBJECT_GB),
            line(&prices::ROWS, monthly(objects.rows)),
            line(&prices::COMPUTE, compute),
            line(&prices::STORAGE, storage),
            redis(users),
        ];
        let connected = day::CONNECTED.value / effort::CONNECTED_AT_ONCE.value;
        Self {
            lines,
            awake: line(&prices::DURATION, monthly(connected) * OBJECT_GB),
            peak_statements,
        }
    }

    /// US dollars for everything.
    pub(super) fn total(&self) -> f64 {
        prices::SUBSCRIPTION + self.lines.iter().map(|line| line.dollars).sum::<f64>()
    }
}

/// What the objects do for one user in a day.
struct Objects {
    requests: f64,
    seconds: f64,
    rows: f64,
}

impl Objects {
    fn of_a_day() -> Self {
        // Each socket: its upgrade, a look at its session's object. Each fresher token: such a look.
        let looks = day::SOCKETS.value + day::AUTHS.value;
        let calls = day::SOCKETS.value + looks + day::REST_SENDS.value;
        // A close is counted like a frame.
        let resumes = day::SOCKETS.value;
        let closes = day::SOCKETS.value;
        let frames = day::SENDS.value + day::AUTHS.value + resumes + closes;
        // At most one for each token a socket has had, and one with which a session is forgotten.
        let alarms = looks + day::LOGINS.value;
        let sends = day::SENDS.value + day::REST_SENDS.value;
        let others = calls + frames + alarms - sends;
        let send_ms = effort::SEND_MS.value + effort::LIVELY_MS.value;
        Self {
            requests: calls + frames / FRAMES_A_REQUEST + alarms,
            seconds: (sends * send_ms + others * effort::OTHER_MS.value) / 1_000.0,
            rows: looks * effort::LOOK_ROWS.value,
        }
    }
}

fn line(price: &Price, units: f64) -> Line {
    Line {
        what: price.what,
        units,
        dollars: price.of(units),
    }
}

/// As it comes or at a fixed price, whichever is cheaper.
fn redis(users: f64) -> Line {
    let monthly = |a_day: f64| a_day * users * DAYS;
    let sends = day::SENDS.value + day::REST_SENDS.value;
    let commands =
        sends * COMMANDS_A_SEND + day::HISTORIES.value + day::LOGINS.value * COMMANDS_A_LOGIN;
    let events = effort::EVENTS_CACHED.value;
    let gigabytes = users * day::CONVERSATIONS.value * events * effort::EVENT_BYTES.value / GB;
    let traffic = monthly(sends + day::HISTORIES.value * events) * effort::EVENT_BYTES.value / GB;
    let fits = prices::REDIS_PLANS
        .iter()
        .filter(|plan| plan.gigabytes >= gigabytes && plan.traffic_gigabytes >= traffic);
    let fixed = fits.map(|plan| plan.dollars).fold(f64::INFINITY, f64::min);
    let commands = monthly(commands);
    Line {
        what: "Redis commands",
        units: commands,
        dollars: prices::COMMANDS.of(commands).min(fixed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(month: &Month, what: &str) -> f64 {
        let line = month.lines.iter().find(|line| line.what == what);
        line.unwrap().dollars
    }

    #[test]
    fn what_is_included_costs_nothing_and_the_rest_is_linear() {
        let (hundred, thousand) = (Month::of(100.0), Month::of(1_000_000.0));
        assert!(dollars(&hundred, "Worker requests") < f64::EPSILON);
        // 37.15 requests a day and user, the first ten million free, at 0.30 a million.
        let expected = (37.15 * 1e6 * 30.0 - 10e6) / 1e6 * 0.30;
        assert!((dollars(&thousand, "Worker requests") - expected).abs() < 0.01);
    }

    #[test]
    fn hibernation_is_what_makes_it_affordable() {
        let month = Month::of(100_000.0);
        assert!(month.awake.dollars > 10.0 * dollars(&month, "object duration, GB-s"));
        assert!(month.awake.dollars > month.total());
    }

    #[test]
    fn redis_is_taken_at_the_cheaper_price() {
        let small = redis(10.0);
        assert!((small.dollars - prices::COMMANDS.of(small.units)).abs() < f64::EPSILON);
        let large = redis(1e6);
        assert!(large.dollars < prices::COMMANDS.of(large.units));
    }
}
