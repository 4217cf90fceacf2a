//! Logs: which lines are written, their format and their files.

use std::path::PathBuf;

use super::LogFormat;
use super::reader::Reader;

/// The targets of log events in this program, by their first part.
const TARGETS: [&str; 8] = [
    "colloquy",
    "colloquy_core",
    "colloquy_local_server",
    "colloquy_proto",
    "colloquy_redis_http",
    "colloquy_worker",
    "hyper_util",
    "sqlx",
];

const LEVELS: &str = "error, warn, info, debug, trace or off";

impl Reader<'_> {
    /// `LOG_DIR`; the only setting for which blank is a value: no log files.
    pub(super) fn log_dir(&mut self) -> Option<PathBuf> {
        const NAME: &str = "LOG_DIR";
        let blank = self.is_set(NAME) && self.given(NAME).is_none();
        let path = self.path(NAME);
        (!blank).then_some(path)
    }

    /// `LOG_FORMAT`.
    pub(super) fn log_format(&mut self) -> LogFormat {
        const NAME: &str = "LOG_FORMAT";
        let text = self.text(NAME);
        match text.to_ascii_lowercase().as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => {
                self.problem(NAME, format_args!("is {text:?}; give text or json"));
                LogFormat::Text
            }
        }
    }

    /// `LOG_LEVEL` as directives: the level of all events, then `target=level` for some of them.
    pub(super) fn log_filter(&mut self) -> String {
        const NAME: &str = "LOG_LEVEL";
        let mut default = "info";
        let mut directives = Vec::new();
        for item in self.items(NAME) {
            let Some((target, level)) = item.split_once('=') else {
                match level_of(&item) {
                    Some(level) => default = level,
                    None => self.problem(NAME, format_args!("names {item:?}, which is no level; give {LEVELS}, or a list such as info,colloquy=debug")),
                }
                continue;
            };
            let (target, level) = (target.trim(), level.trim());
            match level_of(level) {
                Some(level) if is_target(target) => {
                    directives.push(format!("{target}={level}"));
                }
                Some(_) => self.problem(NAME, format_args!("names {target:?}, which logs nothing here; give one of {} or a module of it", TARGETS.join(", "))),
                None => self.problem(NAME, format_args!("names {level:?}, which is no level; give {LEVELS}")),
            }
        }
        directives.insert(0, default.to_owned());
        directives.join(",")
    }
}

/// The level with this name, also by the names that Python and syslog use.
fn level_of(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "error" | "err" | "critical" | "crit" | "fatal" | "alert" | "emerg" => "error",
        "warn" | "warning" => "warn",
        "info" | "notice" => "info",
        "debug" => "debug",
        "trace" => "trace",
        "off" => "off",
        _ => return None,
    })
}

/// Whether events of this program may have the target. A directive applies to every target that
/// starts with its text.
fn is_target(target: &str) -> bool {
    let (first, rest) = match target.split_once("::") {
        Some((first, rest)) => (first, Some(rest)),
        None => (target, None),
    };
    let is_module = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let known = match rest {
        Some(rest) => TARGETS.contains(&first) && rest.chars().all(is_module),
        None => TARGETS.iter().any(|known| known.starts_with(first)),
    };
    known && !first.is_empty()
}
