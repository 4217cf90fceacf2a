//! The control server: a small HTTP server on loopback through which a test suite stops, kills and
//! starts the servers it runs against.
//!
//! A suite knows only URLs, so the same suite runs against any host with a control server. Requests
//! are served one at a time, and the response is sent after the action is complete.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /` | describes the host: base URLs, public settings, capabilities, log files |
//! | `POST /server/restart` | graceful shutdown, then start |
//! | `POST /server/kill` | SIGKILL, then start |
//! | `POST /server/crash` | SIGKILL without a start |
//! | `POST /server/stop`, `/server/start` | |
//! | `POST /postgres/kill`, `/redis/kill`, `/redis-http/kill` | kills it without a restart |
//! | `POST /postgres/start`, `/redis/start`, `/redis-http/start` | |
//! | `POST /{any}/freeze`, `/{any}/thaw` | SIGSTOP and SIGCONT; not for PostgreSQL, which has several processes |
//! | `POST /{any}/memory` | returns the resident memory of its processes in bytes, by name |
//! | `POST /server/create-admin` | creates an administrator with the command line; returns its `username` and `password` |
//!
//! An extra instance is addressed by its own name and takes the actions of `server`.
//!
//! Responses: 200 `{}` on success, 404 for an unknown request, 409 when this host has no such server,
//! 500 with the reason.

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
use crate::stack::{Backends, Instance, Stack};

const READ: Duration = Duration::from_secs(10);
const LONGEST_REQUEST: u64 = 16 * 1024;

/// Serves control requests while `suite` runs; `suite` receives the control URL.
pub fn with_control_server<'run, T>(
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
    suite: impl FnOnce(&str) -> T,
) -> Result<T> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::ports::free()?))?;
    let address = listener.local_addr()?;
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let _ = stream.map(|stream| serve(stream, stack, backends));
            }
        });
        // Dropped also when `suite` panics, because the scope waits for the thread.
        let _stop = StopOnDrop {
            stopped: &stopped,
            address,
        };
        Ok(suite(&format!("http://{address}")))
    })
}

/// Stops the serving thread.
struct StopOnDrop<'scope> {
    stopped: &'scope AtomicBool,
    address: SocketAddr,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits in `accept`.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve<'run>(
    stream: TcpStream,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
) -> Result<()> {
    stream.set_read_timeout(Some(READ))?;
    stream.set_write_timeout(Some(READ))?;
    let (method, path) = read_request(&stream)?;
    let (status, kind, body) = match respond(&method, &path, stack, backends) {
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

/// Reads a whole request and returns its method and path. Closing a connection with unread bytes would
/// reset it and lose the response.
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

fn respond<'run>(
    method: &str,
    path: &str,
    stack: &mut Stack<'run>,
    backends: &mut Backends<'run>,
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
        let mut instances = std::iter::once(&stack.under_test).chain(&stack.extra_instances);
        return match instances.find(|instance| instance.spec.name == name) {
            Some(instance) => Ok((200, create_admin(instance)?)),
            None => Ok(unknown),
        };
    }
    let has_backends = stack.host.has_backends();
    let service = match name {
        "server" => Some(&mut stack.under_test.server),
        "redis-http" => stack.under_test.redis_proxy.as_mut(),
        "postgres" => has_backends.then_some(&mut backends.postgres.service),
        "redis" => has_backends.then_some(&mut backends.redis),
        _ => {
            let mut extra = stack.extra_instances.iter_mut();
            match extra.find(|instance| instance.spec.name == name) {
                Some(instance) => Some(&mut instance.server),
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
    if action == "memory" {
        let pid = service.pid().context("it is not running")?;
        return Ok((200, json!(crate::memory::resident(pid)?)));
    }
    let is_backend = matches!(name, "redis-http" | "postgres" | "redis");
    Ok(if act(service, action, !is_backend)? {
        (200, json!({}))
    } else {
        unknown
    })
}

/// Carries out an action; `false` when there is no such action.
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
        "crash" if is_server => service.kill()?,
        "stop" if is_server => service.stop()?,
        "restart" if is_server => {
            service.stop()?;
            service.start()?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Creates an administrator account on the data of a running server.
fn create_admin(instance: &Instance<'_>) -> Result<Value> {
    let username = format!("admin_{}", &secret()?[..16]);
    let email = format!("{username}@mail.example");
    let arguments = ["create-admin", "--username", &username, "--email", &email];
    instance.operator.run_once(&arguments)?;
    Ok(json!({"username": username, "password": instance.admin_password}))
}

fn describe(stack: &Stack<'_>) -> Value {
    let public = stack
        .under_test
        .settings
        .iter()
        .filter(|(name, _)| is_public(name));
    let settings: serde_json::Map<String, Value> = public
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let mut description = json!({
        "host": stack.host.name(),
        "capabilities": stack.host.capabilities(),
        "settings": settings,
    });
    for instance in std::iter::once(&stack.under_test).chain(&stack.extra_instances) {
        let (url, log) = (instance.base_url(), instance.server.log());
        description[instance.spec.url_key] = json!(url);
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

    /// Returns on every request how often it was started in its directory.
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
        assert_eq!(starts(), 0, "the server is down");
        assert_eq!(ask(control, "POST", "/server/start").0, 200);
        assert_eq!(
            ask(control, "POST", "/server/start").0,
            200,
            "starting a running server succeeds"
        );
        assert_eq!(starts(), 4);
        let (status, memory) = ask(control, "POST", "/server/memory");
        let memory: Value = serde_json::from_str(&memory).unwrap();
        assert_eq!(
            (status, memory.as_object().unwrap().len()),
            (200, 1),
            "{memory}"
        );
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
    fn actions_are_complete_when_the_response_arrives() {
        // A unit test installs nothing.
        if crate::tools::find("redis-server").is_none() || !crate::postgres::is_installed() {
            return;
        }
        let processes = Processes::without_reaper("control").unwrap();
        programs(processes.directory());
        let mut backends = Backends::start(&processes).unwrap();
        for host in [Host::Sqlite, Host::Postgres] {
            let mut stack =
                Stack::start(&processes, host, processes.directory(), &backends).unwrap();
            let directory = processes.directory().join(host.name()).join("server");
            assert_eq!(directory.join("migrated").exists(), host == Host::Postgres);
            with_control_server(&mut stack, &mut backends, |control| {
                let (status, description) = ask(control, "GET", "/");
                let description: Value = serde_json::from_str(&description).unwrap();
                assert_eq!((status, &description["host"]), (200, &json!(host.name())));
                let (status, admin) = ask(control, "POST", "/server/create-admin");
                let admin: Value = serde_json::from_str(&admin).unwrap();
                let text = |name: &str| admin[name].as_str().unwrap().to_owned();
                let expected = format!("{} {}", text("username"), text("password"));
                let made = fs::read_to_string(directory.join("admin")).unwrap();
                assert_eq!((status, made), (200, expected));
                match host {
                    Host::Sqlite => assert_eq!(ask(control, "POST", "/redis/kill").0, 409),
                    _ => postgres(control, &description),
                }
            })
            .unwrap();
        }
    }
}
