//! A minimal HTTP/1.1 client for fast requests over one persistent connection (RFC 9112).

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const READ: usize = 64 * 1024;

/// One connection.
pub(crate) struct HttpClient {
    stream: TcpStream,
    host: SocketAddr,
    buffer: Vec<u8>,
}

/// A response.
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl HttpClient {
    pub(crate) async fn connect(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host,
            buffer: Vec::new(),
        })
    }

    /// Sends one request and reads its response. `headers` are complete lines with line ends.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Result<HttpResponse> {
        let (host, length) = (self.host, body.len());
        let typed = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
        };
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{typed}{headers}\r\n{body}");
        self.stream.write_all(request.as_bytes()).await?;
        let head_end = loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        self.buffer.drain(..head_end);
        let status = head
            .split_whitespace()
            .nth(1)
            .context("no status")?
            .parse()?;
        let value = |name: &str| {
            let found = head.lines().find_map(|line| line.strip_prefix(name));
            found.map(str::trim)
        };
        let body = if let Some(length) = value("content-length:") {
            self.take(length.parse()?).await?
        } else if value("transfer-encoding:") == Some("chunked") {
            self.chunks().await?
        } else if status == 204 || status == 205 || status == 304 {
            Vec::new()
        } else {
            bail!("a response of unknown length: {head}");
        };
        Ok(HttpResponse { status, body })
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n") {
                    break self.take(at + 2).await?;
                }
                self.read_more().await?;
            };
            let line = String::from_utf8_lossy(&line);
            let length = usize::from_str_radix(line.trim(), 16).context("a chunk's length")?;
            let chunk = self.take(length + 2).await?;
            body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                return Ok(body);
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.read_more().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn read_more(&mut self) -> Result<()> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("the server closed the connection"),
            _ => Ok(()),
        }
    }
}
