use serde_json::json;

use super::packages::Packages;
use super::tree::{Source, Tree};
use super::*;

/// The start of a check's name, a file, and what in it breaks the check. The longest file has a
/// test of its own.
const BREACHES: &[(&str, &str, &str)] = &[
    (
        "one target",
        "core/src/a.rs",
        "//! A.\n#[cfg(target_arch = \"wasm32\")]\nfn f() {}",
    ),
    (
        "one target",
        "core/src/a.rs",
        "//! A.\nfn f() { if cfg!(any(target_arch = \"x\")) {} }",
    ),
    (
        "know nothing",
        "core/src/domain/a.rs",
        "//! A.\nuse crate::http::X;",
    ),
    (
        "know nothing",
        "core/src/room/a.rs",
        "//! A.\nuse crate::{domain::{Id, Seq}, store::S};",
    ),
    (
        "know nothing",
        "core/src/protocol/a.rs",
        "//! A.\nuse axum::Json;",
    ),
    (
        "know nothing",
        "core/src/room/a/b.rs",
        "//! A.\nfn f(_: super::super::ports::Clock) {}",
    ),
    (
        "every guarantee",
        "docs/guarantees.md",
        "| a promise | a mechanism | `no_such_test` |",
    ),
    (
        "every guarantee",
        "docs/guarantees.md",
        "| a promise | a mechanism | \"no such mutation\" |",
    ),
    (
        "every route",
        "local-server/src/app.rs",
        "//! A.\nfn f(r: Router) { r.route(\"/\", x); }",
    ),
    (
        "every route",
        "worker/src/app.rs",
        "//! A.\nfn f() { axum::Router::new(); }",
    ),
    (
        "every route",
        "core/src/service/a.rs",
        "//! A.\nfn f() { routes!(x); }",
    ),
    (
        "no plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r.route(\"/elsewhere\", get(x)); }",
    ),
    (
        "no plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r\n.nest_service(\n\"/elsewhere\", x); }",
    ),
    (
        "no plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r.route(PATH, get(x)); }",
    ),
    (
        "no plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r.fallback(x); }",
    ),
    (
        "every statement",
        "local-server/src/a.rs",
        "//! A.\nconst A: &str = \"select 1\";",
    ),
    (
        "every statement",
        "core/src/a.rs",
        "//! A.\nconst A: &str = r#\"\n WITH x AS (\n\"#;",
    ),
    (
        "every statement",
        "core/src/a.rs",
        "//! A.\nconst A: &str = \"delete from users\";",
    ),
    (
        "a statement a file",
        "core/sql/sqlite/a/get.sql",
        "select 1",
    ),
    (
        "a statement a file",
        "core/sql/sqlite/a/get.sql",
        "-- Why.\nselect 1; select 2;",
    ),
    (
        "a statement a file",
        "core/sql/sqlite/a/get.sql",
        "-- Why.\nSELECT 1",
    ),
    (
        "a statement a file",
        "core/sql/sqlite/a/get.sql",
        "-- Why.\nselect a from b\nlimit ?2",
    ),
    (
        "a statement a file",
        "core/sql/sqlite/a/get.sql",
        "-- Why; nothing else.",
    ),
    ("modules say", "core/src/a.rs", "use std::fmt;\n//! Late."),
    (
        "lints are expected",
        "tests/a.rs",
        "#[allow(dead_code)]\nfn f() {}",
    ),
    (
        "lints are expected",
        "core/src/a.rs",
        "//! A.\n#![allow(dead_code)]",
    ),
    (
        "nothing is left",
        "core/src/a.rs",
        concat!("//! A.\n// TO", "DO: later"),
    ),
    (
        "nothing is left",
        "README.md",
        concat!("TO", "DO write this"),
    ),
    (
        "nothing is left",
        "core/src/a.rs",
        concat!("//! A.\nfn f() { to", "do!() }"),
    ),
    (
        "no registry",
        "Dockerfile",
        concat!("RUN curl registry.", "npmjs.org"),
    ),
    (
        "no registry",
        "a/package-lock.json",
        r#"{"packages": {"x": {"resolved": "https://mirror/x.tgz"}}}"#,
    ),
    (
        "no path of one machine",
        "docs/a.md",
        concat!("see /ro", "ot/here"),
    ),
    (
        "no path of one machine",
        "a.toml",
        concat!("path = \"/wo", "rk/main\""),
    ),
    ("links between", "docs/a.md", "[b](b.md)"),
    ("links between", "docs/a.md", "[b](../../out.md)"),
    ("links between", "docs/a.md", "[b]: ../c.md#part"),
];

