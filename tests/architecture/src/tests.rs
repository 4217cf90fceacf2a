use serde_json::json;

use crate::dependencies::Packages;
use crate::rust_source::Source;
use crate::tree::Tree;
use crate::*;

/// Part of a check's name, a file, and content that violates the check.
const VIOLATIONS: &[(&str, &str, &str)] = &[
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
        "guarantees name",
        "docs/guarantees.md",
        "| a promise | a mechanism | `no_such_test` |",
    ),
    (
        "guarantees name",
        "docs/guarantees.md",
        "| a promise | a mechanism | \"no such mutation\" |",
    ),
    (
        "every route is",
        "local-server/src/app.rs",
        "//! A.\nfn f(r: Router) { r.route(\"/\", x); }",
    ),
    (
        "every route is",
        "worker/src/app.rs",
        "//! A.\nfn f() { axum::Router::new(); }",
    ),
    (
        "every route is",
        "core/src/service/a.rs",
        "//! A.\nfn f() { routes!(x); }",
    ),
    (
        "every plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r.route(\"/elsewhere\", get(x)); }",
    ),
    (
        "every plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r\n.nest_service(\n\"/elsewhere\", x); }",
    ),
    (
        "every plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r.route(PATH, get(x)); }",
    ),
    (
        "every plain route",
        "core/src/http/a.rs",
        "//! A.\nfn f(r: Router) { r.fallback(x); }",
    ),
    (
        "every statement is",
        "local-server/src/a.rs",
        "//! A.\nconst A: &str = \"select 1\";",
    ),
    (
        "every statement is",
        "core/src/a.rs",
        "//! A.\nconst A: &str = r#\"\n WITH x AS (\n\"#;",
    ),
    (
        "every statement is",
        "core/src/a.rs",
        "//! A.\nconst A: &str = \"delete from users\";",
    ),
    ("a statement file", "core/sql/sqlite/a/get.sql", "select 1"),
    (
        "a statement file",
        "core/sql/sqlite/a/get.sql",
        "-- Why.\nselect 1; select 2;",
    ),
    (
        "a statement file",
        "core/sql/sqlite/a/get.sql",
        "-- Why.\nSELECT 1",
    ),
    (
        "a statement file",
        "core/sql/sqlite/a/get.sql",
        "-- Why.\nselect a from b\nlimit ?2",
    ),
    (
        "a statement file",
        "core/sql/sqlite/a/get.sql",
        "-- Why; nothing else.",
    ),
    (
        "module comment",
        "core/src/a.rs",
        "use std::fmt;\n//! Late.",
    ),
    (
        "left unfinished",
        "core/src/a.rs",
        concat!("//! A.\n// TO", "DO: later"),
    ),
    (
        "left unfinished",
        "README.md",
        concat!("TO", "DO write this"),
    ),
    (
        "no package registry",
        "Dockerfile",
        concat!("RUN curl registry.", "npmjs.org"),
    ),
    (
        "no package registry",
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
    ("field's terms", "docs/a.md", "The client is told."),
    (
        "field's terms",
        "core/sql/sqlite/a/get.sql",
        "-- Nobody calls it.\nselect 1",
    ),
    (
        "field's terms",
        "core/src/a.rs",
        "//! A.\nfn a_lone_send() {}",
    ),
    ("field's terms", "core/src/a.rs", "//! A.\nstruct UnderWay;"),
    (
        "field's terms",
        "worker/dev/start.mjs",
        "// a fault of ours",
    ),
    ("links between", "docs/a.md", "[b](b.md)"),
    ("links between", "docs/a.md", "[b](../../out.md)"),
    ("links between", "docs/a.md", "[b]: ../c.md#part"),
];

/// Files that violate no check.
const VALID: &[(&str, &str)] = &[
    (
        "proto/src/room/mod.rs",
        "//! Names `crate::http` in a comment only.\nuse crate::{domain::store, protocol};",
    ),
    (
        "core/src/http/mod.rs",
        "//! H.\nfn f() { Router::new().route(\"/home\", get(x))\n.route(\n\"/home\", get(y),\n)\
         .fallback(static_files::file_or_not_found); }",
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
        core_tree:
            "colloquy-core v0.1.0 (somewhere)\nserde v1.0.0\naxum v0.8.9\ntower v0.5.0 (*)\n"
                .to_owned(),
    }
}

fn check(start: &str) -> &'static Check {
    let mut found = CHECKS.iter().filter(|check| check.name.contains(start));
    let check = found
        .next()
        .unwrap_or_else(|| panic!("no check is named {start}"));
    assert!(found.next().is_none(), "{start} matches two checks");
    check
}

