//! `healthcheck`: liveness check of the local server, for containers without curl.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Context as _;

/// The timeout for connecting, writing and reading.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Succeeds if the server on `host:port` is alive.
pub fn healthcheck(host: &str, port: u16) -> anyhow::Result<()> {
    let response = request(connect_address(host), port)
        .with_context(|| format!("no server responds on {host}:{port}"))?;
    let status = response.lines().next().unwrap_or_default();
    anyhow::ensure!(
        status.split(' ').nth(1) == Some("200"),
        "the server responded: {status}"
    );
    Ok(())
}

/// Replaces the unspecified address, which can only be listened on.
fn connect_address(host: &str) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        other => other,
    }
}

fn request(host: &str, port: u16) -> io::Result<String> {
    let mut stream = connect(host.trim_matches(['[', ']']), port)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // `Connection: close`, so that reading to the end terminates. ALLOWED_HOSTS does not apply to
    // this path.
    stream
        .write_all(b"GET /health/live/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.take(4_096).read_to_end(&mut response)?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

/// Connects to the first address that accepts: the server listens on the first one it could bind.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