/// What looks like breaches and is none.
const INNOCENT: &[(&str, &str)] = &[
    (
        "core/src/room/mod.rs",
        "//! Knows `crate::http` only in words.\nuse crate::{domain::store, protocol};",
    ),
    (
        "core/src/http/mod.rs",
        "//! H.\nfn f() { Router::new().route(\"/home\", get(x))\n.route(\n\"/home\", get(y),\n)\
         .fallback(error::not_found); }",
    ),
    (
        "tests/blackbox/tests/blackbox/authorisation.rs",
        "//! A.\nconst A: &str = \"/home\";",
    ),
    (
        "core/src/a.rs",
        "//! A.\nconst A: &str = \"select a file\"; // #[allow(x)] select 1 from t\n\
         const B: char = '\"';\nconst C: &str = \"update your profile\";\n\
         #[cfg(test)]\nmod tests {\n    const D: &str = \"select 1\";\n}",
    ),
    ("core/src/a/tests.rs", "const A: &str = \"select 1\";"),
    ("core/src/a_tests.rs", "const A: &str = \"select 1\";"),
    (
        "core/sql/postgres/a/get.sql",
        "-- Called by A; served by the PRIMARY KEY.\n\
         select 'A; B' as \"ON\"\n  from t where kind = 'SELECT';\n",
    ),
    ("local-server/src/main.rs", "//! M."),
    ("local-server/src/app.rs", "//! A."),
    ("worker/src/lib.rs", "//! L."),
    ("worker/src/app.rs", "//! A."),
    (
        "a/package-lock.json",
        r#"{"packages": {"x": {"resolved": "packages/x", "link": true}}}"#,
    ),
    (
        "docs/a.md",
        "[root](../README.md#x) [self](#x) [web](https://a.b/c.md) `[no](code.md)` \
         [dir](../core/)\n```\n[no](link.md)\n```\n",
    ),
    (
        "README.md",
        "[docs](docs/a.md) and target/work/ or ~/root/ and \"a/home/b\"",
    ),
];

fn packages() -> Packages {
    let dependency = |name: &str| json!({"name": name, "kind": null});
    Packages {
        metadata: json!({"packages": [
            {"name": "colloquy-core", "dependencies": [dependency("serde")]},
            {"name": "colloquy-worker", "dependencies": [dependency("colloquy-core"), dependency("worker")]},
            {"name": "colloquy-local-server", "dependencies": [dependency("colloquy-core")]},
        ]}),
        core: "colloquy-core v0.1.0 (somewhere)\nserde v1.0.0\naxum v0.8.9\ntower v0.5.0 (*)\n"
            .to_owned(),
    }
}

fn check(start: &str) -> &'static Check {
    let mut found = CHECKS.iter().filter(|check| check.name.contains(start));
    let check = found
        .next()
        .unwrap_or_else(|| panic!("no check is called {start}"));
    assert!(found.next().is_none(), "{start} names two checks");
    check
}

#[test]
fn the_innocent_pass_every_check() {
    let facts = Facts {
        tree: Tree::of(INNOCENT),
        packages: packages(),
    };
    for check in CHECKS {
        assert_eq!((check.run)(&facts), [], "{}", check.name);
    }
}

#[test]
fn every_breach_of_files_is_seen() {
    for (start, path, text) in BREACHES {
        let facts = Facts {
            tree: Tree::of(&[(path, text)]),
            packages: packages(),
        };
        let found = (check(start).run)(&facts);
        assert!(!found.is_empty(), "{start} does not see {path}: {text}");
        assert!(
            found.iter().all(|breach| breach.place.starts_with(path)),
            "{found:?}"
        );
    }
}

