//! Fake ports. The store has one account and fixed conversations, and returns what a test sets; the
//! real implementations have suites of their own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use colloquy_core::auth::{HashMemory, PasswordJob, PasswordOutcome};
use colloquy_core::ports::*;
use colloquy_proto::domain::*;
use colloquy_proto::protocol::{CloseCode, EditedEvent, Event, SendCommand};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// A conversation of Ann's.
pub(crate) const MINE: ConversationId = ConversationId(1);
/// A conversation Ann is not a member of. No other exists.
pub(crate) const THEIRS: ConversationId = ConversationId(2);
pub(crate) const MESSAGES: i64 = 120;

/// The members of Ann's conversation, by id from 1.
pub(crate) const MEMBERS: i64 = 5;

pub(crate) fn member(id: i64) -> Member {
    Member {
        id: UserId(id),
        username: format!("user{id}").into(),
        first_name: String::new(),
        last_name: String::new(),
        joined_at: NOW,
    }
}

pub(crate) fn ann() -> User {
    User {
        id: UserId(1),
        username: "ann".into(),
        email: "ann@example.com".to_owned(),
        first_name: "Ann".to_owned(),
        last_name: String::new(),
    }
}

pub(crate) fn message(number: i64) -> Message {
    Message {
        id: MessageId(1_000 + number),
        sender_id: UserId(1),
        sender: "ann".into(),
        content: format!("message {number}").into(),
        timestamp: NOW,
        seq: Seq(number),
        number: MessageNumber(number),
        client_message_id: None,
        reply_to: None,
        mentions: Vec::new(),
        version: 1,
    }
}

pub(crate) fn conversation() -> Conversation {
    Conversation {
        id: MINE,
        kind: ConversationKind::Direct,
        name: None,
        participants: vec![ann()],
        member_count: 1,
        messages: Vec::new(),
        created_at: NOW,
        seq: Seq(MESSAGES),
        number: MessageNumber(MESSAGES),
    }
}

pub(crate) fn position() -> Position {
    Position {
        epoch: Epoch("e1".into()),
        seq: Seq(MESSAGES),
        number: MessageNumber(MESSAGES),
    }
}

#[derive(Default)]
pub(crate) struct FakeStore {
    pub(crate) password_hash: Mutex<String>,
    /// From where the account was used.
    pub(crate) devices: Mutex<Vec<KnownDevice>>,
    /// 0 for none, 1 for `Unavailable`, 2 for `Unexpected`.
    pub(crate) failure: AtomicU8,
    pub(crate) revoked: Mutex<HashSet<SessionId>>,
    pub(crate) generation: AtomicI64,
    /// When the current generation was issued.
    pub(crate) rotated_at: AtomicI64,
    /// The outcome of a change; `Done` by default.
    pub(crate) change_outcome: Mutex<Option<ChangeOutcome>>,
    /// The `seq` of every conversation of a list.
    pub(crate) listed_seq: AtomicI64,
    /// The cached summaries passed to the last list.
    pub(crate) cached: Mutex<CachedSummaries>,
}

/// The event that the store returns for every change: an edit.
pub(crate) fn edited() -> StoredEvent {
    StoredEvent {
        epoch: Epoch("e1".into()),
        event: Event::Edited(EditedEvent {
            seq: Seq(MESSAGES + 1),
            message_id: MessageId(1_007),
            message: "another".into(),
            version: 2,
            user_id: UserId(1),
            timestamp: NOW,
        }),
    }
}

impl FakeStore {
    fn result<T>(&self, value: T) -> StoreResult<T> {
        match self.failure.load(Ordering::Relaxed) {
            0 => Ok(value),
            1 => Err(StoreError::Unavailable(
                "connection refused to 10.1.2.3".to_owned(),
            )),
            _ => Err(StoreError::Unexpected("secret internals".to_owned())),
        }
    }

    fn change_outcome(&self) -> ChangeOutcome {
        let outcome = self.change_outcome.lock().unwrap().clone();
        outcome.unwrap_or_else(|| ChangeOutcome::Done(Box::new(edited())))
    }

    fn check_session<T>(
        &self,
        caller: &Caller,
        result: Authorized<T>,
    ) -> StoreResult<Authorized<T>> {
        let revoked = self.revoked.lock().unwrap().contains(&caller.session_id);
        self.result(if revoked {
            Err(Denied::Session)
        } else {
            result
        })
    }

