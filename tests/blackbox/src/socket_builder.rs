//! Opening a socket, in every way the protocol allows and in some ways it does not.

use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::client_async_tls;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::TIMEOUT;
use crate::asyncapi::AsyncApi;
use crate::server::Server;
use crate::socket::{Close, Socket};

/// Where the access token is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenIn {
    /// `?token=`, as v1 clients do.
    Query,
    /// `Sec-WebSocket-Protocol: chat.v2, bearer.<access>`, for browsers; always v2.
    Subprotocol,
    /// `Authorization: Bearer`.
    Header,
    /// Not sent at all.
    Nowhere,
}

/// A socket that is not opened yet.
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `open`, `expect_refusal` or `attempt`"]
pub struct SocketBuilder {
    server: Server,
    path: String,
    token: String,
    token_in: TokenIn,
    v2: bool,
    headers: Vec<(String, String)>,
    receive_buffer: Option<u32>,
}

impl SocketBuilder {
    /// A v1 socket to this path with the token in the query.
    pub fn new(server: &Server, path: &str, token: &str) -> Self {
        Self {
            server: server.clone(),
            path: path.to_owned(),
            token: token.to_owned(),
            token_in: TokenIn::Query,
            v2: false,
            headers: Vec::new(),
            receive_buffer: None,
        }
    }

    /// Sends the token there.
    pub fn token_in(mut self, token_in: TokenIn) -> Self {
        self.token_in = token_in;
        self.v2 |= token_in == TokenIn::Subprotocol;
        self
    }

    /// Asks for `chat.v2`.
    pub fn v2(mut self) -> Self {
        self.v2 = true;
        self
    }

    /// Another path, such as the one without the final slash.
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Another token.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the size of the receive buffer. With a small one the server soon notices that the client
    /// has stopped reading.
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Opens the socket. On a v2 socket, `hello` has arrived when this returns.
    pub async fn open(self) -> Socket {
        let path = self.path.clone();
        let mut socket = match self.attempt().await {
            Ok(socket) => socket,
            Err(error) => panic!("the upgrade of {path} failed: {error}"),
        };
        if socket.is_v2() {
            socket.expect_hello().await;
        }
        socket
    }

    /// Expects that the server accepts the socket and closes it without sending a frame.
    pub async fn expect_refusal(self) -> Close {
        let path = self.path.clone();
        let mut socket = match self.attempt().await {
            Ok(socket) => socket,
            Err(error) => panic!("the upgrade of {path} failed: {error}"),
        };
        let close = socket.expect_close().await;
        let frames = socket.received();
        assert!(frames.is_empty(), "{path} was closed after {frames:?}");
        close
    }

    /// The upgrade alone. An error when the server rejects it.
    pub async fn attempt(self) -> Result<Socket, Error> {
        let description = AsyncApi::of(&self.server).await;
        let opening = async {
            let stream = self.connect().await?;
            let (stream, response) = client_async_tls(self.request()?, stream).await?;
            let echoed = response.headers().get("sec-websocket-protocol");
            // Only `chat.v2` is echoed, and only to clients that ask for it.
            assert_eq!(
                echoed.map(HeaderValue::as_bytes),
                self.v2.then_some(b"chat.v2".as_slice()),
                "the echoed subprotocol of {}",
                self.path
            );
            Ok(Socket::new(stream, self.path.clone(), self.v2, description))
        };
        tokio::time::timeout(TIMEOUT, opening)
            .await
            .unwrap_or_else(|_| panic!("the upgrade of {} timed out", self.path))
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
        if self.token_in == TokenIn::Query {
            let mark = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{mark}token={}", self.token);
        }
        let mut request = url.into_client_request()?;
        let mut add = |name: &'static str, value: String| {
            request
                .headers_mut()
                .append(name, value.parse().expect("a header"));
        };
        match self.token_in {
            TokenIn::Subprotocol => {
                add(
                    "sec-websocket-protocol",
                    format!("chat.v2, bearer.{}", self.token),
                );
            }
            _ if self.v2 => add("sec-websocket-protocol", "chat.v2".to_owned()),
            _ => {}
        }
        if self.token_in == TokenIn::Header {
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