#[test]
fn a_second_plain_route_on_a_line_is_seen() {
    let route = "//! A.\nfn f(r: Router) { r.route(\"/home\", get(x)); }";
    let routes = "//! A.\nfn f(r: Router) { r.route(\"/home\", get(x)).route(\"/b\", get(y)); }";
    let table = (
        "tests/blackbox/tests/blackbox/authorisation.rs",
        "const A: &str = \"/home\";",
    );
    for (text, breaches) in [(route, 0), (routes, 1)] {
        let facts = Facts {
            tree: Tree::of(&[("core/src/http/a.rs", text), table]),
            packages: packages(),
        };
        assert_eq!((check("no plain route").run)(&facts).len(), breaches);
    }
}

#[test]
fn every_check_is_seen_to_fail_somewhere() {
    let here = [
        "core depends on",
        "dependencies between",
        "both adapters",
        "files are short",
    ];
    let seen: Vec<&str> = BREACHES
        .iter()
        .map(|(start, ..)| *start)
        .chain(here)
        .collect();
    for check in CHECKS {
        assert!(
            seen.iter().any(|start| check.name.contains(start)),
            "{}",
            check.name
        );
    }
}

#[test]
fn a_long_file_is_seen_but_not_its_tests() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(400));
    let tested = format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    let files = [
        ("core/src/a.rs", &*long),
        ("core/src/b.rs", &*tested),
        ("core/tests/c.rs", &*long),
    ];
    let facts = Facts {
        tree: Tree::of(&files),
        packages: packages(),
    };
    let found = (check("files are short").run)(&facts);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "core/src/a.rs");
}

#[test]
fn a_driver_in_core_is_seen() {
    for name in [
        "worker",
        "sqlx-core",
        "tokio",
        "tokio-postgres",
        "reqwest",
        "hyper-util",
    ] {
        let mut packages = packages();
        packages.core.extend([name, " v1.0.0\n"]);
        let facts = Facts {
            tree: Tree::default(),
            packages,
        };
        assert_eq!((check("core depends on").run)(&facts).len(), 1, "{name}");
    }
    let facts = Facts {
        tree: Tree::default(),
        packages: Packages::default(),
    };
    assert_eq!(
        (check("core depends on").run)(&facts).len(),
        1,
        "an empty tree proves nothing"
    );
}

#[test]
fn a_wrong_direction_is_seen() {
    let wrong = [
        ("colloquy-local-server", "colloquy-worker"),
        ("colloquy-worker", "colloquy-local-server"),
        ("colloquy-core", "colloquy-worker"),
        ("colloquy-local-server", "worker"),
    ];
    for (package, dependency) in wrong {
        let mut packages = packages();
        let list = packages.metadata["packages"].as_array_mut().unwrap();
        let one = list.iter_mut().find(|one| one["name"] == package).unwrap();
        one["dependencies"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": dependency, "kind": null}));
        let facts = Facts {
            tree: Tree::default(),
            packages,
        };
        let found = (check("dependencies between").run)(&facts);
        assert_eq!(found.len(), 1, "{package} → {dependency}");
    }
}

#[test]
fn a_missing_twin_is_seen_once_there_are_two() {
    let both = [
        ("local-server/src/clock.rs", "//! C."),
        ("worker/src/lib.rs", "//! L."),
    ];
    let facts = Facts {
        tree: Tree::of(&both),
        packages: packages(),
    };
    let found = (check("both adapters").run)(&facts);
    assert_eq!(
        found,
        [Breach::new(
            "worker/src/clock.rs",
            "only the other adapter has it"
        )]
    );
    let facts = Facts {
        tree: Tree::of(&both[..1]),
        packages: packages(),
    };
    assert_eq!((check("both adapters").run)(&facts), []);
}

#[test]
fn code_comments_and_strings_are_told_apart() {
    let text = "let a = \"x // \\\" y\"; // \"no\"\n/* /* */ b */ let r = r#\"q\" 'z\"#; let c = '\\''; fn f<'a>() {}";
    let source = Source::of(text.to_owned());
    let literals: Vec<_> = source
        .literals
        .iter()
        .map(|one| (one.line, one.text.as_str()))
        .collect();
    assert_eq!(literals, [(1, "x // \\\" y"), (2, "q\" 'z")]);
    assert!(source.code.contains("fn f<'a>() {}"), "{}", source.code);
    assert!(!source.code.contains("no") && !source.code.contains(" b "));
    assert_eq!(source.code.lines().count(), 2);
}
