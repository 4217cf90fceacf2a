//! The documented Upstash REST protocol, and the requests that the proxy rejects.

use serde_json::json;

use crate::support::{Proxy, Redis, TOKEN, answer};

fn start() -> (Redis, Proxy) {
    let redis = Redis::start();
    let proxy = Proxy::start(&redis);
    (redis, proxy)
}

#[tokio::test]
async fn single_command_returns_its_result() {
    let (_redis, proxy) = start();
    assert_eq!(
        proxy.call("/", r#"["SET","k","v"]"#).await,
        (200, json!({"result": "OK"}))
    );
    assert_eq!(
        proxy.call("/", r#"["GET","k"]"#).await,
        (200, json!({"result": "v"}))
    );
    assert_eq!(
        proxy.call("/", r#"["GET","none"]"#).await,
        (200, json!({"result": null}))
    );
    assert_eq!(
        proxy.call("/", r#"["INCRBY","n",5]"#).await,
        (200, json!({"result": 5}))
    );
    assert_eq!(
        proxy.call("/", r#"["PING"]"#).await,
        (200, json!({"result": "PONG"}))
    );
    let nested = r#"["EVAL","return {1,{'a',false,{}},redis.call('SET','k','w')}",0]"#;
    assert_eq!(
        proxy.call("/", nested).await,
        (200, json!({"result": [1, ["a", null, []], "OK"]}))
    );
}

#[tokio::test]
async fn failed_single_command_returns_400_with_the_error_of_redis() {
    let (_redis, proxy) = start();
    proxy.call("/", r#"["SET","k","v"]"#).await;
    let (status, body) = proxy.call("/", r#"["LPUSH","k","v"]"#).await;
    let text = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!((status, body), (400, json!({"error": text})));
    let (status, body) = proxy.call("/", r#"["GET"]"#).await;
    let text = "ERR wrong number of arguments for 'get' command";
    assert_eq!((status, body), (400, json!({"error": text})));
    let (status, body) = proxy.call("/", r#"["EVALSHA","00",0]"#).await;
    assert_eq!(status, 400);
    assert!(
        body["error"]
            .as_str()
            .expect("text")
            .starts_with("NOSCRIPT "),
        "{body}"
    );
}

#[tokio::test]
async fn pipeline_returns_each_outcome_in_order() {
    let (_redis, proxy) = start();
    let body =
        r#"[["SET","k","v"],["INCR","k"],["SUBSCRIBE","c"],[],["SETEX","t",13,true],["GET","t"]]"#;
    let (status, body) = proxy.call("/pipeline", body).await;
    let expected = json!([
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"error": "ERR SUBSCRIBE is not served over HTTP: it changes the connection, which all callers share"},
        {"error": "ERR empty command"},
        {"result": "OK"},
        {"result": "true"},
    ]);
    assert_eq!((status, body), (200, expected));
}

#[tokio::test]
async fn transaction_is_atomic_and_returns_each_outcome() {
    let (_redis, proxy) = start();
    let body = r#"[["SET","k","v"],["INCR","k"],["GET","k"]]"#;
    let (status, body) = proxy.call("/multi-exec", body).await;
    let expected = json!([
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"result": "v"},
    ]);
    assert_eq!((status, body), (200, expected));
}

#[tokio::test]
async fn transaction_with_an_invalid_command_runs_nothing() {
    let (_redis, proxy) = start();
    let (status, body) = proxy
        .call("/multi-exec", r#"[["SET","k","v"],["GET"]]"#)
        .await;
    let text = "EXECABORT Transaction discarded because of: ERR wrong number of arguments for 'get' command";
    assert_eq!((status, body), (400, json!({"error": text})));
    let (status, body) = proxy
        .call("/multi-exec", r#"[["SET","k","v"],["BLPOP","l",0]]"#)
        .await;
    assert_eq!(status, 400);
    assert!(
        body["error"]
            .as_str()
            .expect("text")
            .starts_with("EXECABORT "),
        "{body}"
    );
    assert_eq!(
        proxy.call("/", r#"["GET","k"]"#).await,
        (200, json!({"result": null}))
    );
}

/// INVARIANT: on the shared connection no command of one caller runs inside another's transaction.
#[tokio::test]
async fn transactions_do_not_interleave() {
    let (_redis, proxy) = start();
    let body = r#"[["INCR","n"],["INCR","n"],["INCR","n"]]"#;
    let calls: Vec<_> = (0..100)
        .map(|index| {
            tokio::spawn(answer(proxy.post(
                if index % 2 == 0 { "/multi-exec" } else { "/" },
                if index % 2 == 0 {
                    body
                } else {
                    r#"["INCR","n"]"#
                },
            )))
        })
        .collect();
    for call in calls {
        let (status, body) = call.await.expect("no panic");
        assert_eq!(status, 200);
        let Some(entries) = body.as_array() else {
            continue;
        };
        let counts: Vec<_> = entries
            .iter()
            .map(|entry| entry["result"].as_i64().expect("a count"))
            .collect();
        assert!(
            counts.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{counts:?}"
        );
    }
    assert_eq!(
        proxy.call("/", r#"["GET","n"]"#).await,
        (200, json!({"result": "200"}))
    );
}

#[tokio::test]
async fn base64_encodes_every_string_except_a_whole_ok() {
    let (_redis, proxy) = start();
    let call = |path, body: &'static str| {
        answer(proxy.post(path, body).header("Upstash-Encoding", "base64"))
    };
    assert_eq!(
        call("/", r#"["SET","k","bar"]"#).await,
        (200, json!({"result": "OK"}))
    );
    assert_eq!(
        call("/", r#"["GET","k"]"#).await,
        (200, json!({"result": "YmFy"}))
    );
    call("/", r#"["SETBIT","bits",0,1]"#).await;
    assert_eq!(
        call("/", r#"["GET","bits"]"#).await,
        (200, json!({"result": "gA=="}))
    );
    assert_eq!(
        proxy.call("/", r#"["GET","bits"]"#).await,
        (200, json!({"result": "\u{fffd}"}))
    );
    let (_, body) = call("/pipeline", r#"[["MGET","k","none"],["GET"]]"#).await;
    assert_eq!(
        body,
        json!([{"result": ["YmFy", null]}, {"error": "ERR wrong number of arguments for 'get' command"}])
    );
}

#[tokio::test]
async fn request_without_the_token_is_unauthorized() {
    let (_redis, proxy) = start();
    let requests = [
        proxy.get("/"),
        proxy.get("/none").bearer_auth("wrong"),
        proxy.get("/").bearer_auth(format!("{TOKEN}x")),
        proxy.get("/").basic_auth("user", Some(TOKEN)),
    ];
    for request in requests {
        let (status, body) = answer(request).await;
        assert_eq!(status, 401);
        assert!(
            body["error"]
                .as_str()
                .expect("text")
                .starts_with("Unauthorized"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn malformed_requests_have_distinct_errors() {
    let (_redis, proxy) = start();
    let cases = [
        ("/", "", 400, "ERR failed to parse command"),
        ("/", r#"{"a":1}"#, 400, "ERR failed to parse command"),
        ("/", "[]", 400, "ERR empty command"),
        ("/", r#"["GET",null]"#, 400, "ERR failed to parse command"),
        ("/pipeline", "[]", 400, "ERR empty pipeline request"),
        (
            "/pipeline",
            r#"["GET","k"]"#,
            400,
            "ERR failed to parse pipeline request",
        ),
        ("/multi-exec", "[]", 400, "ERR empty multi-exec request"),
        (
            "/multi-exec",
            "[[",
            400,
            "ERR failed to parse multi-exec request",
        ),
        (
            "/set/key/value",
            "",
            404,
            "ERR not found: commands in the path are not served",
        ),
    ];
    for (path, body, status, text) in cases {
        let (actual, response) = proxy.call(path, body).await;
        assert_eq!(actual, status, "{path} {body}");
        assert!(
            response["error"].as_str().expect("text").starts_with(text),
            "{path} {body}: {response}"
        );
    }
    let (status, _) = answer(proxy.get("/pipeline").bearer_auth(TOKEN)).await;
    assert_eq!(status, 405);
    let (status, _) = answer(proxy.get("/get/key").bearer_auth(TOKEN)).await;
    assert_eq!(status, 404);
    for header in ["Upstash-Response-Format", "Upstash-Encoding"] {
        let (status, _) = answer(proxy.post("/", r#"["PING"]"#).header(header, "resp2")).await;
        assert_eq!(status, 400);
    }
}

#[tokio::test]
async fn body_over_the_limit_is_rejected() {
    let (_redis, proxy) = start();
    let body = |length| format!(r#"["SET","k","{}"]"#, "x".repeat(length));
    let (status, answer) = proxy.call("/", body(10 * 1024 * 1024)).await;
    assert_eq!(status, 413, "{answer}");
    assert_eq!(proxy.call("/", body(9 * 1024 * 1024)).await.0, 200);
    let (_, answer) = proxy.call("/", r#"["STRLEN","k"]"#).await;
    assert_eq!(answer, json!({"result": 9 * 1024 * 1024}));
}

#[tokio::test]
async fn health_pings_redis_without_a_token() {
    let (_redis, proxy) = start();
    assert_eq!(
        answer(proxy.get("/health")).await,
        (200, json!({"status": "ok"}))
    );
}
