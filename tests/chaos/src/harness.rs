//! What all clients share: connections to the servers, the phase of the run, retries and recording.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use colloquy_client::{
    AccessToken, Account, Backoff, Close, Error, Method, Response, Rest, Socket, Version,
};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::accounts::{RESPONSE_TIMEOUT, is_revoked};
use crate::client_log::{ClientKind, ConversationKey, Log, LogEntry, REVOKED};
use crate::frame;
use crate::message_key::MessageKey;

const REFRESH: &str = "/api/users/token/refresh/";

/// A socket that is silent for this long is given up. Longer than any injected freeze of a server.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The phase of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients send.
    Running,
    /// Clients send nothing new and finish when everything is acknowledged.
    Settling,
    /// Every client has caught up.
    Over,
}

/// The load a client generates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// The average pause between two messages.
    pub(crate) pause: Duration,
    /// The largest number of unacknowledged messages.
    pub(crate) window: usize,
    /// Whether it fills its window at once on a burst request.
    pub(crate) bursts: bool,
    /// Whether it logs out now and then and logs in again.
    pub(crate) logs_out: bool,
}

/// One client: its user, its log and its random numbers.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) index: u32,
    pub(crate) kind: ClientKind,
    pub(crate) user: Arc<Account>,
    pub(crate) conversation: ConversationKey,
    pub(crate) rest: Rest,
    pub(crate) behaviour: Behaviour,
    pub(crate) phase: watch::Receiver<Phase>,
    /// Counts the burst requests.
    pub(crate) burst_requests: watch::Receiver<u64>,
    pub(crate) log: Arc<Mutex<Log>>,
    /// Receives a sample of the deliveries.
    pub(crate) probe: mpsc::Sender<(ConversationKey, LogEntry)>,
    pub(crate) rng: Rng,
    pub(crate) next_number: u32,
    /// The credentials of the last socket, and when it was requested.
    pub(crate) access: AccessToken,
    pub(crate) requested_at: Instant,
    pub(crate) backoff: Backoff,
}

impl Client {
    pub(crate) fn record(&self, entry: LogEntry) {
        self.with_log(|log| log.record(entry));
    }

