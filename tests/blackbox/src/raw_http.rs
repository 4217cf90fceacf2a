//! HTTP/1.1 over a plain TCP connection, for requests that no client library sends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::TIMEOUT;
use crate::server::Server;

/// A response, parsed no further than a test needs.
#[derive(Debug)]
pub struct RawResponse {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// Everything after the headers.
    pub body: String,
}

impl RawResponse {
    /// Whether the server itself sent it: all its responses carry a request id.
    pub fn has_request_id(&self) -> bool {
        let head = self.head.to_lowercase();
        head.contains("\r\nx-request-id:")
    }
}

/// Sends these bytes on a new connection and reads one response. `None` when the server closes the
/// connection or stays silent instead.
pub async fn send_raw(server: &Server, request: &[u8]) -> Option<RawResponse> {
    assert!(!server.is_secure(), "raw requests need plain TCP");
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    // A server may respond and close before it has read everything: then the write fails, and the
    // response can still be read.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let reading = async {
        while !is_complete(&bytes) {
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(TIMEOUT, reading).await;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(RawResponse {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Whether the response is complete: as long as its `Content-Length`, or up to its last chunk
/// (RFC 9112 §7.1). A response with neither ends with the connection.
fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("\r\ntransfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}
