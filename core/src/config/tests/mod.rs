use std::collections::HashMap;

use super::*;

mod access;
mod values;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let pairs: HashMap<_, _> = pairs.iter().copied().collect();
    Settings::read(|name| pairs.get(name).map(|value| (*value).to_owned()))
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    read(pairs).unwrap_err().problems
}

#[test]
fn defaults_are_a_working_local_server() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.host, "127.0.0.1");
    assert_eq!(settings.port, 8000);
    assert_eq!(
        settings.database,
        Database::Sqlite("data/colloquy.sqlite3".into())
    );
    assert_eq!(
        settings.secret_key,
        SecretKey::CreateBeside("data/secret.key".into())
    );
    assert_eq!(settings.throttle_ms, 1_000);
    assert_eq!(settings.log_dir, Some("logs".into()));
    assert_eq!(settings.allowed_hosts, [HostPattern::Any]);
    assert_eq!(settings.redis, None);
}

#[test]
fn every_setting_read_has_a_row_and_every_row_is_read() {
    let requested = std::cell::RefCell::new(std::collections::BTreeSet::new());
    // Two reads: with a database URL its parts are not read.
    for url in [None, Some("POSTGRES_DB")] {
        let _ = Settings::read(|name| {
            requested.borrow_mut().insert(name.to_owned());
            (Some(name) == url).then(|| "chat".to_owned())
        });
    }
    let rows = Settings::TABLE
        .iter()
        .map(|row| row.name.to_owned())
        .collect();
    assert_eq!(requested.into_inner(), rows);
}

#[test]
fn one_error_lists_every_problem() {
    let problems = problems(&[
        ("PORT", "eighty"),
        ("POSTGRES_DB", "chat"),
        ("POSTGRES_PORT", "70000"),
        ("UPSTASH_REDIS_REST_URL", "https://redis.example.com"),
        ("THROTTLE_RATE_SECONDS", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, everyone"),
        ("CORS_ALLOWED_ORIGINS", "chat.example.com"),
        ("MIGRATE_ON_START", "perhaps"),
        ("LOG_FORMAT", "xml"),
        ("SECRET_KEY_PREVIOUS", "short"),
    ]);
    for name in [
        "PORT",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "POSTGRES_PORT",
        "UPSTASH_REDIS_REST_TOKEN",
        "THROTTLE_RATE_SECONDS",
        "TRUSTED_PROXIES",
        "CORS_ALLOWED_ORIGINS",
        "MIGRATE_ON_START",
        "LOG_FORMAT",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
    ] {
        let prefix = format!("{name} ");
        assert!(
            problems.iter().any(|problem| problem.starts_with(&prefix)),
            "{name}: {problems:?}"
        );
    }
    assert_eq!(problems.len(), 12, "{problems:?}");
}

#[test]
fn database_url_parts_are_encoded() {
    let settings = read(&[
        ("POSTGRES_DB", "chat"),
        ("POSTGRES_USER", "me@work"),
        ("POSTGRES_PASSWORD", "p/w:#?é"),
        ("SECRET_KEY", KEY),
    ])
    .unwrap();
    let Database::Postgres(url) = &settings.database else {
        panic!("not PostgreSQL")
    };
    assert_eq!(
        url.reveal(),
        "postgres://me%40work:p%2Fw%3A%23%3F%C3%A9@localhost:5432/chat"
    );
}

#[test]
fn sqlite_urls_are_accepted_in_every_form() {
    for (url, database) in [
        ("sqlite:chat.db", Database::Sqlite("chat.db".into())),
        (
            "sqlite://chat.db?mode=rwc",
            Database::Sqlite("chat.db".into()),
        ),
        (
            "sqlite:///var/lib/my%20chat.db",
            Database::Sqlite("/var/lib/my chat.db".into()),
        ),
        ("sqlite::memory:", Database::SqliteInMemory),
    ] {
        assert_eq!(
            read(&[("DATABASE_URL", url)]).unwrap().database,
            database,
            "{url}"
        );
    }
    assert_eq!(problems(&[("DATABASE_URL", "sqlite:")]).len(), 1);
}

#[test]
fn secrets_appear_in_neither_debug_nor_errors() {
    let pairs = [
        ("DATABASE_URL", "postgres://u:hunter2@h/d"),
        ("UPSTASH_REDIS_REST_URL", "http://localhost:8079"),
        ("UPSTASH_REDIS_REST_TOKEN", "hunter2"),
        ("SECRET_KEY", "hunter2hunter2hunter2hunter2hunter2"),
        (
            "SECRET_KEY_PREVIOUS",
            "hunter2-hunter2-hunter2-hunter2-hunter2",
        ),
    ];
    assert!(!format!("{:?}", read(&pairs).unwrap()).contains("hunter2"));
    let invalid = [
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("SECRET_KEY", "hunter2"),
    ];
    assert!(!read(&invalid).unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn host_patterns_match_as_in_django() {
    let hosts = read(&[("ALLOWED_HOSTS", "chat.example.com, .example.org,[::1]")])
        .unwrap()
        .allowed_hosts;
    let allows = |host: &str| hosts.iter().any(|pattern| pattern.allows(host));
    for host in [
        "chat.example.com",
        "CHAT.example.com.",
        "example.org",
        "a.b.example.org",
        "[::1]",
    ] {
        assert!(allows(host), "{host}");
    }
    for host in ["example.com", "badexample.org", "a.chat.example.com", ""] {
        assert!(!allows(host), "{host}");
    }
}

#[test]
fn blank_counts_as_absent_except_for_the_log_directory() {
    let settings = read(&[("PORT", " "), ("LOG_DIR", ""), ("SECRET_KEY", "")]).unwrap();
    assert_eq!(settings.port, 8000);
    assert_eq!(settings.log_dir, None);
}

/// Each value is rejected once, with a text that contains the second one.
fn assert_rejected(name: &str, cases: &[(&str, &str)]) {
    for (value, instead) in cases {
        let problems = problems(&[(name, value)]);
        assert_eq!(problems.len(), 1, "{value}: {problems:?}");
        assert!(
            problems[0].starts_with(name) && problems[0].contains(instead),
            "{value}: {problems:?}"
        );
    }
}