#[test]
fn valid_files_pass_every_check() {
    let workspace = Workspace {
        tree: Tree::of(VALID),
        packages: packages(),
    };
    // The valid files belong to no resource.
    for check in CHECKS
        .iter()
        .filter(|check| !check.name.contains("same resources"))
    {
        assert_eq!((check.run)(&workspace), [], "{}", check.name);
    }
}

#[test]
fn every_violation_is_found_in_its_file() {
    for (start, path, text) in VIOLATIONS {
        let workspace = Workspace {
            tree: Tree::of(&[(path, text)]),
            packages: packages(),
        };
        let found = (check(start).run)(&workspace);
        assert!(!found.is_empty(), "{start} does not find {path}: {text}");
        assert!(
            found
                .iter()
                .all(|violation| violation.location.starts_with(path)),
            "{found:?}"
        );
    }
}

#[test]
fn second_plain_route_on_a_line_is_a_violation() {
    let route = "//! A.\nfn f(r: Router) { r.route(\"/home\", get(x)); }";
    let routes = "//! A.\nfn f(r: Router) { r.route(\"/home\", get(x)).route(\"/b\", get(y)); }";
    let table = (
        "tests/blackbox/tests/blackbox/authorisation.rs",
        "const A: &str = \"/home\";",
    );
    for (text, violations) in [(route, 0), (routes, 1)] {
        let workspace = Workspace {
            tree: Tree::of(&[("core/src/http/a.rs", text), table]),
            packages: packages(),
        };
        assert_eq!(
            (check("every plain route").run)(&workspace).len(),
            violations
        );
    }
}

#[test]
fn every_check_has_a_test_with_a_violation() {
    let separate = [
        "core and proto depend",
        "dependencies between",
        "both adapters",
        "at most 400 lines",
        "import cycles",
        "repeat no code",
        "same resources",
        "no two types",
    ];
    let tested: Vec<&str> = VIOLATIONS
        .iter()
        .map(|(start, ..)| *start)
        .chain(separate)
        .collect();
    for check in CHECKS {
        assert!(
            tested.iter().any(|start| check.name.contains(start)),
            "{}",
            check.name
        );
    }
}

#[test]
fn long_file_is_a_violation_but_long_tests_are_not() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(400));
    let tested = format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    let files = [
        ("core/src/a.rs", &*long),
        ("core/src/b.rs", &*tested),
        ("core/tests/c.rs", &*long),
    ];
    let workspace = Workspace {
        tree: Tree::of(&files),
        packages: packages(),
    };
    let found = (check("at most 400 lines").run)(&workspace);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].location, "core/src/a.rs");
}

#[test]
fn driver_or_runtime_in_core_is_a_violation() {
    for name in [
        "worker",
        "sqlx-core",
        "tokio",
        "tokio-postgres",
        "reqwest",
        "hyper-util",
    ] {
        let mut packages = packages();
        packages.core_tree.extend([name, " v1.0.0\n"]);
        let workspace = Workspace {
            tree: Tree::default(),
            packages,
        };
        assert_eq!(
            (check("core and proto depend").run)(&workspace).len(),
            1,
            "{name}"
        );
    }
    let workspace = Workspace {
        tree: Tree::default(),
        packages: Packages::default(),
    };
    assert_eq!(
        (check("core and proto depend").run)(&workspace).len(),
        1,
        "an empty tree is a violation"
    );
}

#[test]
fn dependency_in_the_wrong_direction_is_a_violation() {
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
        let workspace = Workspace {
            tree: Tree::default(),
            packages,
        };
        let found = (check("dependencies between").run)(&workspace);
        assert_eq!(found.len(), 1, "{package} → {dependency}");
    }
}

#[test]
fn file_of_one_adapter_only_is_a_violation() {
    let both = [
        ("local-server/src/clock.rs", "//! C."),
        ("worker/src/lib.rs", "//! L."),
    ];
    let workspace = Workspace {
        tree: Tree::of(&both),
        packages: packages(),
    };
    let found = (check("both adapters").run)(&workspace);
    assert_eq!(
        found,
        [Violation::new(
            "worker/src/clock.rs",
            "only the other adapter has it"
        )]
    );
    let workspace = Workspace {
        tree: Tree::of(&both[..1]),
        packages: packages(),
    };
    assert_eq!((check("both adapters").run)(&workspace), []);
}

