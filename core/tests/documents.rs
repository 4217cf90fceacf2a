//! The tables in README.md and docs/protocol.md agree with the code.

use colloquy_core::config::Settings;
use colloquy_core::service::budgets::Budget;
use colloquy_proto::protocol::{CloseCode, ErrorCode};

const PROTOCOL: &str = include_str!("../../docs/protocol.md");
const README: &str = include_str!("../../README.md");

/// The cells of every table row whose first cell matches, in order.
fn rows(text: &str, matches: impl Fn(&str) -> bool) -> Vec<Vec<&str>> {
    text.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| {
            line.split(" | ")
                .map(|cell| cell.trim().trim_matches('`'))
                .collect::<Vec<_>>()
        })
        .filter(|cells| cells.first().is_some_and(|first| matches(first)))
        .collect()
}

#[test]
fn error_code_table_matches_the_code() {
    let start = PROTOCOL
        .find("| code | HTTP status |")
        .expect("the table of error codes");
    let table = PROTOCOL[start..].split("\n\n").next().unwrap_or_default();
    let documented: Vec<(String, String, String)> = rows(table, |first| {
        !first.is_empty() && first != "code" && !first.starts_with("---")
    })
    .into_iter()
    .map(|cells| (cells[0].into(), cells[1].into(), cells[2].into()))
    .collect();
    let coded: Vec<(String, String, String)> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let retryable = if code.retryable() { "yes" } else { "no" };
            (
                code.as_str().into(),
                code.status().to_string(),
                retryable.into(),
            )
        })
        .collect();
    assert_eq!(documented, coded);
}

#[test]
fn close_code_table_matches_the_code() {
    let is_code = |first: &str| first.len() == 4 && first.starts_with(['1', '4']);
    let documented: Vec<(String, String, String)> = rows(PROTOCOL, is_code)
        .into_iter()
        .map(|cells| (cells[0].into(), cells[1].into(), cells[2].into()))
        .collect();
    let coded: Vec<(String, String, String)> = CloseCode::ALL
        .iter()
        .map(|close| {
            let meaning = close.reason().split(';').next().unwrap_or_default();
            let action = close.action().description();
            (close.code().to_string(), meaning.into(), action.into())
        })
        .collect();
    assert_eq!(documented, coded);
}

#[test]
fn settings_table_matches_the_code() {
    let start = README
        .find("| variable | default |")
        .expect("the table of settings");
    let table = README[start..].split("\n\n").next().unwrap_or_default();
    let documented = rows(table, |first| {
        !first.starts_with("---") && first != "variable"
    });
    let coded: Vec<Vec<&str>> = Settings::TABLE
        .iter()
        .map(|setting| vec![setting.name, setting.default, setting.description])
        .collect();
    assert_eq!(documented, coded);
}

#[test]
fn budget_table_matches_the_code() {
    let start = PROTOCOL
        .find("| budget | a minute |")
        .expect("the table of budgets");
    let table = PROTOCOL[start..].split("\n\n").next().unwrap_or_default();
    let documented: Vec<(String, String)> = rows(table, |first| {
        !first.starts_with("---") && first != "budget"
    })
    .into_iter()
    .map(|cells| (cells[0].into(), cells[1].into()))
    .collect();
    let coded: Vec<(String, String)> = Budget::PER_USER
        .into_iter()
        .filter_map(|budget| Some((budget.name().into(), budget.per_minute()?.to_string())))
        .collect();
    assert_eq!(documented, coded);
}
