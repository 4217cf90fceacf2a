//! The table of an attack, and whether the server withstood it.

use std::fmt::Write as _;
use std::time::Duration;

use super::attackers::Counts;
use super::honest::Latencies;

/// Bytes.
const MIB: u64 = 1024 * 1024;

pub(super) struct AttackReport<'a> {
    pub(super) host: &'a str,
    pub(super) calm: &'a Latencies,
    pub(super) attacked: &'a Latencies,
    pub(super) counts: &'a Counts,
    /// Before the attack, and the highest during it.
    pub(super) memory_bytes: [u64; 2],
    pub(super) max_memory_mib: u64,
    pub(super) max_p99: Duration,
}

impl AttackReport<'_> {
    pub(super) fn is_good(&self) -> bool {
        self.failures().is_empty()
    }

    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let peak = self.memory_bytes[1] / MIB;
        if peak > self.max_memory_mib {
            failures.push(format!(
                "memory reached {peak} MiB, the limit is {}",
                self.max_memory_mib
            ));
        }
        let p99 = self.attacked.percentile(99);
        if p99 > self.max_p99 {
            failures.push(format!(
                "p99 is {} ms, the limit is {}",
                p99.as_millis(),
                self.max_p99.as_millis()
            ));
        }
        for (what, count) in self.counts.attempts() {
            if count == 0 {
                failures.push(format!("the attack did not happen: no {what}"));
            }
        }
        failures
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "# Attack on {}\n\n| | before | during |\n| --- | --: | --: |\n",
            self.host
        );
        let [before, peak] = self.memory_bytes.map(|bytes| bytes / MIB);
        let mut row = |name: &str, values: [String; 2]| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {name} | {} | {} |", values[0], values[1]);
        };
        let both = [self.calm, self.attacked];
        let millis =
            |percent| both.map(|l| format!("{:.1} ms", l.percentile(percent).as_secs_f64() * 1e3));
        row(
            "honest messages",
            both.map(|latencies| latencies.count().to_string()),
        );
        row("median", millis(50));
        row("p99", millis(99));
        row("longest", millis(100));
        row(
            "resident memory",
            [before, peak].map(|mib| format!("{mib} MiB")),
        );
        for (what, count) in self.counts.attempts().into_iter().chain(self.counts.ends()) {
            row(what, [String::new(), count.to_string()]);
        }
        for failure in self.failures() {
            let _ = writeln!(text, "\nFAILED: {failure}");
        }
        text
    }
}
