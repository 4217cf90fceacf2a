//! The charts of `docs/performance.md`, drawn into `docs/images` from the saved results.
//!
//! To add a chart, add a row to [`CHARTS`].

use std::fs;

use anyhow::Result;

use crate::saved;
use crate::svg::{Bar, Chart, Panel};

/// One chart.
struct ChartSpec {
    /// The name of the file, without extension.
    file: &'static str,
    title: &'static str,
    unit: &'static str,
    pointer: &'static str,
    /// From the unit of the load generator to that of the chart.
    scale: f64,
    digits: usize,
    /// Whether all panels have the same axis.
    shared_axis: bool,
    /// One panel for each scenario with saved results: its name and the title of the panel.
    panels: &'static [(&'static str, &'static str)],
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
        unit: "deliveries/s",
        pointer: "/deliveries_per_s",
        scale: 1.0,
        digits: 0,
        shared_axis: false,
        panels: &[
            ("fanout-1x50", "One room of 50, 10 members send"),
            ("fanout-1x500", "One room of 500, 10 members send"),
            ("fanout-50x10", "50 rooms of 10, 2 members send in each"),
        ],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "latency",
        title: "99th percentile of delivery latency at a moderate rate",
        unit: "ms",
        pointer: "/p99_us",
        scale: 1e-3,
        digits: 2,
        shared_axis: false,
        panels: &[
            ("moderate-1x50", "One room of 50, 450 deliveries/s"),
            ("moderate-50x10", "50 rooms of 10, 900 deliveries/s"),
        ],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "edge-fanout",
        title: "Fan-out at saturation at the edge",
        unit: "deliveries/s",
        pointer: "/deliveries_per_s",
        scale: 1.0,
        digits: 0,
        shared_axis: false,
        panels: &[
            ("fanout-1x50", "One room of 50, 10 members send"),
            ("fanout-1x500", "One room of 500, 10 members send"),
            ("fanout-50x10", "50 rooms of 10, 2 members send in each"),
        ],
        subjects: EDGE,
    },
    ChartSpec {
        file: "edge-latency",
        title: "99th percentile of delivery latency at a moderate rate at the edge",
        unit: "ms",
        pointer: "/p99_us",
        scale: 1e-3,
        digits: 1,
        shared_axis: false,
        panels: &[
            ("moderate-1x50", "One room of 50, 450 deliveries/s"),
            ("moderate-50x10", "50 rooms of 10, 900 deliveries/s"),
        ],
        subjects: EDGE,
    },
    ChartSpec {
        file: "memory",
        title: "Resident memory of an idle connection",
        unit: "KiB",
        pointer: "/kib_per_connection",
        scale: 1.0,
        digits: 1,
        shared_axis: true,
        panels: &[
            ("idle", "1,000 connections in 20 rooms"),
            ("idle-10000", "10,000 connections in 200 rooms"),
            ("idle-rooms-5000", "10,000 connections in 5,000 rooms"),
        ],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "connects",
        title: "Opening sockets",
        unit: "sockets/s",
        pointer: "/connects_per_s",
        scale: 1.0,
        digits: 0,
        shared_axis: false,
        panels: &[("connects", "32 concurrent connects, v2 up to hello")],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "storm",
        title: "Reconnect storm",
        unit: "ms",
        pointer: "/all_reconnected_ms",
        scale: 1.0,
        digits: 0,
        shared_axis: false,
        panels: &[(
            "storm",
            "1,000 sockets reset at once, until all have reconnected",
        )],
        subjects: NATIVE,
    },
    ChartSpec {
        file: "rest",
        title: "REST reads",
        unit: "requests/s",
        pointer: "/requests_per_s",
        scale: 1.0,
        digits: 0,
        shared_axis: false,
        panels: &[
            ("history", "The newest 100 messages, cached"),
            ("profile", "The caller's account"),
            ("list", "20 conversations of 10 members"),
        ],
        subjects: &["postgres v1", "sqlite v1", "baseline", "node"],
    },
    ChartSpec {
        file: "scaling",
        title: "Server CPU time of one delivery by size of the room",
        unit: "µs",
        pointer: "/delivery_us",
        scale: 1.0,
        digits: 1,
        shared_axis: true,
        panels: &[
            ("scaling-members-100", "A room of 100"),
            ("scaling-members-1000", "A room of 1,000"),
            ("scaling-members-5000", "A room of 5,000"),
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
        for (scenario, title) in self.panels {
            if let Some(panel) = self.panel(scenario, title)? {
                panels.push(panel);
            }
        }
        Ok(Chart {
            title: self.title.to_owned(),
            shared_axis: self.shared_axis,
            panels,
        })
    }

    fn panel(&self, scenario: &str, title: &str) -> Result<Option<Panel>> {
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
        let panel = Panel {
            title: title.to_owned(),
            unit: self.unit.to_owned(),
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
    use crate::scenarios::SCENARIOS;
    use crate::targets::Subject;

    #[test]
    fn charts_name_scenarios_and_subjects_that_exist() {
        for spec in CHARTS {
            for (name, _) in spec.panels {
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
