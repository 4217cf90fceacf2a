//! `docker-compose.yml`, `Dockerfile` and `.env.example` agree with the code.
//!
//! The files are parsed, not run: names, values and dependencies between services can drift.

use std::collections::{BTreeMap, BTreeSet};

use colloquy_core::config::{Database, Settings};
use colloquy_redis_http::proxy;
use serde_json::Value;

const COMPOSE: &str = include_str!("../../docker-compose.yml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");
const ENV_EXAMPLE: &str = include_str!("../../.env.example");
const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// Settings whose compose default differs from that of the binary.
const OTHER_DEFAULTS: [(&str, &str); 5] = [
    ("MIGRATE_ON_START", "true"),
    ("POSTGRES_DB", "colloquy"),
    ("POSTGRES_USER", "colloquy"),
    ("POSTGRES_PASSWORD", "colloquy"),
    ("UPSTASH_REDIS_REST_TOKEN", "reached-from-inside-only"),
];

fn compose() -> Value {
    serde_saphyr::from_str(COMPOSE).expect("docker-compose.yml is YAML")
}

fn service(name: &str) -> Value {
    compose()["services"][name].clone()
}

/// A service's variables as written in the file.
fn written(service: &Value) -> BTreeMap<String, String> {
    let variables = service["environment"]
        .as_object()
        .expect("a map of variables");
    let text = |value: &Value| {
        value
            .as_str()
            .expect("variables are written as strings")
            .to_owned()
    };
    variables
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// Name and default of `${NAME:-default}`.
fn substitution(value: &str) -> Option<(&str, &str)> {
    value
        .strip_prefix("${")?
        .strip_suffix('}')?
        .split_once(":-")
}

/// A service's variables with their defaults substituted.
fn resolved(service: &Value) -> BTreeMap<String, String> {
    let mut variables = written(service);
    for value in variables.values_mut() {
        if let Some((_, default)) = substitution(value) {
            *value = default.to_owned();
        }
        assert!(!value.contains('$'), "unsupported substitution in {value}");
    }
    variables
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn compose_passes_every_setting_to_the_server() {
    let written = written(&service("server"));
    let passed: BTreeSet<&str> = written.keys().map(String::as_str).collect();
    // POSTGRES_* name the database here.
    let known = Settings::TABLE
        .iter()
        .map(|row| row.name)
        .filter(|name| *name != "DATABASE_URL");
    assert_eq!(passed, known.collect());
    for (name, value) in &written {
        let Some((outside, default)) = substitution(value) else {
            continue;
        };
        assert_eq!(outside, name, "the variable keeps its name");
        let other = OTHER_DEFAULTS.iter().find(|(other, _)| other == name);
        let table = Settings::TABLE
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.default);
        assert_eq!(
            Some(default),
            other.map(|(_, default)| *default).or(table),
            "{name}"
        );
    }
}

#[test]
fn server_reaches_its_services_with_default_settings() {
    let server = service("server");
    assert!(strings(&server["command"]).contains(&"--make-secret-key"));
    let mut variables = resolved(&server);
    assert_eq!(variables["SECRET_KEY"], "", "there is no default key");
    variables.insert("SECRET_KEY".to_owned(), "x".repeat(32));
    let settings = Settings::read(|name| variables.get(name).cloned()).expect("usable settings");
    let Database::Postgres(url) = &settings.database else {
        panic!("not PostgreSQL")
    };
    assert_eq!(
        url.reveal(),
        "postgres://colloquy:colloquy@postgres:5432/colloquy"
    );
    assert!(settings.log_dir.is_none() && settings.migrate_on_start);
    let mounted = strings(&server["volumes"]);
    assert_eq!(mounted, [format!("data:{}", settings.data_dir.display())]);
    let published = strings(&server["ports"]);
    assert_eq!(published, [format!("${{PORT:-8000}}:{}", settings.port)]);

    let proxy = resolved(&service("redis-http"));
    let redis = settings.redis.expect("a Redis");
    assert_eq!(redis.token.reveal(), proxy["REDIS_HTTP_TOKEN"]);
    let proxy = proxy::Settings::read(|name| proxy.get(name).cloned()).expect("usable settings");
    assert_eq!(
        redis.url,
        format!("http://redis-http:{}", proxy.listen.port())
    );
    assert_eq!(format!("{:?}", proxy.redis), "RedisAddress(redis:6379)");

    let postgres = resolved(&service("postgres"));
    for name in ["POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"] {
        assert_eq!(postgres[name], variables[name], "{name}");
    }
}

#[test]
fn redis_http_receives_only_known_settings() {
    let source = include_str!("../../redis-http/src/proxy/settings.rs");
    for name in written(&service("redis-http")).keys() {
        assert!(source.contains(&format!("{name:?}")), "{name}");
    }
}

#[test]
fn services_wait_until_their_dependencies_are_healthy() {
    let services = compose()["services"].as_object().expect("services").clone();
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(
        BTreeSet::from_iter(names),
        BTreeSet::from(["postgres", "redis", "redis-http", "server"])
    );
    for (name, service) in &services {
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(needed));
            assert_eq!(how["condition"], "service_healthy", "{name} needs {needed}");
        }
        for mount in strings(&service["volumes"]) {
            let volume = mount.split(':').next().unwrap_or_default();
            assert!(
                compose()["volumes"]
                    .as_object()
                    .expect("volumes")
                    .contains_key(volume),
                "{mount}"
            );
        }
        let reachable = service["ports"].is_array();
        assert_eq!(
            reachable,
            name == "server",
            "only the server is reachable from outside"
        );
    }
}

