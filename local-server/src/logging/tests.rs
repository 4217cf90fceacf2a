//! Lines, files and redaction, through the real subscriber and writer thread.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use colloquy_proto::domain::Timestamp;
use tracing::{info, info_span, warn};

use super::*;

/// 2026-01-31T23:59:59.000Z
const EVENING: i64 = 1_769_903_999_000;

struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Runs `work` with logs in `folder`; all lines are written when it returns.
fn logged(folder: &Path, format: LogFormat, work: impl FnOnce(&ManualClock)) {
    let clock = Arc::new(ManualClock(AtomicI64::new(EVENING)));
    let logging = Logging {
        filter: "info,quiet=off".to_owned(),
        format,
        folder: Some(folder.to_owned()),
        stdout: false,
    };
    let (subscriber, guard) = logging.subscriber(clock.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || work(&clock));
    drop(guard);
}

fn lines(folder: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn line_has_the_documented_format_and_the_request_id_of_its_span() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), LogFormat::Text, |_| {
        let _request = info_span!(
            "request",
            request.id = "r-1",
            user.id = tracing::field::Empty
        )
        .entered();
        tracing::Span::current().record("user.id", 7);
        let _inner = info_span!("send", conversation.id = 3).entered();
        warn!(target: "colloquy_core::service", elapsed_ms = 12, reason = "two words", "it took long");
        tracing::debug!("not at this level");
        info!(target: "quiet", "filtered");
    });
    assert_eq!(
        lines(folder.path(), "server.log"),
        [
            "[WARN] 2026-01-31T23:59:59.000Z colloquy_core::service send - it took long - elapsed_ms: 12, reason: \"two words\", conversation.id: 3, request.id: r-1, user.id: 7"
        ]
    );
    assert!(lines(folder.path(), "api.log").is_empty());
}

#[test]
fn requests_are_written_to_both_files() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), LogFormat::Text, |_| {
        info!(target: API_TARGET, { http.status = 200 }, "request");
        info!(target: "elsewhere", "other");
    });
    let request = "[INFO] 2026-01-31T23:59:59.000Z colloquy::api - - request - http.status: 200";
    assert_eq!(lines(folder.path(), "api.log"), [request]);
    assert_eq!(
        lines(folder.path(), "server.log"),
        [
            request,
            "[INFO] 2026-01-31T23:59:59.000Z elsewhere - - other"
        ]
    );
}

#[test]
fn logged_values_cannot_forge_lines_or_fields() {
    let folder = tempfile::tempdir().unwrap();
    let untrusted = "x\n[ERROR] forged\r\u{1b}[2J\u{2028}, user.id: 1 - \"quoted\"";
    logged(
        folder.path(),
        LogFormat::Text,
        |_| info!(value = untrusted, displayed = %untrusted, "said {untrusted}"),
    );
    let written = fs::read_to_string(folder.path().join("server.log")).unwrap();
    assert_eq!(written.matches('\n').count(), 1, "{written}");
    assert!(
        !written
            .trim_end()
            .contains(|c: char| c.is_control() || c == '\u{2028}'),
        "{written}"
    );
    assert!(
        written
            .contains(r#"value: "x\n[ERROR] forged\r\u{1b}[2J\u{2028}, user.id: 1 - \"quoted\"""#),
        "{written}"
    );
    logged(folder.path(), LogFormat::Json, |_| {
        info!(level = "FORGED", value = untrusted, "said {untrusted}");
    });
    let written = lines(folder.path(), "server.log");
    let json: serde_json::Value = serde_json::from_str(&written[1]).unwrap();
    assert_eq!(
        (&json["level"], &json["value"]),
        (&"INFO".into(), &untrusted.into())
    );
}

#[test]
fn json_has_the_same_fields() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), LogFormat::Json, |_| {
        let _request = info_span!("request", request.id = "r-1").entered();
        info!(target: API_TARGET, { http.status = 200 }, "request");
    });
    let json: serde_json::Value =
        serde_json::from_str(&lines(folder.path(), "api.log")[0]).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"level": "INFO", "timestamp": "2026-01-31T23:59:59.000Z", "module": "colloquy::api",
            "function": "request", "message": "request", "http.status": 200, "request.id": "r-1"})
    );
}

#[test]
fn fields_with_secret_names_are_redacted() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), LogFormat::Text, |_| {
        let _span = info_span!("request", access_token = "hunter2").entered();
        info!(password = "hunter2", http.authorization = ?"hunter2", "login");
    });
    let line = &lines(folder.path(), "server.log")[0];
    assert!(
        !line.contains("hunter2") && line.contains("password: …"),
        "{line}"
    );
}

#[test]
fn files_are_rotated_daily_and_the_oldest_removed() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), LogFormat::Text, |clock| {
        for day in 0..20 {
            info!(day, "hello");
            clock
                .0
                .store(EVENING + 2_000 + day * 86_400_000, Ordering::Relaxed);
        }
        clock.0.fetch_sub(86_400_000, Ordering::Relaxed);
        info!("the clock was set back");
    });
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.starts_with("server.log"));
    names.sort();
    assert_eq!(names.len(), 15, "{names:?}");
    assert_eq!(
        (names[0].as_str(), names[1].as_str()),
        ("server.log", "server.log.2026-02-05")
    );
    assert_eq!(lines(folder.path(), "server.log").len(), 2);
    assert!(lines(folder.path(), "server.log.2026-02-18")[0].contains("day: 18"));
}

#[test]
fn restart_appends_to_the_current_file() {
    let folder = tempfile::tempdir().unwrap();
    let now = crate::clock::SystemClock.now();
    for _ in 0..2 {
        logged(folder.path(), LogFormat::Text, |clock| {
            clock.0.store(now.0, Ordering::Relaxed);
            info!("hello");
        });
    }
    assert_eq!(lines(folder.path(), "server.log").len(), 2);
}

#[test]
fn unwritable_folder_is_reported_with_its_setting() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let logging = Logging {
        filter: "info".to_owned(),
        format: LogFormat::Text,
        folder: Some(file.path().to_owned()),
        stdout: false,
    };
    let clock = Arc::new(ManualClock(AtomicI64::new(EVENING)));
    let error = logging.subscriber(clock).err().unwrap();
    assert!(error.to_string().contains("LOG_DIR"), "{error:#}");
}