#[test]
fn lexer_separates_code_comments_and_literals() {
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

fn workspace(files: &[(&str, &str)]) -> Workspace {
    Workspace {
        tree: Tree::of(files),
        packages: packages(),
    }
}

fn messages(start: &str, files: &[(&str, &str)]) -> Vec<String> {
    let violations = (check(start).run)(&workspace(files));
    violations.into_iter().map(|one| one.message).collect()
}

const MANIFEST: (&str, &str) = ("a/Cargo.toml", "");

#[test]
fn import_cycle_between_files_is_named() {
    let files = [
        MANIFEST,
        ("a/src/x.rs", "use crate::y::Y;\npub struct X;"),
        (
            "a/src/y.rs",
            "pub struct Y;\nfn f() -> crate::x::X { todo() }",
        ),
    ];
    let expected = "import cycle: x → y (Y); y → x (X)";
    assert_eq!(messages("import cycles", &files), [expected]);
}

#[test]
fn import_cycle_is_found_through_a_re_export() {
    let files = [
        MANIFEST,
        (
            "a/src/m/mod.rs",
            "mod x;\nmod y;\npub(crate) use x::X;\npub use self::y::*;",
        ),
        ("a/src/m/x.rs", "use super::Y;\npub struct X;"),
        (
            "a/src/m/y.rs",
            "use super::{self, X as Other};\npub struct Y;",
        ),
    ];
    let expected = "import cycle: m::x → m::y (Y); m::y → m::x (X)";
    assert_eq!(messages("import cycles", &files), [expected]);
}

#[test]
fn import_cycle_between_modules_is_named() {
    let files = [
        MANIFEST,
        ("a/src/m/x.rs", "use crate::n::Y;\npub struct X;"),
        ("a/src/m/z.rs", "pub struct Z;"),
        ("a/src/m/mod.rs", ""),
        ("a/src/n.rs", "use crate::m::z::Z;\npub struct Y;"),
    ];
    let expected = "import cycle: m → n (Y); n → m (Z)";
    assert_eq!(messages("import cycles", &files), [expected]);
}

#[test]
fn imports_that_form_no_cycle_are_accepted() {
    let files = [
        MANIFEST,
        ("a/src/lib.rs", "mod m;\npub use m::x::X;\npub struct L;"),
        (
            "a/src/m.rs",
            "pub mod x;\nuse x::X;\npub struct M;\npub mod inner { use super::M; }",
        ),
        (
            "a/src/m/x.rs",
            "use super::M;\nuse crate::L;\npub struct X;\n#[cfg(test)]\nmod tests {\nuse crate::m::y::Y;\n}",
        ),
        ("a/src/m/y.rs", "use super::x::X;\npub struct Y;"),
        ("a/src/m/tests.rs", "use super::y::Y;"),
    ];
    assert_eq!(messages("import cycles", &files), [""; 0]);
}

#[test]
fn second_type_of_a_name_in_a_crate_is_a_violation() {
    let files = [
        (
            "a/src/x.rs",
            "pub struct Page;\nstruct Pages;\nimpl T for Page { type Error = (); }",
        ),
        ("a/src/y.rs", "pub(crate) enum Page {}"),
        ("a/src/tests.rs", "struct Page;"),
        ("b/src/x.rs", "type Page = ();"),
    ];
    let expected = "the type `Page` is also defined at a/src/x.rs:1";
    assert_eq!(messages("no two types", &files), [expected]);
}

#[test]
fn resource_that_a_layer_lacks_is_a_violation() {
    let complete = [
        "accounts",
        "conversations",
        "members",
        "messages",
        "sessions",
        "sockets",
    ];
    let paths: Vec<String> = complete
        .iter()
        .map(|name| format!("core/sql/postgres/{name}/read.sql"))
        .chain(["core/sql/postgres/instance/ping.sql".to_owned()])
        .collect();
    let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
    assert_eq!(messages("same resources", &files), [""; 0]);
    files[2].0 = "core/sql/postgres/changes/join.sql";
    let violations = (check("same resources").run)(&workspace(&files));
    let locations: Vec<_> = violations.iter().map(|one| &*one.location).collect();
    assert_eq!(
        locations,
        ["core/sql/postgres/members", "core/sql/postgres/changes"]
    );
}

#[test]
fn run_of_equal_lines_is_reported_once() {
    let equal = |count: usize| {
        let lines: Vec<String> = (0..count)
            .map(|line| format!("  line_{line}();\n\n"))
            .collect();
        lines.concat()
    };
    let long = format!("fn a() {{\n{}}}", equal(25));
    let indented = format!("// why\nfn b() {{\n    // how\n{}}}", equal(25));
    let short = equal(20);
    for (other, count) in [(&indented, 1), (&short, 0)] {
        let files = [
            ("local-server/src/a.rs", &*long),
            ("worker/src/b.rs", other),
        ];
        let found = messages("repeat no code", &files);
        assert_eq!(found.len(), count, "{found:?}");
    }
}

#[test]
fn every_exception_of_the_vocabulary_is_used() {
    let workspace = Workspace {
        tree: Tree::read(&colloquy_harness::root()).unwrap(),
        packages: Packages::default(),
    };
    assert_eq!(words::unused_exceptions(&workspace), [""; 0]);
}
