//! One WebSocket: open, write, read, close. It neither reconnects nor interprets frames.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use crate::close::Close;
use crate::error::Error;

/// The heartbeat, byte for byte as the server expects it.
pub const PING: &str = r#"{"type":"ping"}"#;

/// How long the close code is waited for after a write failed.
const LAST_FRAMES: Duration = Duration::from_secs(1);

/// The protocol version a socket asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Messages alone, without ids.
    V1,
    /// Typed frames, acknowledgements and resume.
    V2,
}

/// What a socket received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text frame.
    Text(String),
    /// The end. The socket is of no further use.
    Closed(Close),
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    write_timeout: Duration,
}

impl Socket {
    /// Opens a socket to a conversation. The server reports a refusal by accepting the socket and
    /// closing it, so the caller receives it from [`Socket::next`].
    pub async fn open(
        base_url: &str,
        conversation_id: u64,
        access: &str,
        version: Version,
        limit: Duration,
    ) -> Result<Self, Error> {
        // `ws` for `http`, `wss` for `https` (RFC 6455 §3).
        let authority = base_url.trim_start_matches("http");
        let url = format!("ws{authority}/ws/chat/{conversation_id}/");
        let failed = |error: WebSocketError| Error::NoResponse(Box::new(error));
        let mut request = url.into_client_request().map_err(failed)?;
        let headers = request.headers_mut();
        let bearer = HeaderValue::try_from(format!("Bearer {access}"));
        let bearer = bearer.map_err(|error| Error::NoResponse(Box::new(error)))?;
        headers.insert("authorization", bearer);
        if version == Version::V2 {
            let protocol = HeaderValue::from_static("chat.v2");
            headers.insert("sec-websocket-protocol", protocol);
        }
        let opening = connect_async_tls_with_config(request, None, true, None);
        let opened = timeout(limit, opening).await.map_err(|_| Error::Deadline)?;
        let (stream, _) = opened.map_err(failed)?;
        Ok(Self {
            stream,
            write_timeout: limit,
        })
    }

    /// Writes a text frame. On failure it still reads what the server sent before it closed, most
    /// of all the close code.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), Close> {
        let writing = self.stream.send(Message::text(text.into()));
        match timeout(self.write_timeout, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.remaining_close().await),
            Err(_) => Err(Close::abnormal("write timed out")),
        }
    }

    /// The next text frame or the end. Cancel-safe: dropping the future loses no frame.
    pub async fn next(&mut self) -> Received {
        loop {
            let close = match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Received::Text(text.as_str().to_owned()),
                Some(Ok(Message::Close(Some(frame)))) => Close {
                    code: frame.code.into(),
                    reason: frame.reason.as_str().to_owned(),
                },
                // A close frame without a code (RFC 6455 §7.1.5).
                Some(Ok(Message::Close(None))) => Close {
                    code: 1005,
                    reason: String::new(),
                },
                Some(Ok(_)) => continue,
                Some(Err(error)) => Close::abnormal(error.to_string()),
                None => Close::abnormal("connection ended"),
            };
            return Received::Closed(close);
        }
    }

    /// Closes with a close frame.
    pub async fn close(mut self) {
        let _ = timeout(self.write_timeout, self.stream.close(None)).await;
    }

    /// Drops the connection without a close frame, as a lost network does: with a TCP reset where
    /// the connection is plain TCP.
    pub fn abort(self) {
        if let MaybeTlsStream::Plain(stream) = self.stream.get_ref() {
            let _ = stream.set_zero_linger();
        }
    }

    async fn remaining_close(&mut self) -> Close {
        let deadline = tokio::time::Instant::now() + LAST_FRAMES;
        while let Ok(received) = timeout_at(deadline, self.next()).await {
            if let Received::Closed(close) = received {
                return close;
            }
        }
        Close::abnormal("write failed")
    }
}