    fn check_member<T>(
        &self,
        caller: &Caller,
        id: ConversationId,
        value: T,
    ) -> StoreResult<Authorized<T>> {
        let result = match id {
            MINE => Ok(value),
            THEIRS => Err(Denied::NotMember),
            _ => Err(Denied::NotFound),
        };
        self.check_session(caller, result)
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn create_user(&self, user: &NewUser, _: Timestamp) -> StoreResult<CreatedUser> {
        let taken = (
            user.username.eq_ignore_ascii_case("ann"),
            user.email.eq_ignore_ascii_case("ann@example.com"),
        );
        self.result(match taken {
            (false, false) => CreatedUser::Created(User {
                id: UserId(2),
                username: user.username.as_str().into(),
                email: user.email.clone(),
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
            }),
            (username, email) => CreatedUser::Taken { username, email },
        })
    }

    async fn credentials(&self, username: &str) -> StoreResult<Option<Credentials>> {
        let credentials = || Credentials {
            user: ann(),
            password_hash: self.password_hash.lock().unwrap().clone(),
            devices: self.devices.lock().unwrap().clone(),
        };
        self.result(username.eq_ignore_ascii_case("ann").then(credentials))
    }

    async fn accounts_without_keys(
        &self,
        _: UserId,
        _: i64,
    ) -> StoreResult<Vec<AccountWithoutKeys>> {
        unreachable!("after migrations only")
    }

    async fn set_account_keys(&self, _: &[AccountKeys]) -> StoreResult<()> {
        unreachable!("after migrations only")
    }

    async fn open_session(&self, session: &NewSession) -> StoreResult<bool> {
        let used_at = session.created_at;
        let device = session.device.clone();
        let device = device.map(|key| KnownDevice { key, used_at });
        self.devices.lock().unwrap().extend(device);
        self.result(true)
    }

    async fn rotate_session(&self, rotation: &Rotation) -> StoreResult<RotationOutcome> {
        let mut revoked = self.revoked.lock().unwrap();
        let generation = self.generation.load(Ordering::Relaxed);
        let rotated_at = Timestamp(self.rotated_at.load(Ordering::Relaxed));
        let rotated = if revoked.contains(&rotation.session_id) {
            RotationOutcome::Refused
        } else if generation == rotation.generation {
            self.generation.fetch_add(1, Ordering::Relaxed);
            self.rotated_at.store(rotation.now.0, Ordering::Relaxed);
            RotationOutcome::Rotated { at: rotation.now }
        } else if generation == rotation.generation + 1 && rotated_at >= rotation.repeatable_since {
            RotationOutcome::Rotated { at: rotated_at }
        } else {
            revoked.insert(rotation.session_id.clone());
            RotationOutcome::Reused
        };
        self.result(rotated)
    }

    async fn revoke_session(
        &self,
        _: UserId,
        session_id: &SessionId,
        _: Timestamp,
    ) -> StoreResult<bool> {
        let fresh = self.revoked.lock().unwrap().insert(session_id.clone());
        self.result(fresh)
    }

    async fn profile(&self, caller: &Caller, _: Timestamp) -> StoreResult<Authorized<User>> {
        self.check_session(caller, Ok(ann()))
    }

    async fn create_conversation(
        &self,
        caller: &Caller,
        new: &NewConversation,
        _: Timestamp,
    ) -> StoreResult<Authorized<CreatedConversation>> {
        let unknown: Vec<_> = new.others.iter().copied().filter(|id| id.0 > 9).collect();
        let outcome = if !unknown.is_empty() {
            CreatedConversation::UnknownParticipants(unknown)
        } else if new.kind == ConversationKind::Direct {
            CreatedConversation::Existing(conversation())
        } else {
            CreatedConversation::Created(conversation())
        };
        self.check_session(caller, Ok(outcome))
    }

    async fn conversations(
        &self,
        caller: &Caller,
        after: Option<(ListPosition, ConversationId)>,
        limit: i64,
        cached: &CachedSummaries,
        _: Timestamp,
    ) -> StoreResult<Authorized<ConversationPage>> {
        cached.clone_into(&mut self.cached.lock().unwrap());
        let seq = Seq(self.listed_seq.load(Ordering::Relaxed));
        let below = after.map_or(6, |(_, id)| id.0);
        let summary = |id| ConversationSummary {
            id,
            kind: ConversationKind::Group,
            name: None,
            participants: Vec::new(),
            member_count: 1,
            last_message: None,
            created_at: NOW,
            active_at: NOW,
            list_position: ListPosition(NOW.0),
            seq,
            number: MessageNumber(0),
        };
        let listed = |id| {
            if cached.at.contains(&(id, seq)) {
                return ListedConversation::NotModified(id);
            }
            ListedConversation::Summary(Box::new(summary(id)))
        };
        let conversations = (1..below)
            .rev()
            .map(|id| listed(ConversationId(id)))
            .take(usize::try_from(limit).unwrap());
        let page = ConversationPage {
            epoch: position().epoch,
            caller: Arc::new(ann()),
            conversations: conversations.collect(),
            is_cut: false,
        };
        self.check_session(caller, Ok(page))
    }

    async fn conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
        _: Timestamp,
    ) -> StoreResult<Authorized<Conversation>> {
        self.check_member(caller, id, conversation())
    }

    async fn position(
        &self,
        caller: &Caller,
        id: ConversationId,
        _: Timestamp,
    ) -> StoreResult<Authorized<Position>> {
        self.check_member(caller, id, position())
    }

