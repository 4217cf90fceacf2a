//! Who ends a login now and then while its sockets are open, on every device of its person. The next
//! that is told so begins another.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::log::Entry;
use crate::people::Pass;
use crate::world::Client;

/// Between two logouts, on average.
const PAUSE: Duration = Duration::from_secs(12);

const LOGOUT: &str = "/api/users/logout/";

pub(crate) struct Leaver {
    client: Client,
}

impl Leaver {
    /// For the person of this client.
    pub(crate) fn of(client: &mut Client) -> Self {
        Self {
            client: client.beside(),
        }
    }

    /// Logs out until the run ends, and at least once.
    pub(crate) async fn keep(&mut self) {
        if !self.client.habits.restless {
            return;
        }
        let mut has_left = false;
        while self.client.is_running() {
            let pause = self.client.jitter(PAUSE);
            self.client.rest(pause).await;
            if self.client.is_running() || !has_left {
                has_left |= self.log_out().await;
            }
        }
    }

    /// Asks until the login is known to be over, and then whether its token is still good for
    /// anything. Whether it came to that. Meanwhile nobody takes the token or renews it.
    async fn log_out(&mut self) -> bool {
        let person = self.client.person.clone();
        let mut held = person.hold().await;
        // Given to an exchange whose answer was lost.
        let Some(refresh) = held.refresh.take() else {
            return false;
        };
        let pass = held.pass.clone();
        let is_over = self.end(&pass, &refresh).await;
        if is_over {
            let path = format!("/api/chat/conversations/{}/messages/", self.client.room.id);
            // No answer says nothing.
            let _ = self.client.get_by(&pass, &path).await;
        }
        is_over
    }

    async fn end(&mut self, pass: &Pass, refresh: &str) -> bool {
        let (login, began) = (pass.login, Instant::now());
        self.client.note(Entry::LoggingOut { login, began });
        let body = json!({"refresh": refresh});
        let api = self.client.api.clone();
        loop {
            let asked = api.ask(Method::POST, LOGOUT, Some(&pass.token), Some(&body));
            match asked.await {
                // The second time, it was over by an attempt that had no answer.
                Ok(answer) if answer.status == 205 || answer.is_revoked() => {
                    let at = Instant::now();
                    self.client.note(Entry::LoggedOut { login, at });
                    self.client.succeeded();
                    return true;
                }
                // The token is over: the login is left as it is.
                Ok(answer) if answer.status == 401 => return false,
                Ok(answer) => self.client.refused(&answer.body),
                Err(_) => {}
            }
            sleep(self.client.back_off(Duration::from_millis(250))).await;
        }
    }
}
