//! What the black-box suite may do to the servers it runs against: a tiny HTTP server on loopback
//! through which it stops, kills and starts them.
//!
//! The suite itself knows only URLs, so the same suite can be run against any host for which
//! somebody answers these requests. Requests are served one at a time: each answers when the thing
//! is really done.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /` | which host this is, its URL, its settings, what can be done to it |
//! | `POST /server/restart` | ends it in good order and starts it |
//! | `POST /server/kill` | ends it at once and starts it |
//! | `POST /server/stop`, `/server/start` | |
//! | `POST /postgres/kill`, `/redis/kill`, `/redis-http/kill` | ends it at once; it stays away |
//! | `POST /postgres/start`, `/redis/start`, `/redis-http/start` | |
//!
//! 200 `{}`: done. 404: no such request. 409: this host has no such server. 500: the reason.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::hosts::{Host, Shared, Stack};
use crate::service::Service;

const READ: Duration = Duration::from_secs(10);
const LONGEST_REQUEST: u64 = 16 * 1024;

/// Serves control requests while `suite` runs; `suite` is given the control URL.
pub(crate) fn during<'run, T>(
    stack: &mut Stack<'run>,
    shared: &mut Shared<'run>,
    suite: impl FnOnce(&str) -> T,
) -> Result<T> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::ports::free()?))?;
    let address = listener.local_addr()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                // A client that went away has nobody left to tell.
                let _ = stream.map(|stream| serve(stream, stack, shared));
            }
        });
        // Also when `suite` panics: the scope waits for the thread.
        let _end = Ending {
            over: &over,
            address,
        };
        Ok(suite(&format!("http://{address}")))
    })
}

/// Tells the serving thread that there will be no more requests.
struct Ending<'scope> {
    over: &'scope AtomicBool,
    address: SocketAddr,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread from its wait for a next request.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve<'run>(
    stream: TcpStream,
    stack: &mut Stack<'run>,
    shared: &mut Shared<'run>,
) -> Result<()> {
    stream.set_read_timeout(Some(READ))?;
    stream.set_write_timeout(Some(READ))?;
    let (method, path) = read_request(&stream)?;
    let (status, kind, body) = match answer(&method, &path, stack, shared) {
        Ok((status, value)) => (status, "application/json", value.to_string()),
        Err(error) => (500, "text/plain; charset=utf-8", format!("{error:#}\n")),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        reason(status)
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    Ok(())
}

/// The method and path of a request, its headers and body read to their end: closing a connection
/// with something unread on it would reset it and lose the answer.
fn read_request(stream: &TcpStream) -> Result<(String, String)> {
    let mut reader = BufReader::new(stream).take(LONGEST_REQUEST);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let method = words.next().context("an empty request")?.to_owned();
    let path = words.next().context("a request without a path")?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    Ok((method, path))
}

fn answer<'run>(
    method: &str,
    path: &str,
    stack: &mut Stack<'run>,
    shared: &mut Shared<'run>,
) -> Result<(u16, Value)> {
    if (method, path) == ("GET", "/") {
        return Ok((200, describe(stack)));
    }
    let unknown = (
        404,
        json!({"error": format!("there is no {method} {path}")}),
    );
    if method != "POST" {
        return Ok(unknown);
    }
    let Some((name, action)) = path.trim_matches('/').split_once('/') else {
        return Ok(unknown);
    };
    let whole = stack.host == Host::Postgres;
    let service = match name {
        "server" => Some(&mut stack.server),
        "redis-http" => stack.redis_http.as_mut(),
        "postgres" => whole.then_some(&mut shared.cluster.service),
        "redis" => whole.then_some(&mut shared.redis),
        _ => return Ok(unknown),
    };
    let Some(service) = service else {
        let host = stack.host.name();
        return Ok((
            409,
            json!({"error": format!("the host {host} has no {name}")}),
        ));
    };
    Ok(if act(service, action)? {
        (200, json!({}))
    } else {
        unknown
    })
}

/// Does it, or answers that there is no such action.
fn act(service: &mut Service<'_>, action: &str) -> Result<bool> {
    let is_server = service.name() == "server";
    match action {
        "start" => service.start()?,
        "kill" => {
            service.kill()?;
            if is_server {
                service.start()?;
            }
        }
        "stop" if is_server => service.stop()?,
        "restart" if is_server => {
            service.stop()?;
            service.start()?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn describe(stack: &Stack<'_>) -> Value {
    let settings: serde_json::Map<String, Value> = stack
        .public_settings()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    let capabilities: &[&str] = match stack.host {
        Host::Sqlite => &["server"],
        Host::Postgres => &["server", "postgres", "redis", "redis-http"],
    };
    json!({
        "host": stack.host.name(),
        "base_url": stack.base_url(),
        "capabilities": capabilities,
        "log_dir": stack.logs,
        "settings": settings,
    })
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        409 => "Conflict",
        _ => "Internal Server Error",
    }
}
