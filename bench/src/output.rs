//! The output of a measurement: one JSON object of numbers.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::proc_usage::CpuUsage;

/// A count as a floating-point number.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts within minutes stay far below 2^52"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Microseconds, at least one, because a histogram has no zero.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// A histogram of latencies up to a minute, with three significant digits.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(60_000_000, 3)?)
}

/// The median; for an even number of values the upper middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `p50_us`, `p99_us`, `p999_us`, `max_us`.
pub(crate) fn quantiles(histogram: &Histogram<u64>) -> Value {
    json!({
        "p50_us": histogram.value_at_quantile(0.5),
        "p99_us": histogram.value_at_quantile(0.99),
        "p999_us": histogram.value_at_quantile(0.999),
        "max_us": histogram.max(),
    })
}

/// Adds CPU seconds per 1,000 `events` to the figures: of the whole stack, and by name.
pub(crate) fn per_thousand(figures: &mut Value, usage: &CpuUsage, events: f64) {
    for (name, cpu) in usage.by_name() {
        figures["cpu_s_per_1000_of"][name] = (cpu.total() * 1_000.0 / events).into();
    }
    figures["cpu_s_per_1000"] = (usage.stack() * 1_000.0 / events).into();
}
