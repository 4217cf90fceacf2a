//! The charts of `docs/performance.md`, drawn into `docs/images` from the saved results.
//!
//! To add a chart, add a row to [`CHARTS`].

use std::fs;

use anyhow::Result;

use crate::saved;
use crate::scenarios::SCENARIOS;
use crate::svg::{Bar, Chart, Panel};

/// One chart.
struct ChartSpec {
    /// The name of the file, without extension.
    file: &'static str,
    title: &'static str,
    axis: &'static str,
    pointer: &'static str,
    /// From the unit of the load generator to that of the axis.
    scale: f64,
    digits: usize,
    /// One panel for each scenario with saved results.
    scenarios: &'static [&'static str],
    /// One bar for each subject that was measured.
    subjects: &'static [&'static str],
}

const NATIVE: &[&str] = &[
    "postgres v1",
    "postgres v2",
    "sqlite v1",
    "sqlite v2",
    "baseline",
    "node",
];
const EDGE: &[&str] = &[
    "edge v1",
    "edge v2",
    "durable-object",
    "durable-object-without-store",
    "durable-object-postgres",
];

const CHARTS: &[ChartSpec] = &[
    ChartSpec {
        file: "fanout",
        title: "Fan-out at saturation",
        axis: "deliveries/s",
        pointer: "/deliveries_per_s",
        scale: 1.0,
        digits: 0,
        scenarios: &["fanout-1x50", "fanout-1x500", "fanout-50x10"],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "latency",
        title: "99th percentile of delivery latency at a moderate rate",
        axis: "ms",
        pointer: "/p99_us",
        scale: 1e-3,
        digits: 2,
        scenarios: &["moderate-1x50", "moderate-50x10"],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "edge-fanout",
        title: "Fan-out at saturation at the edge",
        axis: "deliveries/s",
        pointer: "/deliveries_per_s",
        scale: 1.0,
        digits: 0,
        scenarios: &["fanout-1x50", "fanout-1x500", "fanout-50x10"],
        subjects: EDGE,
    },
    ChartSpec {
        file: "edge-latency",
        title: "99th percentile of delivery latency at a moderate rate at the edge",
        axis: "ms",
        pointer: "/p99_us",
        scale: 1e-3,
        digits: 1,
        scenarios: &["moderate-1x50", "moderate-50x10"],
        subjects: EDGE,
    },
    ChartSpec {
        file: "memory",
        title: "Resident memory of an idle connection",
        axis: "KiB",
        pointer: "/kib_per_connection",
        scale: 1.0,
        digits: 1,
        scenarios: &["idle", "idle-10000", "idle-rooms-5000"],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "connects",
        title: "Opening sockets",
        axis: "sockets/s",
        pointer: "/connects_per_s",
        scale: 1.0,
        digits: 0,
        scenarios: &["connects"],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "storm",
        title: "Reconnect storm",
        axis: "ms",
        pointer: "/all_reconnected_ms",
        scale: 1.0,
        digits: 0,
        scenarios: &["storm"],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "rest",
        title: "REST reads",
        axis: "requests/s",
        pointer: "/requests_per_s",
        scale: 1.0,
        digits: 0,
        scenarios: &["history", "profile", "list"],
        subjects: &["postgres v1", "sqlite v1", "baseline", "node"],
    },
    ChartSpec {
        file: "scaling",
        title: "Server CPU time of one delivery by size of the room",
        axis: "µs",
        pointer: "/delivery_us",
        scale: 1.0,
        digits: 1,
        scenarios: &[
            "scaling-members-100",
            "scaling-members-1000",
            "scaling-members-5000",
        ],
        subjects: &["postgres v1", "postgres v2", "baseline"],
    },
];

/// Draws every chart that has saved results.
pub(crate) fn draw_all() -> Result<()> {
    let directory = colloquy_harness::root().join("docs/images");
    fs::create_dir_all(&directory)?;
    for spec in CHARTS {
        let chart = spec.chart()?;
        if chart.panels.is_empty() {
            continue;
        }
        let path = directory.join(format!("{}.svg", spec.file));
        fs::write(&path, chart.svg())?;
        eprintln!("drew {}", path.display());
    }
    Ok(())
}

impl ChartSpec {
    fn chart(&self) -> Result<Chart> {
        let mut panels = Vec::new();
        for scenario in self.scenarios {
            if let Some(panel) = self.panel(scenario)? {
                panels.push(panel);
            }
        }
        Ok(Chart {
            title: self.title.to_owned(),
            panels,
        })
    }

    fn panel(&self, scenario: &str) -> Result<Option<Panel>> {
        let Some(saved) = saved::read(scenario)? else {
            return Ok(None);
        };
        let bars = self.subjects.iter().filter_map(|subject| {
            let summary = saved::summary(&saved, subject, self.pointer)?;
            Some(Bar {
                label: label(subject).to_owned(),
                is_reference: is_reference(subject),
                value: summary.median * self.scale,
                range: summary
                    .range
                    .map(|(min, max)| (min * self.scale, max * self.scale)),
            })
        });
        let bars: Vec<Bar> = bars.collect();
        let mut scenarios = SCENARIOS.iter();
        let about = scenarios.find(|known| known.name == scenario);
        let panel = Panel {
            title: about.map_or(scenario, |known| known.about).to_owned(),
            axis: self.axis.to_owned(),
            digits: self.digits,
            bars,
        };
        Ok(Some(panel).filter(|panel| !panel.bars.is_empty()))
    }
}

/// Whether a subject is not a configuration of Colloquy.
fn is_reference(subject: &str) -> bool {
    !subject.ends_with(" v1") && !subject.ends_with(" v2")
}

/// The name of a subject in a chart.
fn label(subject: &str) -> &str {
    match subject {
        "postgres v1" => "PostgreSQL, v1",
        "postgres v2" => "PostgreSQL, v2",
        "sqlite v1" => "SQLite, v1",
        "sqlite v2" => "SQLite, v2",
        "edge v1" => "edge, v1",
        "edge v2" => "edge, v2",
        "baseline" => "bare broadcast server",
        "node" => "Node (ws, pg)",
        "durable-object" => "Durable Object",
        "durable-object-without-store" => "… without storing",
        "durable-object-postgres" => "… storing in PostgreSQL",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Subject;

    #[test]
    fn charts_name_scenarios_and_subjects_that_exist() {
        for spec in CHARTS {
            for name in spec.scenarios {
                let mut scenarios = SCENARIOS.iter();
                let scenario = scenarios.find(|scenario| scenario.name == *name).unwrap();
                let subjects = scenario.subjects.iter().map(Subject::name);
                let subjects: Vec<String> = subjects.collect();
                let is_known = |subject: &&str| subjects.iter().any(|known| known == subject);
                assert!(spec.subjects.iter().any(is_known), "{name}");
            }
        }
    }
}
