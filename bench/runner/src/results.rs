//! The results of a scenario: medians over the rounds, and ratios to the baselines.
//!
//! A ratio is the median of the rounds' own ratios, because noise in a round affects both sides.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::columns::Column;
use crate::scenarios::Scenario;
use crate::targets::Subject;

/// The figures of all rounds of one scenario.
pub(crate) struct Results {
    scenario: &'static Scenario,
    subjects: Vec<SubjectRounds>,
}

struct SubjectRounds {
    name: String,
    is_baseline: bool,
    rounds: Vec<Value>,
}

impl Results {
    pub(crate) fn new(scenario: &'static Scenario, subjects: &[&Subject]) -> Self {
        let subjects = subjects.iter().map(|subject| SubjectRounds {
            name: subject.name(),
            is_baseline: subject.target.is_baseline(),
            rounds: Vec::new(),
        });
        Self {
            scenario,
            subjects: subjects.collect(),
        }
    }

    pub(crate) fn add(&mut self, subject: usize, figures: Value) {
        if let Some(subject) = self.subjects.get_mut(subject) {
            subject.rounds.push(figures);
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
        let baselines: Vec<&SubjectRounds> = self.baselines().collect();
        let titles = columns.iter().map(|column| column.title.to_owned());
        let ratios = baselines
            .iter()
            .map(|baseline| format!("÷ {}", baseline.name));
        let titles: Vec<String> = titles.chain(ratios).collect();
        let mut text = format!("### {name}: {about}\n\n| | {} |\n", titles.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(titles.len()));
        for subject in &self.subjects {
            let mut cells = Vec::new();
            for (index, column) in columns.iter().enumerate() {
                cells.push(subject.cell(column, index == 0));
            }
            for baseline in &baselines {
                let ratio = columns
                    .first()
                    .and_then(|column| subject.ratio(baseline, column));
                cells.push(ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
            }
            let _ = writeln!(text, "| {} | {} |", subject.name, cells.join(" | "));
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let columns = self.scenario.columns;
        let subjects = self.subjects.iter().map(|subject| {
            let medians = columns.iter().filter_map(|column| {
                let median = median(subject.values(column))?;
                Some((column.title.to_owned(), json!(median)))
            });
            let ratios = self.baselines().filter_map(|baseline| {
                let ratio = subject.ratio(baseline, columns.first()?)?;
                Some((baseline.name.clone(), json!(ratio)))
            });
            json!({
                "name": subject.name,
                "medians": medians.collect::<serde_json::Map<_, _>>(),
                "ratios_to": ratios.collect::<serde_json::Map<_, _>>(),
                "rounds": subject.rounds,
            })
        });
        json!({
            "scenario": self.scenario.name,
            "about": self.scenario.about,
            "subjects": subjects.collect::<Vec<_>>(),
        })
    }

    fn baselines(&self) -> impl Iterator<Item = &SubjectRounds> {
        self.subjects.iter().filter(|subject| subject.is_baseline)
    }
}

impl SubjectRounds {
    fn values(&self, column: &Column) -> Vec<f64> {
        let values = self.rounds.iter();
        let values = values.filter_map(|round| round.pointer(column.pointer)?.as_f64());
        values.map(|value| value * column.scale).collect()
    }

    /// The median, with minimum and maximum if `range` is set.
    fn cell(&self, column: &Column, range: bool) -> String {
        let values = self.values(column);
        let digits = column.digits;
        let Some(middle) = median(values.clone()) else {
            return "–".to_owned();
        };
        if !range || values.len() < 2 {
            return format!("{middle:.digits$}");
        }
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{middle:.digits$} ({min:.digits$}–{max:.digits$})")
    }

    fn ratio(&self, baseline: &Self, column: &Column) -> Option<f64> {
        let (own, other) = (self.values(column), baseline.values(column));
        // After a failed round the rounds cannot be paired.
        if own.len() != other.len() {
            return Some(median(own)? / median(other)?);
        }
        median(
            own.iter()
                .zip(other)
                .map(|(own, other)| own / other)
                .collect(),
        )
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
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
    use crate::scenarios::SCENARIOS;

    #[test]
    fn median_of_odd_even_and_no_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn ratio_is_the_median_of_the_rounds_ratios() {
        let scenario = SCENARIOS.first().unwrap();
        let subjects: Vec<&Subject> = scenario.subjects.iter().collect();
        let mut results = Results::new(scenario, &subjects);
        let mut all = results.subjects.iter();
        let baseline = all.position(|subject| subject.is_baseline).unwrap();
        for (own, other) in [(10.0, 20.0), (100.0, 200.0), (3.0, 30.0)] {
            results.add(0, json!({ "deliveries_per_s": own }));
            results.add(baseline, json!({ "deliveries_per_s": other }));
        }
        let ratio = results.json()["subjects"][0]["ratios_to"]["baseline"].clone();
        assert_eq!(ratio, json!(0.5));
        assert!(
            results.table().contains("| 10 (3–100) |"),
            "{}",
            results.table()
        );
    }
}
