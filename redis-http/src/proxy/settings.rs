//! The settings of the proxy, read through a `lookup(name)`; the binary passes the environment.
//!
//! One error lists every missing or malformed setting, by name and never by value.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use redis::{ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo};

use super::Token;
use crate::codec::Command;

const DEFAULT_REDIS_URL: &str = "redis://127.0.0.1:6379";
const DEFAULT_PORT: u16 = 8079;

/// The settings of the proxy.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `HOST` and `PORT`: where to listen; port 0 selects a free one.
    pub listen: SocketAddr,
    /// `REDIS_HTTP_TOKEN`: the token of callers.
    pub token: Token,
    /// `REDIS_URL`: the Redis behind the proxy.
    pub redis: RedisAddress,
}

/// Address and credentials of Redis; `Debug` shows host and port only.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) connection: RedisConnectionInfo,
    /// `AUTH` and `SELECT`, as far as the URL asks for them. Sent by this crate, because the library
    /// replaces the text of Redis' errors by its own.
    pub(super) login: Vec<Command>,
}

impl RedisAddress {
    /// Reads `redis://[[user]:password@]host[:port][/database]`; `None` for anything else.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let info = url.into_connection_info().ok()?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return None;
        };
        let given = info.redis_settings();
        let mut login = Vec::new();
        if let Some(password) = given.password() {
            let user = given.username().filter(|user| !user.is_empty());
            login.push(Command::new("AUTH").args(user).arg(password));
        }
        if given.db() != 0 {
            login.push(Command::new("SELECT").int(given.db()));
        }
        // Always RESP2: the REST protocol has RESP2's types, in which a score is a string and a hash a
        // flat array.
        let connection = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2);
        Some(Self {
            host: host.clone(),
            port: *port,
            connection,
            login,
        })
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedisAddress({}:{})", self.host, self.port)
    }
}

/// Every setting that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct SettingsError(Vec<&'static str>);

impl Settings {
    /// Reads the settings; an empty value counts as not set.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let listen = listen_address(&lookup)
            .map_err(|found| problems.extend(found.0))
            .ok();

        let token = non_empty(&lookup, "REDIS_HTTP_TOKEN");
        if token.is_none() {
            problems.push("REDIS_HTTP_TOKEN is not set: choose a long random token");
        }
        let token = token.and_then(|token| {
            let token = Token::new(&token);
            if token.is_none() {
                problems.push("REDIS_HTTP_TOKEN must be printable ASCII without spaces");
            }
            token
        });

        let url = non_empty(&lookup, "REDIS_URL");
        let redis = RedisAddress::parse(url.as_deref().unwrap_or(DEFAULT_REDIS_URL));
        if redis.is_none() {
            problems.push("REDIS_URL must be redis://[[user]:password@]host[:port][/database]");
        }
        match (listen, token, redis) {
            (Some(listen), Some(token), Some(redis)) => Ok(Self {
                listen,
                token,
                redis,
            }),
            _ => Err(SettingsError(problems)),
        }
    }
}

/// `HOST` and `PORT` only, for the health check.
pub(super) fn listen_address(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<SocketAddr, SettingsError> {
    let mut problems = Vec::new();
    let host = non_empty(&lookup, "HOST").map_or(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), |host| {
        host.parse().ok()
    });
    if host.is_none() {
        problems.push("HOST must be an IP address");
    }
    let port = non_empty(&lookup, "PORT").map_or(Some(DEFAULT_PORT), |port| port.parse().ok());
    if port.is_none() {
        problems.push("PORT must be a number up to 65535");
    }
    host.zip(port)
        .map(SocketAddr::from)
        .ok_or(SettingsError(problems))
}

fn non_empty(lookup: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    lookup(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let found = set.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn only_the_token_is_required() {
        let settings = read(&[("REDIS_HTTP_TOKEN", "t"), ("PORT", "")]).expect("settings");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8079");
        assert_eq!(
            format!("{:?}", settings.redis),
            "RedisAddress(127.0.0.1:6379)"
        );
    }

    #[test]
    fn every_problem_is_listed_without_its_value() {
        let error = read(&[
            ("HOST", "nowhere"),
            ("PORT", "70000"),
            ("REDIS_URL", "rediss://u:secret@h"),
        ]);
        let error = error.expect_err("problems").to_string();
        for name in ["HOST", "PORT", "REDIS_HTTP_TOKEN", "REDIS_URL"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(
            !error.contains("secret") && !error.contains("nowhere"),
            "{error}"
        );
    }

    #[test]
    fn debug_hides_password_and_token() {
        let set = [
            ("REDIS_HTTP_TOKEN", "secret"),
            ("REDIS_URL", "redis://user:secret@host:7000/3"),
        ];
        let debug = format!("{:?}", read(&set).expect("settings"));
        assert!(
            debug.contains("host:7000") && !debug.contains("secret"),
            "{debug}"
        );
    }
}