    pub(crate) fn with_log<T>(&self, write: impl FnOnce(&mut Log) -> T) -> T {
        write(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.phase.borrow() == Phase::Running
    }

    /// Waits for `pause`, but at most until the settling phase.
    pub(crate) async fn rest(&mut self, pause: Duration) {
        let settling = self.phase.wait_for(|phase| *phase != Phase::Running);
        // The pause may end early or in full.
        let _ = timeout(pause, settling).await;
    }

    pub(crate) fn new_key(&mut self) -> MessageKey {
        self.next_number += 1;
        MessageKey {
            client: self.index,
            number: self.next_number,
        }
    }

    /// A random pause around the average, so that clients do not act in step.
    pub(crate) fn jitter(&mut self, average: Duration) -> Duration {
        colloquy_client::jitter(average, &mut self.rng)
    }

    /// The exponential backoff after a failed attempt, so that an overloaded server can recover.
    pub(crate) fn backoff(&mut self, first: Duration) -> Duration {
        self.backoff.failed(first, &mut self.rng)
    }

    /// Resets the backoff.
    pub(crate) fn succeeded(&mut self) {
        self.backoff.succeeded();
    }

    /// Records a received event. An event that differs from what was sent is a violation.
    pub(crate) fn record_event(&mut self, event: Result<LogEntry, String>) -> Option<LogEntry> {
        match event {
            Ok(entry) => {
                self.record(entry);
                if self.rng.u32(0..50) == 0 {
                    // A probe with a full queue skips the event.
                    let _ = self.probe.try_send((self.conversation, entry));
                }
                Some(entry)
            }
            Err(violation) => {
                self.with_log(|log| log.violation(violation));
                None
            }
        }
    }

    /// The same client for a second task, with random numbers of its own.
    pub(crate) fn fork(&mut self) -> Self {
        let rng = Rng::with_seed(self.rng.u64(..));
        Self {
            rng,
            ..self.clone()
        }
    }

    /// Records an open socket; a v2 socket received `hello` with this `seq`.
    pub(crate) fn opened(&self, hello_seq: Option<u64>) {
        self.record(LogEntry::Opened {
            hello_seq,
            established_at: Instant::now(),
            requested_at: self.requested_at,
            session: self.access.login,
        });
    }

    /// Opens a socket through the proxy.
    pub(crate) async fn open(&mut self, version: Version) -> Result<Socket, Error> {
        self.access = self.user.access().await;
        self.requested_at = Instant::now();
        let (base_url, token) = (self.rest.base_url(), &self.access.token);
        Socket::open(
            base_url,
            self.conversation.id,
            token,
            version,
            RESPONSE_TIMEOUT,
        )
        .await
    }

    /// Records the close of a socket and follows its code; returns the pause before a reconnect.
    pub(crate) async fn closed(&mut self, close: &Close) -> Duration {
        self.with_log(|log| log.closed(close.code, &close.reason));
        if close.code == REVOKED.0 {
            self.session_refused(self.access.login);
        }
        if close.code == 4200 || close.code == REVOKED.0 {
            let rejected = self.access.clone();
            if self.renew(&rejected).await.is_err() {
                // The next socket is closed with the same code, and the renewal is tried again.
                return self.backoff(Duration::from_secs(1));
            }
        }
        close.retry_after().unwrap_or_default() + self.backoff(Duration::from_millis(150))
    }

    /// Reads the whole history until it reaches `head`.
    pub(crate) async fn catch_up(&mut self, head: u64) {
        let mut loaded = 0;
        while loaded < head {
            match self.load(loaded).await {
                Ok(number) if number >= head => loaded = number,
                _ => sleep(self.backoff(Duration::from_millis(300))).await,
            }
        }
    }

    /// Loads everything after `number` over REST; returns the last number.
    pub(crate) async fn load(&mut self, mut number: u64) -> Result<u64> {
        loop {
            let path = format!(
                "/api/chat/conversations/{}/messages/?after={number}&limit=100",
                self.conversation.id
            );
            let page = self.get(&path).await?;
            let messages = page["messages"]
                .as_array()
                .context("history page without messages")?;
            for message in messages {
                match frame::history_message(message) {
                    Ok(event) => {
                        number = number.max(event.number);
                        self.record(LogEntry::HistoryRead(event));
                    }
                    Err(violation) => self.with_log(|log| log.violation(violation)),
                }
            }
            if page["next_after"].is_null() || messages.is_empty() {
                return Ok(number);
            }
        }
    }

    /// Sends a request once. On any status but the accepted ones, returns the pause before the next
    /// attempt. Neither a missing response nor most error responses prove that nothing was done.
    pub(crate) async fn attempt(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        good: &[u16],
    ) -> Result<Response, Duration> {
        let access = self.user.access().await;
        let (token, login) = (Some(access.token.as_str()), access.login);
        let requested_at = Instant::now();
        let wait = match self.rest.request(method, path, token, body).await {
            Err(_) => self.backoff(Duration::from_millis(250)),
            Ok(response) if good.contains(&response.status) => {
                self.record(LogEntry::RequestAccepted {
                    session: login,
                    requested_at,
                });
                self.succeeded();
                return Ok(response);
            }
            Ok(response) if response.status == 401 => {
                self.unauthorized(&response, login);
                match self.renew(&access).await {
                    Ok(()) => Duration::ZERO,
                    Err(_) => self.backoff(Duration::from_secs(1)),
                }
            }
            Ok(response) => {
                let retry_after = response.retry_after();
                self.refused(response);
                retry_after.unwrap_or_else(|| self.backoff(Duration::from_millis(250)))
            }
        };
        Err(wait + self.jitter(Duration::from_millis(50)))
    }

    /// Renews a rejected access token, at times after a refresh whose response is dropped. Records a
    /// refresh that is refused: only a logout excuses it.
    async fn renew(&mut self, rejected: &AccessToken) -> Result<(), Error> {
        if self.rng.u32(0..3) == 0 {
            self.lose_refresh(rejected).await;
        }
        let renewed = self.user.renew(&self.rest, &rejected.token).await;
        if let Err(Error::Rejected(rejection)) = &renewed
            && rejection.code == REVOKED.1
        {
            self.session_refused(rejected.login);
        }
        renewed
    }

    /// Refreshes and drops the response, as a client does that is suspended before it arrives.
    async fn lose_refresh(&self, rejected: &AccessToken) {
        let tokens = self.user.lock().await;
        let Some(refresh) = &tokens.refresh else {
            return;
        };
        if tokens.access != *rejected {
            return;
        }
        let body = json!({"refresh": refresh});
        let request = self.rest.request(Method::POST, REFRESH, None, Some(&body));
        if request.await.is_ok_and(|response| response.status == 200) {
            let session = rejected.login;
            self.record(LogEntry::RefreshLost { session });
        }
    }

    /// Gets a page, once.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        let access = self.user.access().await;
        let response = self.get_with(&access, path).await?;
        match response.status {
            200 => {
                self.succeeded();
                Ok(response.body)
            }
            401 => {
                self.renew(&access).await?;
                bail!("the access token has expired")
            }
            status => {
                self.refused(response);
                bail!("{path} answered {status}")
            }
        }
    }

    /// Gets a page, once, with this token, valid or not; returns any response.
    pub(crate) async fn get_with(&self, access: &AccessToken, path: &str) -> Result<Response> {
        let requested_at = Instant::now();
        let token = Some(access.token.as_str());
        let response = self.rest.request(Method::GET, path, token, None).await?;
        let session = access.login;
        match response.status {
            200 => self.record(LogEntry::RequestAccepted {
                session,
                requested_at,
            }),
            401 => self.unauthorized(&response, session),
            _ => {}
        }
        Ok(response)
    }

    /// Records a refused token, expired or revoked.
    fn unauthorized(&self, response: &Response, session: u32) {
        if is_revoked(response) {
            self.session_refused(session);
        }
    }

    /// Records that this session was reported as revoked.
    fn session_refused(&self, session: u32) {
        let at = Instant::now();
        self.record(LogEntry::SessionRefused { session, at });
    }

    /// Records a REST error response.
    pub(crate) fn refused(&self, response: Response) {
        let code = response.code().unwrap_or("none").to_owned();
        let is_retryable = response
            .expect(&[])
            .is_err_and(|error| error.is_retryable());
        self.with_log(|log| log.refused(&code, is_retryable));
    }
}
