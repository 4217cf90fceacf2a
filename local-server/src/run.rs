//! `serve`: from settings to a server that listens, and to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use colloquy_core::config::{LogFormat, Settings};
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::time::timeout;

use crate::app::{App, Shown};
use crate::clock::SystemClock;
use crate::logging::Logging;
use crate::serve::{Stop, serve};
use crate::signals::stop_signal;

/// How long closing the database may take after everything else has ended.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Connections that may wait to be accepted: everyone comes back at once after a restart, and who
/// finds no place is silently left to try again a second later. The system may allow fewer.
const BACKLOG: u32 = 4_096;

/// Serves until the process is told to stop.
pub fn serve_until_stopped(settings: Settings) -> anyhow::Result<()> {
    let _logs = Logging::of(&settings).install(Arc::new(SystemClock))?;
    log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(listen_and_serve(settings))
}

async fn listen_and_serve(settings: Settings) -> anyhow::Result<()> {
    let mut signal = Box::pin(stop_signal()?);
    // First of all: a port that is taken should cost no migration.
    let (host, port) = (settings.host.as_str(), settings.port);
    let listener = listen(host.trim_matches(['[', ']']), port)
        .await
        .with_context(|| format!("cannot listen on {host}:{port} (HOST, PORT)"))?;
    let address = listener.local_addr()?;
    let settings = Arc::new(settings);
    let app = tokio::select! {
        app = App::build(&settings) => app?,
        // While it waits for a database.
        () = &mut signal => return Ok(()),
    };
    announce(&settings, address);
    let within = Duration::from_secs(u64::try_from(settings.shutdown.0).unwrap_or_default());
    let rooms = app.rooms;
    let stop = Stop {
        signal,
        drain: async move { rooms.shutdown().await },
        within,
    };
    // As a task, for one among the runtime's threads accepts into its own queue; from this thread
    // every connection would be handed over, and another thread woken for it.
    if tokio::spawn(serve(listener, app.router, stop)).await? {
        tracing::info!("all work is done");
    } else {
        tracing::warn!(shutdown_s = settings.shutdown.0, "open work was cut off");
    }
    if timeout(CLOSE_WITHIN, app.backend.close()).await.is_err() {
        tracing::warn!("the database did not close in time");
    }
    Ok(())
}

/// Listens on the first address of this name that can be had.
async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in lookup_host((host, port)).await? {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A restart must not wait for connections of before to be forgotten.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Tells that the server listens, and people what to try next.
fn announce(settings: &Settings, address: SocketAddr) {
    let database = Shown(&settings.database);
    let cache = if settings.redis.is_some() {
        "Redis"
    } else {
        "in this process"
    };
    let url = format!("http://{}", callable(address));
    // Logs for programs stay free of other lines.
    if settings.log_format == LogFormat::Text {
        println!(
            "Colloquy {} listens on {url}

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

/// "Every address" is one to listen on, not one to call.
fn callable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// A panic ends one task; it must not go unseen where nobody reads standard error.
fn log_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "a task panicked: a fault of ours");
        print(panic);
    }));
}