#[test]
fn image_has_both_binaries_and_the_documented_settings() {
    for program in ["colloquy-local-server", "colloquy-redis-http"] {
        assert!(
            DOCKERFILE.contains(&format!("-p {program}")),
            "{program} is built"
        );
        assert!(
            DOCKERFILE.contains(&format!("target/release/{program}")),
            "{program} is copied"
        );
    }
    assert_eq!(
        strings(&service("redis-http")["entrypoint"]),
        ["colloquy-redis-http"]
    );
    let variables: BTreeMap<&str, &str> = DOCKERFILE
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("ENV ")
                .trim()
                .trim_end_matches(" \\")
                .split_once('=')
        })
        .filter(|(name, _)| Settings::TABLE.iter().any(|row| row.name == *name))
        .collect();
    assert_eq!(
        variables,
        BTreeMap::from([
            ("HOST", "0.0.0.0"),
            ("PORT", "8000"),
            ("DATA_DIR", "/data"),
            ("LOG_DIR", "")
        ])
    );
    assert!(DOCKERFILE.contains("\nEXPOSE 8000\n"));
    assert!(
        DOCKERFILE.contains("\nUSER 10001:10001\n"),
        "never as root, and by number"
    );
    assert!(
        DOCKERFILE.contains("--gid 10001 colloquy") && DOCKERFILE.contains("--mode 0700 /data")
    );
    assert!(
        !DOCKERFILE.contains("# syntax"),
        "a build needs no image for its syntax"
    );
}

#[test]
fn no_container_leaves_an_anonymous_volume_behind() {
    assert!(!DOCKERFILE.contains("\nVOLUME"));
    // The volumes that the other images declare are mounted.
    let mounted = |name: &str, kind: &str, at: &str| {
        let mounts = service(name)[kind].clone();
        strings(&mounts)
            .iter()
            .any(|mount| mount.rsplit(':').next() == Some(at))
    };
    assert!(mounted("postgres", "volumes", "/var/lib/postgresql/data"));
    assert!(mounted("redis", "tmpfs", "/data"));
}

#[test]
fn services_have_limits_and_no_privileges() {
    for (name, service) in compose()["services"].as_object().expect("services") {
        assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(
            strings(&service["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert!(service["mem_limit"].is_string(), "{name}");
        assert!(
            service["logging"]["options"]["max-size"].is_string(),
            "{name}"
        );
        // PostgreSQL writes its socket outside of its volume.
        assert_eq!(service["read_only"] == true, name != "postgres", "{name}");
    }
}

#[test]
fn image_is_built_with_a_supported_compiler() {
    let minor = |text: &str| {
        let digits = text
            .split('.')
            .nth(1)?
            .split(|c: char| !c.is_ascii_digit())
            .next()?;
        digits.parse::<u32>().ok()
    };
    let needed = WORKSPACE.split("rust-version = \"").nth(1).and_then(minor);
    let used = DOCKERFILE.split("FROM rust:").nth(1).and_then(minor);
    assert!(needed.is_some() && used >= needed, "{used:?} {needed:?}");
}

#[test]
fn env_example_lists_every_setting_with_its_default() {
    let expected: Vec<String> = Settings::TABLE
        .iter()
        .map(|row| format!("# {}.\n#{}={}", row.description, row.name, row.default))
        .collect();
    let blocks = ENV_EXAMPLE.split("\n\n").map(str::trim);
    let listed: Vec<&str> = blocks
        .filter(|block| block.contains("\n#") && block.contains('='))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn shutdown_deadline_is_shorter_than_the_stop_grace_period() {
    let server = service("server");
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().ok();
    let grace_period = server["stop_grace_period"]
        .as_str()
        .and_then(seconds)
        .expect("whole seconds");
    let deadline = seconds(&resolved(&server)["SHUTDOWN_SECONDS"]).expect("whole seconds");
    assert!(deadline < grace_period);
}
