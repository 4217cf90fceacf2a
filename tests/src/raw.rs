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

/// Sends these bytes on a connection of their own and reads to its end, or as far as an answer
/// comes within the time a test has. `None` when the server hung up without an answer. A request
/// should say `Connection: close`, so that the end comes at once.
pub async fn raw(server: &Server, request: &[u8]) -> Option<RawAnswer> {
    let mut stream = TcpStream::connect(server.authority())
        .await
        .expect("a connection");
    // A server may answer and hang up before it has read everything: then writing fails and the
    // answer is still there to be read.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
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
