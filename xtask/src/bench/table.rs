//! How results are told: medians over the rounds, and ratios to the peers.
//!
//! A ratio is the median of the rounds' own ratios: what disturbs a round disturbs both sides.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::columns::Column;
use super::contestants::Contestant;
use super::scenarios::Scenario;

/// What the rounds of one scenario answered.
pub(crate) struct Results {
    scenario: &'static Scenario,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    is_peer: bool,
    rounds: Vec<Value>,
}

impl Results {
    pub(crate) fn new(scenario: &'static Scenario, contestants: &[&Contestant]) -> Self {
        let rows = contestants.iter().map(|contestant| Row {
            name: contestant.name(),
            is_peer: contestant.target.is_peer(),
            rounds: Vec::new(),
        });
        Self {
            scenario,
            rows: rows.collect(),
        }
    }

    pub(crate) fn add(&mut self, contestant: usize, figures: Value) {
        if let Some(row) = self.rows.get_mut(contestant) {
            row.rounds.push(figures);
        }
    }

    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let Scenario {
            name,
            about,
            columns,
            ..
        } = self.scenario;
        let peers: Vec<&Row> = self.rows.iter().filter(|row| row.is_peer).collect();
        let titles = columns.iter().map(|column| column.title.to_owned());
        let ratios = peers.iter().map(|peer| format!("÷ {}", peer.name));
        let titles: Vec<String> = titles.chain(ratios).collect();
        let mut text = format!("### {name}: {about}\n\n| | {} |\n", titles.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(titles.len()));
        for row in &self.rows {
            let mut cells = Vec::new();
            for (index, column) in columns.iter().enumerate() {
                cells.push(row.cell(column, index == 0));
            }
            for peer in &peers {
                let ratio = columns.first().and_then(|column| row.ratio(peer, column));
                cells.push(ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
            }
            let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let columns = self.scenario.columns;
        let rows = self.rows.iter().map(|row| {
            let medians = columns.iter().filter_map(|column| {
                let median = median(row.values(column))?;
                Some((column.title.to_owned(), json!(median)))
            });
            let ratios = self.rows.iter().filter(|peer| peer.is_peer);
            let ratios = ratios.filter_map(|peer| {
                let ratio = row.ratio(peer, columns.first()?)?;
                Some((peer.name.clone(), json!(ratio)))
            });
            json!({
                "name": row.name,
                "medians": medians.collect::<serde_json::Map<_, _>>(),
                "ratios_to": ratios.collect::<serde_json::Map<_, _>>(),
                "rounds": row.rounds,
            })
        });
        json!({
            "name": self.scenario.name,
            "about": self.scenario.about,
            "contestants": rows.collect::<Vec<_>>(),
        })
    }
}

impl Row {
    fn values(&self, column: &Column) -> Vec<f64> {
        let values = self.rounds.iter();
        let values = values.filter_map(|round| round.pointer(column.pointer)?.as_f64());
        values.map(|value| value * column.scale).collect()
    }

    /// The median; with the extremes where `range` is asked for.
    fn cell(&self, column: &Column, range: bool) -> String {
        let values = self.values(column);
        let digits = column.digits;
        let Some(middle) = median(values.clone()) else {
            return "–".to_owned();
        };
        if !range || values.len() < 2 {
            return format!("{middle:.digits$}");
        }
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{middle:.digits$} ({least:.digits$}–{most:.digits$})")
    }

    fn ratio(&self, peer: &Self, column: &Column) -> Option<f64> {
        let (ours, theirs) = (self.values(column), peer.values(column));
        // Rounds that failed are missing, and then the rounds no longer belong together.
        if ours.len() != theirs.len() {
            return Some(median(ours)? / median(theirs)?);
        }
        median(
            ours.iter()
                .zip(theirs)
                .map(|(one, other)| one / other)
                .collect(),
        )
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(values.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenarios::SCENARIOS;

    #[test]
    fn medians_of_odd_even_and_no_rounds() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn ratios_are_those_of_the_rounds() {
        let scenario = SCENARIOS.first().unwrap();
        let contestants: Vec<&Contestant> = scenario.contestants.iter().collect();
        let mut results = Results::new(scenario, &contestants);
        let floor = results.rows.iter().position(|row| row.is_peer).unwrap();
        for (ours, theirs) in [(10.0, 20.0), (100.0, 200.0), (3.0, 30.0)] {
            results.add(0, json!({ "deliveries_per_s": ours }));
            results.add(floor, json!({ "deliveries_per_s": theirs }));
        }
        let ratio = results.json()["contestants"][0]["ratios_to"]["floor"].clone();
        assert_eq!(ratio, json!(0.5));
        assert!(
            results.table().contains("| 10 (3–100) |"),
            "{}",
            results.table()
        );
    }
}
