//! Opening a socket, in every manner the contract allows and in some it does not.

use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::client_async_tls;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::PATIENCE;
use crate::server::Server;
use crate::socket::{Close, Socket};

/// How the access token is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// `?token=`, the only one that v1 clients know.
    Query,
    /// `Sec-WebSocket-Protocol: chat.v2, bearer.<access>`, for browsers; always v2.
    Protocol,
    /// `Authorization: Bearer`.
    Header,
    /// Not at all.
    Nothing,
}

/// A socket about to be opened.
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `open`, `refused` or `attempt`"]
pub struct Opening {
    server: Server,
    path: String,
    token: String,
    manner: Manner,
    v2: bool,
    headers: Vec<(String, String)>,
    receive_buffer: Option<u32>,
}

impl Opening {
    /// A v1 socket to this path, its token in the query.
    pub fn new(server: &Server, path: &str, token: &str) -> Self {
        Self {
            server: server.clone(),
            path: path.to_owned(),
            token: token.to_owned(),
            manner: Manner::Query,
            v2: false,
            headers: Vec::new(),
            receive_buffer: None,
        }
    }

    /// Brings the token in this manner.
    pub fn by(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self.v2 |= manner == Manner::Protocol;
        self
    }

    /// Asks for `chat.v2`.
    pub fn v2(mut self) -> Self {
        self.v2 = true;
        self
    }

    /// Another path, such as the one without its last slash.
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Another token.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Asks the system for a small buffer, so that a reader who stops reading is soon noticed.
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Opens it. A v2 socket has been greeted when this returns.
    pub async fn open(self) -> Socket {
        let path = self.path.clone();
        let mut socket = match self.attempt().await {
            Ok(socket) => socket,
            Err(error) => panic!("{path} was not upgraded: {error}"),
        };
        if socket.is_v2() {
            socket.greeted().await;
        }
        socket
    }

    /// Expects the socket to be accepted and closed without any frame.
    pub async fn refused(self) -> Close {
        let path = self.path.clone();
        let mut socket = match self.attempt().await {
            Ok(socket) => socket,
            Err(error) => panic!("{path} was not accepted to be closed: {error}"),
        };
        let close = socket.closed().await;
        let heard = socket.heard();
        assert!(heard.is_empty(), "{path} was refused after {heard:?}");
        close
    }

    /// The upgrade alone; the error when the server did not do it.
    pub async fn attempt(self) -> Result<Socket, Error> {
        let opening = async {
            let stream = self.connect().await?;
            let (stream, response) = client_async_tls(self.request()?, stream).await?;
            let echoed = response.headers().get("sec-websocket-protocol");
            // "Only `chat.v2` is echoed", and only to those who asked for it.
            assert_eq!(
                echoed.map(HeaderValue::as_bytes),
                self.v2.then_some(b"chat.v2".as_slice()),
                "the subprotocol of {}",
                self.path
            );
            Ok(Socket::new(stream, self.path.clone(), self.v2))
        };
        tokio::time::timeout(PATIENCE, opening)
            .await
            .unwrap_or_else(|_| panic!("{} was neither upgraded nor refused", self.path))
    }

    async fn connect(&self) -> Result<TcpStream, Error> {
        let mut addresses = tokio::net::lookup_host(self.server.address()).await?;
        let address = addresses.next().expect("an address of the server");
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn request(&self) -> Result<Request, Error> {
        let mut url = self.server.socket_url(&self.path);
        if self.manner == Manner::Query {
            let mark = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{mark}token={}", self.token);
        }
        let mut request = url.into_client_request()?;
        let mut add = |name: &'static str, value: String| {
            request
                .headers_mut()
                .append(name, value.parse().expect("a header"));
        };
        match self.manner {
            Manner::Protocol => {
                add(
                    "sec-websocket-protocol",
                    format!("chat.v2, bearer.{}", self.token),
                );
            }
            _ if self.v2 => add("sec-websocket-protocol", "chat.v2".to_owned()),
            _ => {}
        }
        if self.manner == Manner::Header {
            add("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in &self.headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName =
                name.parse().expect("a header's name");
            request
                .headers_mut()
                .append(name, value.parse().expect("a header"));
        }
        Ok(request)
    }
}
