//! Values that were accepted and then did nothing or harm, by setting.

use super::*;

#[test]
fn log_levels_are_accepted_by_their_common_names() {
    for (value, filter) in [
        ("WARNING", "warn"),
        ("Critical", "error"),
        ("notice", "info"),
        ("info, colloquy=DEBUG", "info,colloquy=debug"),
        (
            "colloquy_core::http=trace",
            "info,colloquy_core::http=trace",
        ),
        ("off", "off"),
        (",", "info"),
    ] {
        let settings = read(&[("LOG_LEVEL", value)]).unwrap();
        assert_eq!(settings.log_filter, filter);
    }
    assert_rejected(
        "LOG_LEVEL",
        &[
            ("verbose", "warn"),
            ("30", "no level"),
            ("colloquy", "colloquy=debug"),
            ("a=b=c", "no level"),
            ("colloqy=debug", "colloquy_core"),
            ("colloquy=loud", "no level"),
            ("info,[request]=debug", "logs nothing"),
        ],
    );
}

#[test]
fn keys_that_cannot_be_rotated_are_rejected() {
    assert_rejected("SECRET_KEY", &[(&format!("{KEY},{KEY}"), "comma")]);
    // A key from a file often ends with a line break; SECRET_KEY_PREVIOUS is trimmed as well.
    let settings = read(&[("SECRET_KEY", &format!(" {KEY}\n"))]).unwrap();
    assert_eq!(settings.secret_key, SecretKey::Given(Secret::new(KEY)));
}

#[test]
fn access_token_must_not_outlive_the_refresh_token() {
    let lifetimes = |access, refresh| {
        read(&[
            ("ACCESS_TOKEN_SECONDS", access),
            ("REFRESH_TOKEN_SECONDS", refresh),
        ])
    };
    assert!(lifetimes("60", "60").is_ok());
    let error = lifetimes("61", "60").unwrap_err();
    assert!(
        error.problems[0].contains("at most REFRESH_TOKEN_SECONDS, which is 60"),
        "{error}"
    );
    assert_eq!(lifetimes("61", "9").unwrap_err().problems.len(), 1);
}

/// The result with every part of the PostgreSQL URL and one of them replaced.
fn with_part(name: &'static str, value: &'static str) -> Result<Settings, SettingsError> {
    read(&[
        ("POSTGRES_DB", " chat "),
        ("POSTGRES_USER", "me"),
        ("POSTGRES_PASSWORD", "'quoted'\n"),
        ("SECRET_KEY", KEY),
        (name, value),
    ])
}

#[test]
fn every_part_of_the_postgres_url_selects_postgres() {
    for name in [
        "POSTGRES_DB",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "POSTGRES_HOST",
        "POSTGRES_PORT",
    ] {
        let problems = problems(&[(name, "5432")]);
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains("is missing")),
            "{name}"
        );
    }
    let Database::Postgres(url) = with_part("POSTGRES_HOST", "[::1]").unwrap().database else {
        panic!("not PostgreSQL")
    };
    assert_eq!(url.reveal(), "postgres://me:%27quoted%27@[::1]:5432/chat");
    for (name, value, instead) in [
        ("POSTGRES_HOST", "db:5432", "POSTGRES_PORT"),
        ("POSTGRES_HOST", "postgres://db", "one name"),
        ("POSTGRES_PORT", "tcp://10.0.0.1:5432", "enableServiceLinks"),
    ] {
        let problems = with_part(name, value).unwrap_err().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(instead), "{problems:?}");
    }
    let settings = read(&[("DATABASE_URL", "sqlite::memory:"), ("POSTGRES_PORT", "1")]).unwrap();
    assert!(
        settings.warnings[0].contains("no effect"),
        "{:?}",
        settings.warnings
    );
}

#[test]
fn database_urls_that_mean_something_else_are_rejected() {
    assert_rejected(
        "DATABASE_URL",
        &[
            ("sqlite:chat.db?mode=ro", "mode=ro"),
            ("sqlite:~/chat.db", "in full"),
        ],
    );
    for url in [
        "postgres://u:a/b@h/d",
        "postgres://u:a#b@h/d",
        "postgres://u:a b@h/d",
        "sqlite3:chat.db",
    ] {
        let problems = problems(&[("DATABASE_URL", url), ("SECRET_KEY", KEY)]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("write") || problems[0].contains("sqlite:path"),
            "{problems:?}"
        );
    }
}

#[test]
fn paths_are_not_expanded() {
    assert_rejected(
        "DATA_DIR",
        &[("~/data", "in full"), ("$HOME/data", "in full")],
    );
    assert_rejected("LOG_DIR", &[("${LOGS}", "in full")]);
    let settings = read(&[("DATA_DIR", "/srv/us$")]).unwrap();
    assert_eq!(settings.data_dir.to_str(), Some("/srv/us$"));
}

#[test]
fn redis_over_http_needs_its_url_and_a_token() {
    for url in ["redis://h:6379", "https://user@h", "h"] {
        let problems = problems(&[
            ("UPSTASH_REDIS_REST_URL", url),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ]);
        assert!(
            problems.len() == 1 && problems[0].contains("redis-http"),
            "{url}"
        );
    }
    let problems = problems(&[
        ("UPSTASH_REDIS_REST_URL", "HTTPS://h/"),
        ("UPSTASH_REDIS_REST_TOKEN", "two words"),
    ]);
    assert!(
        problems.len() == 1 && problems[0].contains("ASCII"),
        "{problems:?}"
    );
}

#[test]
fn throttle_below_a_millisecond_is_rejected() {
    assert_rejected("THROTTLE_RATE_SECONDS", &[("0.0001", "0.001")]);
    assert_eq!(
        read(&[("THROTTLE_RATE_SECONDS", "0")]).unwrap().throttle_ms,
        0
    );
}

#[test]
fn values_without_a_usable_form_are_reported_once() {
    for quote in ["\"", "'"] {
        let (port, key) = (
            format!("{quote}8000{quote}"),
            format!("{quote}{KEY}{quote}"),
        );
        assert_rejected("PORT", &[(&port, "write it")]);
        assert_rejected("SECRET_KEY", &[(&key, "write it")]);
        assert!(!problems(&[("SECRET_KEY", &key)])[0].contains(KEY));
    }
    for value in ["80\n00", "80\u{fffd}", "80\0"] {
        assert_rejected("PORT", &[(value, "write it")]);
    }
    assert_eq!(read(&[("PORT", " 8001 ")]).unwrap().port, 8001);
}

#[test]
fn misspelled_names_are_recognised() {
    for (name, meant) in [
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("SECERT_KEY", "SECRET_KEY"),
        ("LOGDIR", "LOG_DIR"),
        ("port", "PORT"),
    ] {
        assert_eq!(similar_setting(name), Some(meant), "{name}");
    }
    for name in [
        "PORT",
        "PATH",
        "HOME",
        "POST",
        "LOGNAME",
        "POSTGRES_PORT_5432_TCP",
        "",
    ] {
        assert_eq!(similar_setting(name), None, "{name}");
    }
}
