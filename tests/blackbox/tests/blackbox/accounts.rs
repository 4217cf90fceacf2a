//! Registration and the profile.

use colloquy_blackbox::{Account, Api, Server, unique};
use serde_json::{Value, json};

const REGISTER: &str = "/api/users/register/";

fn anonymous() -> Api {
    Api::anonymous(&Server::under_test())
}

/// A registration with some fields changed; null removes a field.
fn fields_with(changes: Value) -> Value {
    let mut fields = Account::registration();
    let Value::Object(changes) = changes else {
        panic!("changes are an object");
    };
    for (name, value) in changes {
        if value.is_null() {
            fields.as_object_mut().expect("fields").remove(&name);
        } else {
            fields[name] = value;
        }
    }
    fields
}

#[tokio::test]
async fn registration_returns_the_user_without_the_password() {
    let fields = Account::registration();
    let response = anonymous().post(REGISTER, &fields).await;
    assert!(!response.text.contains("password"), "{response}");
    assert!(
        !response.text.contains(fields["password"].as_str().unwrap()),
        "{response}"
    );
    let user = response.expect_status(201);
    for name in ["username", "email", "first_name", "last_name"] {
        assert_eq!(user[name], fields[name], "{name}");
    }
    assert!(user["id"].as_u64().is_some_and(|id| id > 0), "{user}");
}

#[tokio::test]
async fn omitted_names_are_empty() {
    let fields = fields_with(json!({"first_name": null, "last_name": null}));
    let user = anonymous().post(REGISTER, &fields).await.expect_status(201);
    assert_eq!(
        (&user["first_name"], &user["last_name"]),
        (&json!(""), &json!(""))
    );
}

#[tokio::test]
async fn usernames_are_unique_ignoring_case() {
    let api = anonymous();
    let taken = unique("Mixed").to_lowercase();
    let first = fields_with(json!({"username": taken}));
    api.post(REGISTER, &first).await.expect_status(201);
    for username in [taken.clone(), taken.to_uppercase()] {
        let again = fields_with(json!({"username": username}));
        api.post(REGISTER, &again).await.expect_invalid("username");
    }
}

#[tokio::test]
async fn email_addresses_are_unique_ignoring_case() {
    let api = anonymous();
    let taken = format!("{}@mail.example", unique("mixed"));
    let first = fields_with(json!({"email": taken}));
    api.post(REGISTER, &first).await.expect_status(201);
    for email in [taken.clone(), taken.to_uppercase()] {
        let again = fields_with(json!({"email": email}));
        api.post(REGISTER, &again).await.expect_invalid("email");
    }
}

#[tokio::test]
async fn names_in_equivalent_forms_are_one_name() {
    let api = anonymous();
    let suffix = unique("x").to_lowercase();
    for (first, same) in [
        ("straße", "STRASSE"),
        ("\u{1112}\u{1161}\u{11ab}", "한"),
        ("josé", "JOSE\u{301}"),
        ("ｗｉｄｅ", "Wide"),
    ] {
        let username = format!("{first}{suffix}");
        let fields = fields_with(json!({"username": username}));
        let user = api.post(REGISTER, &fields).await.expect_status(201);
        assert_eq!(user["username"], username, "displayed as typed");
        let same = format!("{same}{suffix}");
        let again = fields_with(json!({"username": same}));
        api.post(REGISTER, &again).await.expect_invalid("username");
        let login = json!({"username": same, "password": fields["password"]});
        let body = api
            .post("/api/users/login/", &login)
            .await
            .expect_status(200);
        assert_eq!(body["user"], user);
    }
    for (first, same) in [
        ("a@bücher", "A@BÜCHER"),
        ("b@bücher", "b@xn--bcher-kva"),
        ("jörg@mail", "jo\u{308}rg@mail"),
    ] {
        let fields = fields_with(json!({"email": format!("{first}.{suffix}.example")}));
        api.post(REGISTER, &fields).await.expect_status(201);
        let again = fields_with(json!({"email": format!("{same}.{suffix}.example")}));
        api.post(REGISTER, &again).await.expect_invalid("email");
    }
}

#[tokio::test]
async fn names_that_show_nothing_are_rejected() {
    let api = anonymous();
    for invisible in ["\u{3164}", "\u{115f}", "\u{ffa0}", "\u{200b}", "\u{2060}"] {
        for username in [
            invisible.to_owned(),
            format!("{}{invisible}", unique("user")),
        ] {
            let fields = fields_with(json!({"username": username}));
            api.post(REGISTER, &fields).await.expect_invalid("username");
        }
        for name in ["first_name", "last_name"] {
            let fields = fields_with(json!({name: format!("{invisible}\u{ad}")}));
            api.post(REGISTER, &fields).await.expect_invalid(name);
        }
    }
    // A username whose key would not fit into an index.
    let fields = fields_with(json!({"username": "\u{fdfa}".repeat(150)}));
    api.post(REGISTER, &fields).await.expect_invalid("username");
}

