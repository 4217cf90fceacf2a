//! `serve`: starts the server, listens, and shuts it down.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use colloquy_core::config::{LogFormat, Settings};
use colloquy_proto::domain::Seconds;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::time::timeout;

use crate::app::{App, Redacted};
use crate::clock::SystemClock;
use crate::logging::Logging;
use crate::private_files::readable_by_others;
use crate::serve::{ConnectionLimits, ConnectionTimeouts, Stop, raise_limit, serve};
use crate::signals::{reopen_logs_on_hangup, stop_signal};

/// The timeout for closing the database at the end of the shutdown.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The listen backlog. After a restart all clients reconnect at once, and the kernel drops
/// connections beyond the backlog, which then retry after a second. The system may allow fewer.
const BACKLOG: u32 = 4_096;

/// Serves until a stop signal arrives.
pub fn serve_until_stopped(settings: Settings) -> anyhow::Result<()> {
    let logs = Logging::of(&settings).install(Arc::new(SystemClock))?;
    log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        reopen_logs_on_hangup(logs.reopener())?;
        listen_and_serve(settings).await
    })
}

async fn listen_and_serve(settings: Settings) -> anyhow::Result<()> {
    let mut signal = Box::pin(stop_signal()?);
    // The port is bound before the database is opened: a server without a port must not migrate it.
    let (host, port) = (settings.host.as_str(), settings.port);
    let listener = listen(host.trim_matches(['[', ']']), port)
        .await
        .with_context(|| format!("cannot listen on {host}:{port} (HOST, PORT)"))?;
    let address = listener.local_addr()?;
    let settings = Arc::new(settings);
    let app = tokio::select! {
        app = App::build(&settings) => app?,
        // A signal while waiting for the database.
        () = &mut signal => return Ok(()),
    };
    announce(&settings, address);
    log_warnings(&settings);
    let seconds =
        |Seconds(seconds)| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let limits = connection_limits(&settings);
    let timeouts = ConnectionTimeouts::with_keep_alive(seconds(settings.keep_alive));
    let rooms = app.rooms;
    let stop = Stop {
        signal,
        drain: async move { rooms.shutdown().await },
        within: seconds(settings.shutdown),
    };
    // Spawned, because a runtime thread accepts into its own queue; from this thread every
    // connection would be handed to another thread.
    if tokio::spawn(serve(listener, app.router, (limits, timeouts), stop)).await? {
        tracing::info!("graceful shutdown complete");
    } else {
        tracing::warn!(
            shutdown_s = settings.shutdown.0,
            "shutdown deadline exceeded"
        );
    }
    if timeout(CLOSE_TIMEOUT, app.backend.close()).await.is_err() {
        tracing::warn!("database close timed out");
    }
    Ok(())
}

/// The limits of connections, below the limit of open files, which is raised.
fn connection_limits(settings: &Settings) -> ConnectionLimits {
    let limits = ConnectionLimits::derive(
        (
            settings.max_connections,
            settings.max_connections_per_address,
        ),
        &settings.trusted_proxies,
        raise_limit(),
        settings.database_pool_size,
    );
    let (total, per_address) = (limits.total, limits.per_address);
    if total < settings.max_connections {
        tracing::warn!(
            total,
            "MAX_CONNECTIONS exceeds what the limit of open files allows"
        );
    }
    tracing::info!(total, per_address, "connection limits");
    limits
}

/// The bytes of a connection that the kernel takes before it has sent earlier ones: a part of a resume.
#[cfg(target_os = "linux")]
const MAX_UNSENT_BYTES: u32 = 64 * 1024;

/// Listens on the first usable address of the host.
async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host((host, port)).await? {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Allows a restart while old connections are in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        if let Err(error) = limit_unsent(&socket) {
            tracing::warn!(error = %error, "the kernel does not limit unsent data of connections");
        }
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Limits what the kernel holds for a client beyond what the network takes; accepted connections inherit
/// it. Otherwise the kernel grows its buffer to megabytes for a client that reads nothing, and the server
/// produces them.
#[cfg(target_os = "linux")]
fn limit_unsent(socket: &TcpSocket) -> io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(MAX_UNSENT_BYTES)
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
fn limit_unsent(_socket: &TcpSocket) -> io::Result<()> {
    Ok(())
}

/// Logs the address, and prints first steps in text mode.
fn announce(settings: &Settings, address: SocketAddr) {
    let database = Redacted(&settings.database);
    let cache = if settings.redis.is_some() {
        "Redis"
    } else {
        "in this process"
    };
    let url = format!("http://{}", connect_address(address));
    // JSON output contains log lines only.
    if settings.log_format == LogFormat::Text {
        println!(
            "Colloquy {} listens on {url}

  open      {url}/ in a browser
  database  {database}
  cache     {cache}
  health    {url}/health/
  API       {url}/api/openapi.json, described in docs/protocol.md
  try       curl {url}/api/users/register/ -H 'Content-Type: application/json' \\
              -d '{{\"username\":\"johndoe\",\"email\":\"john@example.com\",\"password\":\"StrongPass123!\"}}'
",
            env!("CARGO_PKG_VERSION"),
        );
    }
    tracing::info!(%url, %database, cache, "listening");
}

/// Replaces the unspecified address, which can only be listened on.
fn connect_address(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// Logs what is accepted but probably not what the operator means.
fn log_warnings(settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    if readable_by_others(&settings.data_dir) {
        let folder = settings.data_dir.display();
        tracing::warn!(%folder, "DATA_DIR is readable by other users; set its mode to 0700");
    }
}

/// Logs panics, because standard error may not be collected.
fn log_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "task panicked");
        print(panic);
    }));
}
