//! Logs a user out now and then while sockets of the session are open. The next client of the user
//! that gets `session_revoked` logs in again.

use std::time::{Duration, Instant};

use colloquy_client::{AccessToken, Method};
use serde_json::json;
use tokio::time::sleep;

use crate::accounts::is_revoked;
use crate::client_log::LogEntry;
use crate::harness::Client;

/// The average pause between two logouts.
const PAUSE: Duration = Duration::from_secs(12);

const LOGOUT: &str = "/api/users/logout/";

pub(crate) struct LogoutClient {
    client: Client,
}

impl LogoutClient {
    /// The logout task of this client's user.
    pub(crate) fn of(client: &mut Client) -> Self {
        Self {
            client: client.fork(),
        }
    }

    /// Logs out until the run ends, and at least once.
    pub(crate) async fn run(&mut self) {
        if !self.client.behaviour.logs_out {
            return;
        }
        let mut has_logged_out = false;
        while self.client.is_running() {
            let pause = self.client.jitter(PAUSE);
            self.client.rest(pause).await;
            if self.client.is_running() || !has_logged_out {
                has_logged_out |= self.log_out().await;
            }
        }
    }

    /// Logs out until that is acknowledged, then uses the revoked token once. Returns whether the logout
    /// was acknowledged. The tokens stay locked during this.
    async fn log_out(&mut self) -> bool {
        let user = self.client.user.clone();
        let mut tokens = user.lock().await;
        // The session is over: its last refresh was refused.
        let Some(refresh) = tokens.refresh.clone() else {
            return false;
        };
        let access = tokens.access.clone();
        let is_revoked = self.revoke(&access, &refresh).await;
        if is_revoked {
            tokens.refresh = None;
            let path = format!(
                "/api/chat/conversations/{}/messages/",
                self.client.conversation.id
            );
            // A missing response proves nothing.
            let _ = self.client.get_with(&access, &path).await;
        }
        is_revoked
    }

    async fn revoke(&mut self, access: &AccessToken, refresh: &str) -> bool {
        let (session, sent_at) = (access.login, Instant::now());
        self.client
            .record(LogEntry::LogoutSent { session, sent_at });
        let body = json!({"refresh": refresh});
        let rest = self.client.rest.clone();
        loop {
            let request = rest.request(Method::POST, LOGOUT, Some(&access.token), Some(&body));
            match request.await {
                // On a repeat, an earlier attempt may have revoked the session.
                Ok(response) if response.status == 205 || is_revoked(&response) => {
                    let at = Instant::now();
                    self.client
                        .record(LogEntry::LogoutAcknowledged { session, at });
                    self.client.succeeded();
                    return true;
                }
                // The access token has expired: the session stays.
                Ok(response) if response.status == 401 => return false,
                Ok(response) => self.client.refused(response),
                Err(_) => {}
            }
            sleep(self.client.backoff(Duration::from_millis(250))).await;
        }
    }
}