#[tokio::test]
async fn password_matches_in_any_composition() {
    let api = anonymous();
    for [registered, typed] in [
        ["Gru\u{308}ne Violen 42", "Grüne Violen 42"],
        ["Blåe Violen 42", "Bla\u{30a}e\u{a0}Violen 42"],
    ] {
        let fields = fields_with(json!({"password": registered}));
        api.post(REGISTER, &fields).await.expect_status(201);
        for password in [registered, typed] {
            let login = json!({"username": fields["username"], "password": password});
            api.post("/api/users/login/", &login)
                .await
                .expect_status(200);
        }
        let login = json!({"username": fields["username"], "password": registered.to_lowercase()});
        let wrong = api.post("/api/users/login/", &login).await;
        wrong.expect_error(401, "bad_credentials");
    }
}

#[tokio::test]
async fn error_names_username_and_email_when_both_are_taken() {
    let api = anonymous();
    let fields = Account::registration();
    api.post(REGISTER, &fields).await.expect_status(201);
    let response = api.post(REGISTER, &fields).await;
    response.expect_invalid("username");
    response.expect_invalid("email");
}

#[tokio::test]
async fn one_of_two_concurrent_registrations_gets_the_username() {
    let api = anonymous();
    for _ in 0..5 {
        let username = unique("Race");
        let (one, other) = (
            fields_with(json!({"username": username.to_lowercase()})),
            fields_with(json!({"username": username.to_uppercase()})),
        );
        let (one, other) = tokio::join!(api.post(REGISTER, &one), api.post(REGISTER, &other));
        let (winner, loser) = if one.status == 201 {
            (one, other)
        } else {
            (other, one)
        };
        winner.expect_status(201);
        loser.expect_invalid("username");
    }
}

#[tokio::test]
async fn malformed_email_addresses_are_rejected() {
    let api = anonymous();
    for email in [
        "plain",
        "@no-local.example",
        "no-domain@",
        "two@@signs.example",
        "a b@mail.example",
        "a@mail example",
        "a@mail.example\nBcc: b@mail.example",
        "a@",
        "@",
    ] {
        let fields = fields_with(json!({"email": email}));
        let response = api.post(REGISTER, &fields).await;
        assert!(!response.expect_invalid("email").is_empty(), "{email}");
    }
}

#[tokio::test]
async fn weak_passwords_are_rejected() {
    let api = anonymous();
    let username = unique("bartholomew");
    let mine = json!({
        "username": username,
        "email": format!("{}@mail.example", unique("theodora")),
        "first_name": "Maximilienne",
        "last_name": "Robespierre-Dubois",
    });
    let too_long = format!("Aq9{}", "é".repeat(127));
    assert_eq!(too_long.len(), 257);
    for password in [
        "s3Kr-t!",
        "71840263951847",
        "password",
        "Password123",
        "qwertyuiop",
        username.as_str(),
        "Maximilienne",
        "robespierre-dubois",
        mine["email"].as_str().unwrap(),
        too_long.as_str(),
    ] {
        let mut fields = fields_with(mine.clone());
        fields["password"] = json!(password);
        let response = api.post(REGISTER, &fields).await;
        assert!(
            !response.expect_invalid("password").is_empty(),
            "{password}"
        );
    }
}

#[tokio::test]
async fn shortest_and_longest_passwords_work() {
    let api = anonymous();
    let longest = format!("Kx{}", "ß".repeat(127));
    assert_eq!(longest.len(), 256);
    for password in ["x7!Qm-2z", longest.as_str(), "  spaces stay  "] {
        let fields = fields_with(json!({"password": password}));
        let response = api.post(REGISTER, &fields).await;
        assert_eq!(response.status, 201, "{password}: {response}");
        let login = json!({"username": fields["username"], "password": password});
        api.post("/api/users/login/", &login)
            .await
            .expect_status(200);
        let login = json!({"username": fields["username"], "password": format!("{password} ")});
        api.post("/api/users/login/", &login)
            .await
            .expect_error(401, "bad_credentials");
    }
}

#[tokio::test]
async fn missing_and_blank_fields_are_named() {
    let api = anonymous();
    for name in ["username", "email", "password"] {
        for value in [Value::Null, json!(""), json!("   ")] {
            let fields = fields_with(json!({name: value}));
            let response = api.post(REGISTER, &fields).await;
            assert!(!response.expect_invalid(name).is_empty(), "{name} {value}");
        }
    }
    let response = api.post(REGISTER, &json!({})).await;
    for name in ["username", "email", "password"] {
        response.expect_invalid(name);
    }
}

