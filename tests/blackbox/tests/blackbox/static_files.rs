//! Static files.

use colloquy_blackbox::{Server, send_raw};

#[tokio::test]
async fn robots_txt_disallows_crawlers() {
    let request = b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let response = send_raw(&Server::under_test(), request)
        .await
        .expect("a response");
    assert_eq!(response.status, 200);
    let text = response.body;
    assert!(text.contains("User-agent: *\nDisallow: /\n"), "{text}");
}
