//! HTTP by hand, for requests that no client library would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::PATIENCE;
use crate::server::Server;

/// What came back, taken apart no further than a test needs.
#[derive(Debug)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The rest.
    pub body: String,
}

impl RawAnswer {
    /// Whether the server itself gave it: every response of its own carries the request's id.
    pub fn is_signed(&self) -> bool {
        let head = self.head.to_lowercase();
        head.contains("\r\nx-request-id:")
    }
}

/// Sends these bytes on a connection of their own and reads one answer. `None` when the server hung
/// up, or stayed silent, without one.
pub async fn raw(server: &Server, request: &[u8]) -> Option<RawAnswer> {
    assert!(
        !server.is_secure(),
        "requests by hand are sent in the clear"
    );
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    // A server may answer and hang up before it has read everything: then writing fails and the
    // answer is still there to be read.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let reading = async {
        while !is_whole(&bytes) {
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(RawAnswer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Whether the answer is there up to the length it names, or up to its last chunk (RFC 9112 §7.1).
/// One that names neither ends with the connection.
fn is_whole(bytes: &[u8]) -> bool {
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
