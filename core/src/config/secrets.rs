//! Keys and tokens: `SECRET_KEY`, its predecessors, and the Redis with its token.

use std::path::Path;

use super::reader::Reader;
use super::{Database, Redis, Secret, SecretKey};

/// The shortest key for HS256 (RFC 7518 §3.2).
const MIN_KEY_BYTES: usize = 32;

impl Reader<'_> {
    /// `UPSTASH_REDIS_REST_URL` and `UPSTASH_REDIS_REST_TOKEN`.
    pub(super) fn redis(&mut self) -> Option<Redis> {
        const URL: &str = "UPSTASH_REDIS_REST_URL";
        const TOKEN: &str = "UPSTASH_REDIS_REST_TOKEN";
        match (self.given(URL), self.given(TOKEN)) {
            (None, None) => None,
            (Some(_), None) => {
                self.problem(TOKEN, format_args!("is missing; it goes with {URL}"));
                None
            }
            (None, Some(_)) => {
                self.problem(URL, format_args!("is missing; it goes with {TOKEN}"));
                None
            }
            (Some(url), Some(token)) => {
                let (url, token) = (url.trim().trim_end_matches('/'), token.trim());
                if !is_http_url(url) {
                    self.problem(
                        URL,
                        "is no URL of Redis over HTTP; give https://… or http://…, without user, query or fragment (for redis://… run redis-http in front of it)",
                    );
                }
                if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    self.problem(TOKEN, "is no token; give printable ASCII without spaces");
                }
                Some(Redis {
                    url: url.to_owned(),
                    token: Secret::new(token),
                })
            }
        }
    }

    /// `SECRET_KEY`. White space around it is no part of the key.
    pub(super) fn secret_key(&mut self, database: &Database, data_dir: &Path) -> SecretKey {
        const NAME: &str = "SECRET_KEY";
        if let Some(key) = self.given(NAME) {
            let key = key.trim();
            self.check_key(NAME, key);
            if key.contains(',') {
                // It could not be listed in SECRET_KEY_PREVIOUS later.
                self.problem(
                    NAME,
                    "contains a comma; give a key without one, such as the output of `openssl rand -hex 32`",
                );
            }
            return SecretKey::Given(Secret::new(key));
        }
        // Several servers may share a PostgreSQL database, and then must share the key.
        if matches!(database, Database::Postgres(_)) {
            self.problem(NAME, format_args!("is missing; give at least {MIN_KEY_BYTES} random bytes, such as the output of `openssl rand -hex 32`"));
        }
        SecretKey::CreateBeside(data_dir.join("secret.key"))
    }

    /// `SECRET_KEY_PREVIOUS`.
    pub(super) fn previous_secret_keys(&mut self) -> Vec<Secret> {
        const NAME: &str = "SECRET_KEY_PREVIOUS";
        let keys = self.items(NAME);
        for key in &keys {
            self.check_key(NAME, key);
        }
        keys.into_iter().map(Secret::new).collect()
    }

    fn check_key(&mut self, name: &str, key: &str) {
        if key.len() < MIN_KEY_BYTES {
            self.problem(name, format_args!("has {} bytes; give at least {MIN_KEY_BYTES}, such as the output of `openssl rand -hex 32`", key.len()));
        }
    }
}

fn is_http_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.contains(['?', '#', '@'])
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
}
