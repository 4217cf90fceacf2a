//! `--healthcheck`: requests `/health` of a proxy on this machine, for containers without curl.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SettingsError;
use super::settings::listen_address;

/// Longer than the proxy's own timeout for Redis, so that its response arrives.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why the proxy is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// `HOST` or `PORT` is malformed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No response.
    #[error("no proxy responds on {0}")]
    NoResponse(SocketAddr, #[source] io::Error),
    /// A status other than 200.
    #[error("the proxy responded: {0}")]
    Unhealthy(String),
}

/// Succeeds if the proxy with the same `HOST` and `PORT` reports that its Redis responds.
pub async fn healthcheck(lookup: impl Fn(&str) -> Option<String>) -> Result<(), HealthcheckError> {
    let mut address = listen_address(lookup)?;
    // An unspecified address is valid for listening, not for connecting.
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let response = timeout(TIMEOUT, request_health(address))
        .await
        .unwrap_or_else(|elapsed| Err(elapsed.into()));
    let response = response.map_err(|error| HealthcheckError::NoResponse(address, error))?;
    let status = response.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(HealthcheckError::Unhealthy(status.to_owned()))
    }
}

async fn request_health(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // HTTP/1.0 (RFC 1945): the server closes the connection after its response.
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await?;
    let mut response = Vec::new();
    stream.take(4096).read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}
