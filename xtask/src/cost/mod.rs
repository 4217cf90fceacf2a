//! `cargo xtask cost`: what a month at the edge costs, for the table of `docs/deploying.md`.
//!
//! `given` holds what is assumed and what things cost, `model` counts, this file writes. The
//! document must hold exactly what is computed: a test compares them, `--write` brings it up to
//! date.

mod given;
mod model;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::Verdict;
use given::{Given, Price, day, effort, prices};
use model::{Line, Month};

const DOCUMENT: &str = "docs/deploying.md";
const BEGIN: &str =
    "<!-- cost: written by `cargo xtask cost --write`, held against it by a test -->\n";
const END: &str = "<!-- end of cost -->\n";

/// The columns of the table: daily users.
const USERS: [f64; 3] = [1e3, 1e5, 1e6];

/// Where it goes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write it into docs/deploying.md instead of printing it.
    #[arg(long)]
    write: bool,
}

/// `cargo xtask cost`
pub(crate) fn command(options: &Options) -> Verdict {
    if options.write {
        let path = colloquy_harness::root().join(DOCUMENT);
        let document = fs::read_to_string(&path).context(DOCUMENT)?;
        fs::write(&path, with_text(&document)?).context(DOCUMENT)?;
    } else {
        print!("{}", text());
    }
    Ok(true)
}

/// The document with the computed text between its marks.
fn with_text(document: &str) -> Result<String> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.with_context(|| format!("{DOCUMENT} lacks {BEGIN} or {END}"))?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", text()))
}

/// All tables, as Markdown.
fn text() -> String {
    let months = USERS.map(Month::of);
    let mut text = String::new();
    results(&mut text, &months);
    text.push_str("\nA daily user in a day:\n\n| | |\n| ---: | --- |\n");
    assumptions(&mut text, day::ALL);
    text.push_str("\nWhat it takes:\n\n| | |\n| ---: | --- |\n");
    assumptions(&mut text, effort::ALL);
    let _ = writeln!(
        text,
        "\nPrices in US dollars, November 2026, besides ${} for the account:\n\n\
         | | included a month | beyond | published at |\n| --- | ---: | ---: | --- |",
        prices::SUBSCRIPTION
    );
    for price in prices::ALL {
        price_row(&mut text, price);
    }
    redis_plans(&mut text);
    text
}

fn results(text: &mut String, months: &[Month; 3]) {
    let _ = writeln!(
        text,
        "| a month | {} |\n| --- | ---: | ---: | ---: |",
        USERS
            .map(|users| format!("{} daily users", grouped(users)))
            .join(" | ")
    );
    let _ = writeln!(
        text,
        "| subscription | {} |",
        USERS.map(|_| money(prices::SUBSCRIPTION)).join(" | ")
    );
    let count = months.first().map_or(0, |month| month.lines.len());
    for index in 0..count {
        result_row(text, months.each_ref().map(|month| &month.lines[index]));
    }
    let totals = months.each_ref().map(Month::total);
    let _ = writeln!(
        text,
        "| **total** | {} |",
        totals.map(|sum| format!("**{}**", money(sum))).join(" | ")
    );
    let each = [0, 1, 2].map(|column| money(totals[column] / USERS[column]));
    let _ = writeln!(text, "| for each daily user | {} |", each.join(" | "));
    let awake = months.each_ref().map(|month| &month.awake);
    let _ = writeln!(
        text,
        "| object duration, if sockets kept Rooms in memory | {} |",
        awake.map(cell).join(" | ")
    );
    let peaks = months.each_ref().map(|month| short(month.peak_statements));
    let _ = writeln!(
        text,
        "| statements a second at the peak | {} |",
        peaks.join(" | ")
    );
}

fn result_row(text: &mut String, lines: [&Line; 3]) {
    let _ = writeln!(
        text,
        "| {} | {} |",
        lines[0].what,
        lines.map(cell).join(" | ")
    );
}

fn cell(line: &Line) -> String {
    format!("{}: {}", short(line.units), money(line.dollars))
}

fn assumptions(text: &mut String, all: &[&Given]) {
    for given in all {
        let _ = writeln!(text, "| {} | {} |", grouped(given.value), given.what);
    }
}

fn price_row(text: &mut String, price: &Price) {
    let included = if price.included > 0.0 {
        short(price.included)
    } else {
        "nothing".to_owned()
    };
    let _ = writeln!(
        text,
        "| {} | {included} | {} for {} {} | {} |",
        price.what,
        exact(price.dollars),
        if price.per > 1.0 { "each" } else { "a" },
        price.unit,
        price.from
    );
}

fn redis_plans(text: &mut String) {
    let plans = prices::REDIS_PLANS.iter().map(|plan| {
        let (dollars, gigabytes) = (money(plan.dollars), plan.gigabytes);
        let traffic = grouped(plan.traffic_gigabytes);
        format!("{dollars} for {gigabytes} GB and {traffic} GB of traffic")
    });
    let plans = plans.collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        text,
        "\nRedis at a fixed price, where that is cheaper: {plans}."
    );
}

/// A count in three digits or so: `1.11 billion`, `37.2 million`, `12,300`.
fn short(count: f64) -> String {
    match count {
        _ if count >= 1e9 => format!("{} billion", digits(count / 1e9)),
        _ if count >= 1e6 => format!("{} million", digits(count / 1e6)),
        _ if count >= 1e3 => grouped((count / 100.0).round() * 100.0),
        _ => digits(count),
    }
}

/// Three digits that count.
fn digits(count: f64) -> String {
    let places = match count {
        _ if count >= 100.0 => 0,
        _ if count >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{count:.places$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// A sum in dollars: whole from ten on, then in cents, below one cent in hundredths of it.
fn money(dollars: f64) -> String {
    match dollars {
        _ if dollars >= 10.0 => format!("${}", grouped(dollars.round())),
        _ if dollars >= 0.01 => format!("${dollars:.2}"),
        _ if dollars > 0.0 => format!("${dollars:.4}"),
        _ => "$0".to_owned(),
    }
}

/// A price in dollars as it was published, in cents at least.
fn exact(dollars: f64) -> String {
    let text = dollars.to_string();
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    format!("${dollars:.*}", places.max(2))
}

/// Thousands apart: `1,000,000`; fractions as they are.
fn grouped(count: f64) -> String {
    let text = count.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut result = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    if !fraction.is_empty() {
        result.push('.');
        result.push_str(fraction);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_what_is_computed() {
        let document = fs::read_to_string(colloquy_harness::root().join(DOCUMENT)).unwrap();
        let due = with_text(&document).unwrap();
        assert!(document == due, "run `cargo xtask cost --write`");
    }

    #[test]
    fn numbers_are_written_for_people() {
        let counts = [0.15, 1_000_000.0, 5_400.0];
        assert_eq!(counts.map(grouped), ["0.15", "1,000,000", "5,400"]);
        let shorts = [1.1145e9, 37.15e6, 12_345.0, 2.5];
        assert_eq!(
            shorts.map(short),
            ["1.11 billion", "37.1 million", "12,300", "2.5"]
        );
        let sums = [1_234.5, 9.999, 0.3, 0.0, 0.0034];
        let due = ["$1,235", "$10.00", "$0.30", "$0", "$0.0034"];
        assert_eq!(sums.map(money), due);
        assert_eq!([12.5, 0.222, 5.0].map(exact), ["$12.50", "$0.222", "$5.00"]);
    }
}