#[tokio::test]
async fn fields_of_the_wrong_type_are_malformed() {
    let api = anonymous();
    for name in ["username", "email", "password", "first_name"] {
        for value in [json!(1), json!(["x"]), json!({"a": "b"}), json!(true)] {
            let fields = fields_with(json!({name: value}));
            let response = api.post(REGISTER, &fields).await;
            response.expect_error(400, "malformed");
            let detail = response.body["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(name), "the field is not named: {response}");
        }
    }
}

#[tokio::test]
async fn bodies_that_are_not_objects_are_malformed() {
    let api = anonymous();
    for body in [
        "",
        "{",
        "null",
        "7",
        "\"x\"",
        "[]",
        "{\"username\":}",
        "{} {}",
        "\u{feff}{}",
    ] {
        let request = api.request(reqwest::Method::POST, REGISTER);
        let response = request.raw_body("application/json", body).send().await;
        response.expect_error(400, "malformed");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored_in_registrations() {
    let fields = fields_with(json!({
        "id": 1, "is_admin": true, "is_active": false, "password_hash": "x", "nested": {"a": [1]},
    }));
    let api = anonymous();
    let user = api.post(REGISTER, &fields).await.expect_status(201);
    assert_ne!(user["id"], 1);
    let login = json!({"username": fields["username"], "password": fields["password"]});
    api.post("/api/users/login/", &login)
        .await
        .expect_status(200);
}

#[tokio::test]
async fn usernames_are_limited_in_alphabet_and_length() {
    let api = anonymous();
    let base = unique("u");
    let longest = format!("{base}{}", "x".repeat(150 - base.len()));
    for username in [format!("{base}@a.b+c_d-e"), longest.clone()] {
        let fields = fields_with(json!({"username": username}));
        let user = api.post(REGISTER, &fields).await.expect_status(201);
        assert_eq!(user["username"], username);
    }
    for username in [
        format!("{longest}x"),
        format!("{base} b"),
        format!("{base}/b"),
        format!("{base}\0"),
        format!("{base}\nb"),
        format!("{base}<b>"),
        format!("{base}😀"),
        "x".repeat(10_000),
    ] {
        let fields = fields_with(json!({"username": username}));
        let response = api.post(REGISTER, &fields).await;
        assert!(
            !response.expect_invalid("username").is_empty(),
            "{username:?}"
        );
    }
}

#[tokio::test]
async fn first_and_last_names_may_be_any_text() {
    let api = anonymous();
    for name in [
        "Zoë",
        "李小龍",
        "عائشة",
        "👩‍👩‍👧‍👦",
        "O'Brien; drop table users",
        "e\u{301}",
    ] {
        let fields = fields_with(json!({"first_name": name, "last_name": name}));
        let user = api.post(REGISTER, &fields).await.expect_status(201);
        assert_eq!(
            (&user["first_name"], &user["last_name"]),
            (&json!(name), &json!(name))
        );
    }
}

#[tokio::test]
async fn null_characters_and_overlong_names_are_rejected() {
    let api = anonymous();
    for name in ["first_name", "last_name", "email"] {
        for value in ["a\0b".to_owned(), "x".repeat(10_000)] {
            let fields = fields_with(json!({name: value}));
            api.post(REGISTER, &fields).await.expect_invalid(name);
        }
    }
}

#[tokio::test]
async fn profile_is_the_registered_user() {
    let account = Account::new(&Server::under_test()).await;
    let user = account.profile().await.expect_status(200);
    assert_eq!(user["id"], account.id);
    assert_eq!(user["username"], account.username);
    assert_eq!(user["email"], account.email);
    assert_eq!(user["first_name"], "Ada");
}

#[tokio::test]
async fn profile_requires_a_token() {
    let response = anonymous().get("/api/users/profile/").await;
    response.expect_error(401, "not_authenticated");
}

#[tokio::test]
async fn paths_work_without_the_final_slash() {
    let account = Account::new(&Server::under_test()).await;
    let api = anonymous();
    let fields = Account::registration();
    api.post("/api/users/register", &fields)
        .await
        .expect_status(201);
    let login = json!({"username": fields["username"], "password": fields["password"]});
    let body = api
        .post("/api/users/login", &login)
        .await
        .expect_status(200);
    let refresh = json!({"refresh": body["refresh"]});
    api.post("/api/users/token/refresh", &refresh)
        .await
        .expect_status(200);
    let profile = account
        .api
        .get("/api/users/profile")
        .await
        .expect_status(200);
    assert_eq!(profile["id"], account.id);
    let refresh = json!({"refresh": account.tokens.refresh});
    account
        .api
        .post("/api/users/logout", &refresh)
        .await
        .expect_status(205);
}
