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
//! | `POST /{any}/freeze`, `/{any}/thaw` | lets it stand still, and go on; not PostgreSQL, whose processes are many |
//! | `POST /server/create-admin` | makes an administrator, as an operator does, and answers with its `username` and `password` |
//!
//! A chat server beside the one under test goes by its own name, and by the rules of `server`.
//!
//! 200 `{}`: done. 404: no such request. 409: this host has no such server. 500: the reason.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::hosts::{is_public, secret};
use crate::service::Service;
use crate::stack::{Member, Shared, Stack};

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
    if action == "create-admin" {
        let mut members = std::iter::once(&stack.under_test).chain(&stack.beside);
        return match members.find(|member| member.variant.server == name) {
            Some(member) => Ok((200, create_admin(member)?)),
            None => Ok(unknown),
        };
    }
    let whole = stack.host.has_stores();
    let service = match name {
        "server" => Some(&mut stack.under_test.server),
        "redis-http" => stack.under_test.front.as_mut(),
        "postgres" => whole.then_some(&mut shared.cluster.service),
        "redis" => whole.then_some(&mut shared.redis),
        _ => {
            let mut beside = stack.beside.iter_mut();
            match beside.find(|member| member.variant.server == name) {
                Some(member) => Some(&mut member.server),
                None => return Ok(unknown),
            }
        }
    };
    let Some(service) = service else {
        let host = stack.host.name();
        return Ok((
            409,
            json!({"error": format!("the host {host} has no {name}")}),
        ));
    };
    let is_store = matches!(name, "redis-http" | "postgres" | "redis");
    Ok(if act(service, action, !is_store)? {
        (200, json!({}))
    } else {
        unknown
    })
}

/// Does it, or answers that there is no such action.
fn act(service: &mut Service<'_>, action: &str, is_server: bool) -> Result<bool> {
    match action {
        "start" => service.start()?,
        "kill" => {
            service.kill()?;
            if is_server {
                service.start()?;
            }
        }
        "freeze" if service.name() != "postgres" => service.signal(Signal::SIGSTOP)?,
        "thaw" if service.name() != "postgres" => service.signal(Signal::SIGCONT)?,
        "stop" if is_server => service.stop()?,
        "restart" if is_server => {
            service.stop()?;
            service.start()?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// An account with the administrator's mark on the data of a server, which runs meanwhile.
fn create_admin(member: &Member<'_>) -> Result<Value> {
    let username = format!("admin_{}", &secret()?[..16]);
    let email = format!("{username}@mail.example");
    let wanted = ["create-admin", "--username", &username, "--email", &email];
    member.operator.run_once(&wanted)?;
    Ok(json!({"username": username, "password": member.admin_password}))
}

fn describe(stack: &Stack<'_>) -> Value {
    let shown = stack
        .under_test
        .settings
        .iter()
        .filter(|(name, _)| is_public(name));
    let settings: serde_json::Map<String, Value> = shown
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let mut description = json!({
        "host": stack.host.name(),
        "capabilities": stack.host.capabilities(),
        "settings": settings,
    });
    for member in std::iter::once(&stack.under_test).chain(&stack.beside) {
        let (url, log) = (member.base_url(), member.server.log());
        description[member.variant.advertised] = json!(url);
        description["logs"][url] = json!(log);
    }
    description
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        409 => "Conflict",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::hosts::Host;
    use crate::http;
    use crate::processes::Processes;

    /// Answers every request with how often its directory saw it start.
    const PROGRAM: &str = r#"#!/bin/sh
if [ "$1" = migrate ]; then echo "$DATABASE_URL" > migrated; exit 0; fi
if [ "$1" = create-admin ]; then printf '%s %s' "$3" "$COLLOQUY_ADMIN_PASSWORD" > admin; exit 0; fi
echo >> started
exec NODE -e "require('http').createServer((q, s) => s.end(require('fs').readFileSync('started'))).listen(+process.env.PORT, '127.0.0.1')"
"#;

    fn programs(directory: &Path) {
        let node = crate::tools::find("node").expect("node is needed by the tests");
        for name in ["colloquy-local-server", "colloquy-redis-http"] {
            let file = directory.join(name);
            fs::write(&file, PROGRAM.replace("NODE", &node.display().to_string())).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn ask(url: &str, method: &str, path: &str) -> (u16, String) {
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        http::send(port, method, path, "", "").unwrap_or_default()
    }

    fn postgres(control: &str, description: &Value) {
        let server = description["base_url"].as_str().unwrap();
        let starts = || ask(server, "GET", "/").1.len();
        assert_eq!(starts(), 1);
        for (request, expected) in [("/server/restart", 2), ("/server/kill", 3)] {
            assert_eq!(ask(control, "POST", request), (200, "{}".to_owned()));
            assert_eq!(starts(), expected, "after {request}");
        }
        assert_eq!(ask(control, "POST", "/server/stop").0, 200);
        assert_eq!(starts(), 0, "nobody answers");
        assert_eq!(ask(control, "POST", "/server/start").0, 200);
        assert_eq!(
            ask(control, "POST", "/server/start").0,
            200,
            "once is enough"
        );
        assert_eq!(starts(), 4);
        for name in ["postgres", "redis", "redis-http"] {
            for action in ["kill", "start"] {
                assert_eq!(
                    ask(control, "POST", &format!("/{name}/{action}")).0,
                    200,
                    "{name}"
                );
            }
        }
        for (method, path) in [
            ("POST", "/redis/stop"),
            ("POST", "/server"),
            ("GET", "/server/kill"),
        ] {
            assert_eq!(ask(control, method, path).0, 404, "{path}");
        }
        let settings = &description["settings"];
        assert_eq!(settings["THROTTLE_RATE_SECONDS"], "1");
        assert!(settings.get("SECRET_KEY").is_none() && settings.get("DATABASE_URL").is_none());
        assert!(description["unthrottled_base_url"].as_str() != Some(server));
    }

    #[test]
    fn what_is_asked_is_done_when_the_answer_comes() {
        // Installing is the run's business, not a unit test's.
        if crate::tools::find("redis-server").is_none() || !crate::postgres::is_installed() {
            return;
        }
        let processes = Processes::without_reaper("control").unwrap();
        programs(processes.directory());
        let mut shared = Shared::start(&processes).unwrap();
        // The edge is another program under the same requests.
        for host in [Host::Sqlite, Host::Postgres] {
            let mut stack = Stack::start(&processes, host, processes.directory(), &shared).unwrap();
            let place = processes.directory().join(host.name()).join("server");
            assert_eq!(place.join("migrated").exists(), host == Host::Postgres);
            during(&mut stack, &mut shared, |control| {
                let (status, description) = ask(control, "GET", "/");
                let description: Value = serde_json::from_str(&description).unwrap();
                assert_eq!((status, &description["host"]), (200, &json!(host.name())));
                let (status, admin) = ask(control, "POST", "/server/create-admin");
                let admin: Value = serde_json::from_str(&admin).unwrap();
                let text = |name: &str| admin[name].as_str().unwrap().to_owned();
                let told = format!("{} {}", text("username"), text("password"));
                let made = fs::read_to_string(place.join("admin")).unwrap();
                assert_eq!((status, made), (200, told));
                match host {
                    Host::Sqlite => assert_eq!(ask(control, "POST", "/redis/kill").0, 409),
                    _ => postgres(control, &description),
                }
            })
            .unwrap();
        }
    }
}