    async fn messages(
        &self,
        caller: &Caller,
        id: ConversationId,
        range: HistoryRange,
        limit: i64,
        _: Timestamp,
    ) -> StoreResult<Authorized<History>> {
        let numbers = match range {
            HistoryRange::Latest => MESSAGES - limit + 1..=MESSAGES,
            HistoryRange::Before(number) => {
                (number.0 - limit).max(1)..=(number.0 - 1).min(MESSAGES)
            }
            HistoryRange::After(number) => {
                number.0.saturating_add(1)..=number.0.saturating_add(limit).min(MESSAGES)
            }
            HistoryRange::Around(number) => {
                number.0 - limit / 2..=number.0.saturating_add(limit / 2).min(MESSAGES)
            }
        };
        let messages = numbers
            .filter(|number| (1..=MESSAGES).contains(number))
            .map(message)
            .collect();
        self.check_member(
            caller,
            id,
            History {
                messages,
                position: position(),
            },
        )
    }

    async fn members(
        &self,
        caller: &Caller,
        id: ConversationId,
        after: UserId,
        limit: i64,
        _: Timestamp,
    ) -> StoreResult<Authorized<Vec<Member>>> {
        let members = (after.0 + 1..=MEMBERS).map(member);
        let members = members.take(usize::try_from(limit).unwrap());
        self.check_member(caller, id, members.collect())
    }

    async fn admit(
        &self,
        caller: &Caller,
        id: ConversationId,
        _: Timestamp,
    ) -> StoreResult<Authorized<Admission>> {
        self.check_member(
            caller,
            id,
            Admission {
                position: position(),
                last_removal_seq: Seq(0),
            },
        )
    }

    async fn append(&self, _: &[NewMessage]) -> StoreResult<BatchOutcome> {
        unreachable!("the Rooms append")
    }

    async fn edit_message(
        &self,
        caller: &Caller,
        id: ConversationId,
        _: MessageId,
        _: Option<&MessageText>,
        _: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        self.check_member(caller, id, self.change_outcome())
    }

    async fn add_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        _: UserId,
        _: i64,
        _: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        self.check_member(caller, id, self.change_outcome())
    }

    async fn remove_member(
        &self,
        caller: &Caller,
        id: ConversationId,
        _: UserId,
        _: Timestamp,
    ) -> StoreResult<Authorized<ChangeOutcome>> {
        self.check_member(caller, id, self.change_outcome())
    }

    async fn events(&self, _: ConversationId, _: Seq, _: i64) -> StoreResult<Option<EventPage>> {
        unreachable!("the Rooms read events")
    }

    async fn renew_epoch(&self, _: &Epoch) -> StoreResult<()> {
        unreachable!("only operators renew the epoch")
    }

    async fn probe(&self) -> StoreResult<()> {
        self.result(())
    }
}

/// Returns a fixed outcome for sends and records its calls.
#[derive(Default)]
pub(crate) struct FakeRooms {
    pub(crate) outcome: Mutex<Option<SendOutcome>>,
    pub(crate) sent: Mutex<Vec<SendCommand>>,
    pub(crate) revoked: Mutex<Vec<SessionId>>,
    pub(crate) changes: Mutex<Vec<Option<StoredEvent>>>,
}

fn upgraded(name: &'static str, value: String, v2: bool) -> Response {
    Response::builder()
        .status(101)
        .header(name, value)
        .header("x-v2", v2.to_string())
        .body(Body::empty())
        .unwrap()
}

#[async_trait]
impl Rooms for FakeRooms {
    async fn open_socket(&self, grant: SocketGrant, _: Request) -> Response {
        upgraded("x-opened", grant.conversation_id.to_string(), grant.v2)
    }

    async fn refuse_socket(&self, close: CloseCode, v2: bool, _: Request) -> Response {
        upgraded("x-closed", close.code().to_string(), v2)
    }

    async fn send(&self, _: ConversationId, _: &Caller, send: SendCommand) -> SendOutcome {
        self.sent.lock().unwrap().push(send);
        self.outcome
            .lock()
            .unwrap()
            .clone()
            .unwrap_or(SendOutcome::Unavailable)
    }

    async fn change_stored(&self, _: ConversationId, event: Option<StoredEvent>) {
        self.changes.lock().unwrap().push(event);
    }

    async fn revoke_session(&self, session_id: &SessionId) {
        self.revoked.lock().unwrap().push(session_id.clone());
    }
}

/// Hashes on the calling thread.
pub(crate) struct Inline;

#[async_trait]
impl Passwords for Inline {
    async fn run(&self, job: PasswordJob, _: HashPriority) -> Option<PasswordOutcome> {
        Some(job.run(&mut HashMemory::default()))
    }
}

/// A clock set by the test.
pub(crate) struct ManualClock(pub AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Waits by advancing the clock of the test.
pub(crate) struct ManualTimer(pub Arc<ManualClock>);

#[async_trait]
impl Timer for ManualTimer {
    async fn sleep(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.0.0.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Distinct and deterministic bytes.
#[derive(Default)]
pub(crate) struct Counter(AtomicU8);

impl Rng for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

pub(crate) fn stored(number: i64) -> StoredMessage {
    StoredMessage {
        message_id: MessageId(1_000 + number),
        seq: Seq(number),
        number: MessageNumber(number),
        timestamp: NOW,
        sender: Arc::from("ann"),
        mentions: Vec::new(),
    }
}
