//! The server's configuration, as clients read it before anyone logs in.

use colloquy_blackbox::{Api, Group, Server};
use reqwest::Method;

const PATH: &str = "/api/config/";

#[tokio::test]
async fn configuration_names_limits_and_registration() {
    let server = Server::under_test();
    let response = Api::anonymous(&server).get(PATH).await;
    assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
    let config = response.expect_status(200);
    assert_eq!(config["registration"], "open", "{config}");
    let version = config["version"].as_str().expect("a version");
    assert_eq!(version.split('.').count(), 3, "{version}");
    let features = config["features"].as_array().expect("features");
    assert!(features.iter().any(|name| name == "resume"), "{config}");

    let (account, _, id) = Group::pair(&server).await;
    let socket = account.socket(id).v2().open().await;
    let limits = socket.hello()["limits"].as_object().expect("limits");
    for (name, value) in limits {
        assert_eq!(config["limits"][name], *value, "{name}");
    }
}

#[tokio::test]
async fn configuration_a_client_has_is_not_sent_again() {
    let api = Api::anonymous(&Server::under_test());
    let response = api.get(PATH).await;
    let etag = response.header("etag").expect("an entity tag").to_owned();
    let request = api.request(Method::GET, PATH);
    let response = request.header("if-none-match", &etag).send().await;
    assert_eq!((response.status, &*response.text), (304, ""), "{response}");
}
