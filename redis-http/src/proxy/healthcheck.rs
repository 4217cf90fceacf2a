//! `--healthcheck`: asks a proxy on this machine for its `/health`, for containers without curl.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SettingsError;
use super::settings::listen_address;

/// Longer than the proxy gives its Redis, so that the proxy's own verdict arrives.
const LIMIT: Duration = Duration::from_secs(4);

/// Why the proxy is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// `HOST` or `PORT` is malformed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Nothing answers there.
    #[error("no proxy answers on {0}")]
    Silent(SocketAddr, #[source] io::Error),
    /// The proxy answered, and not with 200.
    #[error("the proxy answered: {0}")]
    Unhealthy(String),
}

/// Succeeds if the proxy that runs with the same `HOST` and `PORT` says that its Redis answers.
pub async fn healthcheck(lookup: impl Fn(&str) -> Option<String>) -> Result<(), HealthcheckError> {
    let mut address = listen_address(lookup)?;
    // "Every address" is one to listen on, not one to call.
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let answer = timeout(LIMIT, ask(address))
        .await
        .unwrap_or_else(|late| Err(late.into()));
    let answer = answer.map_err(|error| HealthcheckError::Silent(address, error))?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(HealthcheckError::Unhealthy(status.to_owned()))
    }
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // HTTP/1.0 (RFC 1945): the server closes after its answer, and reading to the end ends.
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
