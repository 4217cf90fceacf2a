//! Registering: what is taken, what is refused, and why.

use colloquy_blackbox::{Account, Api, Server, unique};
use serde_json::{Value, json};

const REGISTER: &str = "/api/users/register/";

fn anonymous() -> Api {
    Api::anonymous(&Server::under_test())
}

/// A registration with some fields changed; a field set to null is left out.
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
async fn a_registration_answers_the_user_and_never_the_password() {
    let fields = Account::registration();
    let answer = anonymous().post(REGISTER, &fields).await;
    assert!(!answer.text.contains("password"), "{answer}");
    assert!(
        !answer.text.contains(fields["password"].as_str().unwrap()),
        "{answer}"
    );
    let user = answer.expect_status(201);
    for name in ["username", "email", "first_name", "last_name"] {
        assert_eq!(user[name], fields[name], "{name}");
    }
    assert!(user["id"].as_u64().is_some_and(|id| id > 0), "{user}");
}

#[tokio::test]
async fn names_are_optional_and_come_back_empty() {
    let fields = fields_with(json!({"first_name": null, "last_name": null}));
    let user = anonymous().post(REGISTER, &fields).await.expect_status(201);
    assert_eq!(
        (&user["first_name"], &user["last_name"]),
        (&json!(""), &json!(""))
    );
}

#[tokio::test]
async fn a_username_is_taken_whatever_its_case() {
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
async fn an_address_is_taken_whatever_its_case() {
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
async fn both_are_named_when_both_are_taken() {
    let api = anonymous();
    let fields = Account::registration();
    api.post(REGISTER, &fields).await.expect_status(201);
    let answer = api.post(REGISTER, &fields).await;
    answer.expect_invalid("username");
    answer.expect_invalid("email");
}

#[tokio::test]
async fn of_two_registrations_at_once_one_gets_the_name() {
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
async fn malformed_addresses_are_refused() {
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
        let answer = api.post(REGISTER, &fields).await;
        assert!(!answer.expect_invalid("email").is_empty(), "{email}");
    }
}

#[tokio::test]
async fn each_kind_of_weak_password_is_refused() {
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
        let answer = api.post(REGISTER, &fields).await;
        assert!(!answer.expect_invalid("password").is_empty(), "{password}");
    }
}

#[tokio::test]
async fn passwords_of_the_shortest_and_longest_kind_work() {
    let api = anonymous();
    let longest = format!("Kx{}", "ß".repeat(127));
    assert_eq!(longest.len(), 256);
    for password in ["x7!Qm-2z", longest.as_str(), "  spaces stay  "] {
        let fields = fields_with(json!({"password": password}));
        let answer = api.post(REGISTER, &fields).await;
        assert_eq!(answer.status, 201, "{password}: {answer}");
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
async fn what_is_missing_or_blank_is_named() {
    let api = anonymous();
    for name in ["username", "email", "password"] {
        for value in [Value::Null, json!(""), json!("   ")] {
            let fields = fields_with(json!({name: value}));
            let answer = api.post(REGISTER, &fields).await;
            assert!(!answer.expect_invalid(name).is_empty(), "{name} {value}");
        }
    }
    let answer = api.post(REGISTER, &json!({})).await;
    for name in ["username", "email", "password"] {
        answer.expect_invalid(name);
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_malformed() {
    let api = anonymous();
    for name in ["username", "email", "password", "first_name"] {
        for value in [json!(1), json!(["x"]), json!({"a": "b"}), json!(true)] {
            let fields = fields_with(json!({name: value}));
            let answer = api.post(REGISTER, &fields).await;
            answer.expect_error(400, "malformed");
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(name), "not said where: {answer}");
        }
    }
}

#[tokio::test]
async fn what_is_no_object_is_malformed() {
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
        let answer = request.raw_body("application/json", body).send().await;
        answer.expect_error(400, "malformed");
    }
}

#[tokio::test]
async fn unknown_fields_change_nothing() {
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
async fn usernames_keep_to_their_alphabet_and_length() {
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
        let answer = api.post(REGISTER, &fields).await;
        assert!(
            !answer.expect_invalid("username").is_empty(),
            "{username:?}"
        );
    }
}

#[tokio::test]
async fn names_of_people_may_be_any_text() {
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
async fn null_characters_and_endless_names_are_refused() {
    let api = anonymous();
    for name in ["first_name", "last_name", "email"] {
        for value in ["a\0b".to_owned(), "x".repeat(10_000)] {
            let fields = fields_with(json!({name: value}));
            api.post(REGISTER, &fields).await.expect_invalid(name);
        }
    }
}

#[tokio::test]
async fn the_profile_is_the_user_registered() {
    let account = Account::new(&Server::under_test()).await;
    let user = account.profile().await.expect_status(200);
    assert_eq!(user["id"], account.id);
    assert_eq!(user["username"], account.username);
    assert_eq!(user["email"], account.email);
    assert_eq!(user["first_name"], "Ada");
}

#[tokio::test]
async fn the_profile_needs_a_token() {
    let answer = anonymous().get("/api/users/profile/").await;
    answer.expect_error(401, "not_authenticated");
}

#[tokio::test]
async fn every_path_is_answered_without_its_last_slash() {
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
