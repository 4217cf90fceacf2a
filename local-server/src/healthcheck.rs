//! `healthcheck`: asks the server on this machine whether it lives, for containers without curl.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Context as _;

/// How long the server may take.
const WITHIN: Duration = Duration::from_secs(3);

/// Succeeds when the server that runs with this `HOST` and `PORT` serves.
pub fn healthcheck(host: &str, port: u16) -> anyhow::Result<()> {
    let answer =
        ask(callable(host), port).with_context(|| format!("no server answers on {host}:{port}"))?;
    let status = answer.lines().next().unwrap_or_default();
    anyhow::ensure!(
        status.split(' ').nth(1) == Some("200"),
        "the server answered: {status}"
    );
    Ok(())
}

/// "Every address" is one to listen on, not one to call.
fn callable(host: &str) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        other => other,
    }
}

fn ask(host: &str, port: u16) -> io::Result<String> {
    let address = (host.trim_matches(['[', ']']), port)
        .to_socket_addrs()?
        .next();
    let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    // Closed after the answer, so that reading to the end ends. ALLOWED_HOSTS is not asked for
    // on this path.
    stream
        .write_all(b"GET /health/live/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
