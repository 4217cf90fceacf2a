//! What is served as it lies there.

use colloquy_blackbox::{Server, send_raw};

#[tokio::test]
async fn crawlers_are_asked_to_stay_away() {
    let request = b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = send_raw(&Server::under_test(), request)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
    let text = answer.body;
    assert!(text.contains("User-agent: *\nDisallow: /\n"), "{text}");
}
