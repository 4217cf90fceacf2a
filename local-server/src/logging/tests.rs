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

fn logging(folder: &Path, format: LogFormat) -> Logging {
    Logging {
        filter: "info,quiet=off".to_owned(),
        format,
        folder: Some(folder.to_owned()),
        max_bytes: u64::MAX,
        keep_files: 14,
        stdout: false,
    }
}

fn rotation(max_bytes: u64) -> Rotation {
    Rotation {
        max_bytes,
        keep_files: 14,
    }
}

/// Runs `work` with logs in `folder`; all lines are written when it returns.
fn logged(folder: &Path, format: LogFormat, work: impl FnOnce(&ManualClock)) {
    let clock = Arc::new(ManualClock(AtomicI64::new(EVENING)));
    let (subscriber, guard) = logging(folder, format).subscriber(clock.clone()).unwrap();
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
fn requests_are_written_to_their_own_file_only() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), LogFormat::Text, |_| {
        info!(target: API_TARGET, { http.status = 200 }, "request");
        info!(target: "elsewhere", "other");
    });
    let request = "[INFO] 2026-01-31T23:59:59.000Z colloquy::api - - request - http.status: 200";
    assert_eq!(lines(folder.path(), "api.log"), [request]);
    assert_eq!(
        lines(folder.path(), "server.log"),
        ["[INFO] 2026-01-31T23:59:59.000Z elsewhere - - other"]
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
fn rotation_leaves_the_files_of_other_programs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let others = [
        "server.log.1",
        "server.log.2.gz",
        "server.log.old",
        "server.log-20260101",
    ];
    for name in others {
        fs::write(folder.path().join(name), "kept").unwrap();
    }
    logged(folder.path(), LogFormat::Text, |clock| {
        for _ in 0..20 {
            clock.0.fetch_add(86_400_000, Ordering::Relaxed);
            info!("hello");
        }
    });
    for name in others {
        assert_eq!(lines(folder.path(), name), ["kept"], "{name}");
    }
}

#[test]
fn full_file_is_rotated_before_the_day_ends_and_the_total_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let logging = Logging {
        max_bytes: 4_096,
        keep_files: 3,
        ..logging(folder.path(), LogFormat::Text)
    };
    let clock = Arc::new(ManualClock(AtomicI64::new(EVENING)));
    let (subscriber, guard) = logging.subscriber(clock).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..500 {
            info!(
                number,
                "a line of about a hundred bytes, so that a file has about forty of them"
            );
        }
    });
    drop(guard);
    let mut total = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let size = entry.unwrap().metadata().unwrap().len();
        assert!(size <= 4_096, "{size}");
        total += size;
    }
    assert!((3 * 4_000..=4 * 4_096).contains(&total), "{total}");
    let last = lines(folder.path(), "server.log").pop().unwrap();
    assert!(last.ends_with("number: 499"), "{last}");
}

#[cfg(unix)]
#[test]
fn moved_and_deleted_files_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.log");
    let mut file = LogFile::open(folder.path(), "server.log", rotation(1 << 20)).unwrap();
    let at = Timestamp(EVENING);
    let mut write = |line: &str| {
        file.write(at, line).unwrap();
        file.reopen().unwrap();
    };
    write("first");
    fs::rename(&path, folder.path().join("server.log.1")).unwrap();
    write("second");
    fs::remove_file(&path).unwrap();
    write("third");
    assert_eq!(lines(folder.path(), "server.log.1"), ["first"]);
    assert_eq!(lines(folder.path(), "server.log"), ["third"]);
    // As `copytruncate` of logrotate: the limit counts from the new length.
    fs::write(&path, "").unwrap();
    write("fourth");
    assert_eq!(lines(folder.path(), "server.log"), ["fourth"]);
}

#[cfg(unix)]
#[test]
fn logs_are_not_readable_by_everybody() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("var/logs");
    logged(&logs, LogFormat::Text, |_| info!("hello"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&logs) & 0o007, 0);
    assert_eq!(mode(&logs.join("server.log")) & 0o137, 0);
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
    let logging = logging(file.path(), LogFormat::Text);
    let clock = Arc::new(ManualClock(AtomicI64::new(EVENING)));
    let error = logging.subscriber(clock).err().unwrap();
    assert!(error.to_string().contains("LOG_DIR"), "{error:#}");
}
