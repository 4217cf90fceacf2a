//! A v1 client of one conversation. v1 has no ids, no acknowledgement and no resume: the sender's
//! own broadcast is the acknowledgement, and what a socket missed is read from the history by
//! `number`.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::close::{Close, CloseAction};
use crate::error::{Error, Rejection};
use crate::frame::Frame;
use crate::sent::{count, messages_path};
use crate::socket::{Received, Socket, Version};

/// How long opening a socket may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// The average pause after the first lost connection.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// A message, from a socket or from the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub message_id: u64,
    /// Its ordinal among the messages.
    pub number: u64,
    /// The sender.
    pub sender_id: u64,
    /// Its text.
    pub text: String,
}

/// A v1 client of one conversation. Served while one of its methods is awaited, as
/// [`Conversation`](crate::Conversation) is.
#[derive(Debug)]
pub struct ConversationV1 {
    client: Client,
    conversation_id: u64,
    socket: Option<Socket>,
    number: u64,
    messages: VecDeque<Message>,
    backoff: Backoff,
    rng: Rng,
}

impl ConversationV1 {
    /// Opens a conversation: only messages sent from now on are delivered.
    pub async fn open(client: &Client, conversation_id: u64) -> Result<Self, Error> {
        let client = client.clone();
        let path = format!("{}?limit=1", messages_path(conversation_id));
        let page = client.request(crate::Method::GET, &path, None, &[200]);
        let newest = &page.await?["messages"][0]["number"];
        let number = newest.as_u64().unwrap_or_default();
        let mut conversation = Self {
            client,
            conversation_id,
            socket: None,
            number,
            messages: VecDeque::new(),
            backoff: Backoff::default(),
            rng: Rng::new(),
        };
        conversation.connect().await?;
        Ok(conversation)
    }

    /// The next message; none when none arrives within `limit`. Reconnects when the socket is
    /// lost and reads what it missed from the history.
    pub async fn next(&mut self, limit: Duration) -> Result<Option<Message>, Error> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(Some(message));
            }
            match self.receive(deadline).await {
                Err(Error::Deadline) => return Ok(None),
                Err(Error::Closed(close)) => self.reopen(close).await?,
                Err(error) => return Err(error),
                // Without an id a refusal answers no send of this call.
                Ok(_) => {}
            }
        }
    }

    /// Sends a message and returns when it is stored. Waits out the throttle.
    /// [`Error::Unknown`] when the connection is lost first: a repeat could store it twice.
    pub async fn send(&mut self, text: &str) -> Result<Message, Error> {
        let deadline = self.client.deadline();
        let frame = json!({"message": text}).to_string();
        let sender_id = self.client.account().user_id();
        loop {
            if self.socket.is_none() {
                self.connect().await?;
            }
            let mut checked = self.messages.len();
            if self.write(frame.clone()).await.is_err() {
                self.socket = None;
                return Err(Error::Unknown);
            }
            let wait = loop {
                match self.receive(deadline).await {
                    Ok(None) => {}
                    Ok(Some(rejection)) if rejection.code == "throttled" => {
                        break rejection.retry_after.unwrap_or(Duration::from_secs(1));
                    }
                    Ok(Some(rejection)) => return Err(Error::Rejected(rejection)),
                    Err(Error::Closed(_)) => return Err(Error::Unknown),
                    Err(error) => return Err(error),
                }
                let mut new = self.messages.iter().skip(checked);
                let own = new.find(|one| one.sender_id == sender_id && one.text == text);
                if let Some(message) = own {
                    return Ok(message.clone());
                }
                checked = self.messages.len();
            };
            sleep(wait).await;
        }
    }

    /// Closes the socket.
    pub async fn close(self) {
        if let Some(socket) = self.socket {
            socket.close().await;
        }
    }

    /// Opens a socket, then reads what was sent before it was open.
    async fn connect(&mut self) -> Result<(), Error> {
        let access = self.client.account().access().await.token;
        let base_url = self.client.rest().base_url();
        let (id, version) = (self.conversation_id, Version::V1);
        self.socket = Some(Socket::open(base_url, id, &access, version, OPEN_LIMIT).await?);
        self.fill().await
    }

    async fn reopen(&mut self, close: Close) -> Result<(), Error> {
        let mut asked = match close.action() {
            CloseAction::Stop => return Err(Error::Closed(close)),
            CloseAction::ReconnectAfter(asked) => asked,
            CloseAction::Reconnect | CloseAction::RenewToken => Duration::ZERO,
        };
        if close.action() == CloseAction::RenewToken {
            let access = self.client.account().access().await.token;
            let account = self.client.account();
            account.renew(self.client.rest(), &access).await?;
        }
        let deadline = self.client.deadline();
        loop {
            sleep(asked + self.backoff.failed(FIRST_PAUSE, &mut self.rng)).await;
            match self.connect().await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(Error::Deadline | Error::NoResponse(_)) => asked = Duration::ZERO,
                Err(error) => return Err(error),
            }
        }
    }

    async fn write(&mut self, frame: String) -> Result<(), Close> {
        match &mut self.socket {
            Some(socket) => socket.send(frame).await,
            None => Err(Close::abnormal("not connected")),
        }
    }

    /// Reads one frame. Returns a refusal, if it is one.
    async fn receive(&mut self, deadline: Instant) -> Result<Option<Rejection>, Error> {
        let Some(socket) = &mut self.socket else {
            return Err(Error::Closed(Close::abnormal("not connected")));
        };
        let received = timeout_at(deadline, socket.next()).await;
        let text = match received.map_err(|_| Error::Deadline)? {
            Received::Text(text) => text,
            Received::Closed(close) => {
                self.socket = None;
                return Err(Error::Closed(close));
            }
        };
        let frame = Frame::parse(&text);
        let frame = frame.map_err(|error| Error::Unexpected(format!("{error}: {text}")))?;
        if frame.error.is_some() {
            return Ok(Some(Rejection::of_frame(&frame)));
        }
        if frame.kind() == "message" {
            self.backoff.succeeded();
            self.message(&frame).await?;
        }
        Ok(None)
    }

    async fn message(&mut self, frame: &Frame<'_>) -> Result<(), Error> {
        let (Some(message_id), Some(number), Some(sender_id)) =
            (frame.message_id, frame.number, frame.sender_id)
        else {
            return Err(Error::Unexpected(format!("incomplete message: {frame:?}")));
        };
        if number > self.number + 1 {
            return self.fill().await;
        }
        if number == self.number + 1 {
            self.number = number;
            self.messages.push_back(Message {
                message_id,
                number,
                sender_id,
                text: frame.message.as_deref().unwrap_or_default().to_owned(),
            });
        }
        Ok(())
    }

    /// Reads every message after the newest one from the history.
    async fn fill(&mut self) -> Result<(), Error> {
        let reading = self.client.history_after(self.conversation_id, self.number);
        for message in reading.await? {
            let message = read(&message)?;
            self.number = message.number;
            self.messages.push_back(message);
        }
        Ok(())
    }
}

fn read(message: &Value) -> Result<Message, Error> {
    Ok(Message {
        message_id: count(message, "id")?,
        number: count(message, "number")?,
        sender_id: count(message, "sender_id")?,
        text: message["content"].as_str().unwrap_or_default().to_owned(),
    })
}
