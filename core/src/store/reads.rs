//! The use cases that only read. They are one statement in either dialect, with the same
//! parameters and answers, so they are written once; a dialect is its set of texts.

use super::answer::{decode, decode_authorized, decode_optional, failed, run_one};
use super::driver::{Access, Driver, Param, Statement, Step};
use super::input::seqs_json;
use super::listed::Answered;
use crate::ports::{
    Admission, Authorized, CachedSummaries, ConversationPage, EventPage, History, HistoryRange,
    StoreError, StoreResult,
};
use colloquy_proto::domain::{
    Caller, Conversation, ConversationId, Credentials, MessageNumber, Position, Seq, Timestamp,
    User,
};

/// The reading statements of one dialect.
pub(super) struct Reads {
    pub(super) credentials: Statement,
    pub(super) profile: Statement,
    pub(super) conversations: Statement,
    pub(super) conversation: Statement,
    pub(super) position: Statement,
    pub(super) messages: Statement,
    pub(super) join: Statement,
    pub(super) events: Statement,
    pub(super) ping: Statement,
}

/// Every `Reads` of a dialect has these names.
macro_rules! reads {
    ($dialect:literal) => {
        $crate::store::reads::Reads {
            credentials: statement!($dialect, "accounts/credentials"),
            profile: statement!($dialect, "accounts/profile"),
            conversations: statement!($dialect, "conversations/list"),
            conversation: statement!($dialect, "conversations/read"),
            position: statement!($dialect, "conversations/position"),
            messages: statement!($dialect, "messages/page"),
            join: statement!($dialect, "conversations/join"),
            events: statement!($dialect, "messages/events"),
            ping: statement!($dialect, "instance/ping"),
        }
    };
}
pub(super) use reads;

/// The first three parameters of every statement that depends on who asks.
pub(super) fn asked_by(caller: &Caller, now: Timestamp) -> Vec<Param<'_>> {
    vec![
        Param::Int(caller.user_id.0),
        Param::Text(&caller.session_id.0),
        Param::Int(now.0),
    ]
}

/// A page as the statement takes it: at most so many below one number, so many above another.
struct Range {
    below: i64,
    below_limit: i64,
    above: i64,
    above_limit: i64,
}

impl Range {
    fn of(page: HistoryRange, limit: i64) -> Self {
        let limit = limit.max(0);
        match page {
            HistoryRange::Latest => Self::below(i64::MAX, limit),
            HistoryRange::Before(MessageNumber(number)) => Self::below(number, limit),
            HistoryRange::After(MessageNumber(number)) => Self {
                below: 0,
                below_limit: 0,
                above: number,
                above_limit: limit,
            },
            HistoryRange::Around(MessageNumber(number)) => {
                // The message itself counts to the half below.
                let below_limit = (limit / 2 + 1).min(limit);
                Self {
                    below: number.saturating_add(1),
                    below_limit,
                    above: number,
                    above_limit: limit - below_limit,
                }
            }
        }
    }

    const fn below(number: i64, limit: i64) -> Self {
        Self {
            below: number,
            below_limit: limit,
            above: 0,
            above_limit: 0,
        }
    }
}

impl Reads {
    /// Runs one of them.
    async fn ask<D: Driver>(
        driver: &D,
        access: Access,
        statement: &'static Statement,
        params: Vec<Param<'_>>,
    ) -> StoreResult<Option<String>> {
        run_one(driver, access, Step::new(statement, params))
            .await
            .map_err(failed(statement))
    }

    pub(super) async fn credentials<D: Driver>(
        &'static self,
        driver: &D,
        username: &str,
    ) -> StoreResult<Option<Credentials>> {
        let key = username.to_lowercase();
        let answer = Self::ask(
            driver,
            Access::Lookup,
            &self.credentials,
            vec![Param::Text(&key)],
        )
        .await?;
        decode_optional(&self.credentials, answer)
    }

    pub(super) async fn profile<D: Driver>(
        &'static self,
        driver: &D,
        caller: &Caller,
        now: Timestamp,
    ) -> StoreResult<Authorized<User>> {
        let answer =
            Self::ask(driver, Access::Lookup, &self.profile, asked_by(caller, now)).await?;
        decode_authorized(&self.profile, answer)
    }

    pub(super) async fn conversations<D: Driver>(
        &'static self,
        driver: &D,
        caller: &Caller,
        after: Option<(Timestamp, ConversationId)>,
        limit: i64,
        held: &CachedSummaries,
        now: Timestamp,
    ) -> StoreResult<Authorized<ConversationPage>> {
        let seqs = seqs_json(&held.at);
        let mut params = asked_by(caller, now);
        params.push(Param::OptionalInt(after.map(|(active_at, _)| active_at.0)));
        params.push(Param::OptionalInt(after.map(|(_, id)| id.0)));
        params.push(Param::Int(limit.max(0)));
        params.push(Param::OptionalText(
            held.epoch.as_ref().map(|epoch| &*epoch.0),
        ));
        params.push(Param::Text(&seqs));
        let statement = &self.conversations;
        // Where something is held, little is told.
        let access = if held.at.is_empty() {
            Access::Read
        } else {
            Access::Lookup
        };
        let answer = Self::ask(driver, access, statement, params).await?;
        let list = match decode_authorized::<Answered>(statement, answer)? {
            Ok(answered) => answered.listing(),
            Err(denied) => return Ok(Err(denied)),
        };
        list.map(Ok)
            .ok_or_else(|| StoreError::Unexpected(format!("{} names a stranger", statement.name)))
    }

    pub(super) async fn conversation<D: Driver>(
        &'static self,
        driver: &D,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Conversation>> {
        let mut params = asked_by(caller, now);
        params.push(Param::Int(id.0));
        let answer = Self::ask(driver, Access::Read, &self.conversation, params).await?;
        decode_authorized(&self.conversation, answer)
    }

    pub(super) async fn position<D: Driver>(
        &'static self,
        driver: &D,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Position>> {
        let mut params = asked_by(caller, now);
        params.push(Param::Int(id.0));
        let answer = Self::ask(driver, Access::Lookup, &self.position, params).await?;
        decode_authorized(&self.position, answer)
    }

    pub(super) async fn admit<D: Driver>(
        &'static self,
        driver: &D,
        caller: &Caller,
        id: ConversationId,
        now: Timestamp,
    ) -> StoreResult<Authorized<Admission>> {
        let mut params = asked_by(caller, now);
        params.push(Param::Int(id.0));
        let answer = Self::ask(driver, Access::Lookup, &self.join, params).await?;
        decode_authorized(&self.join, answer)
    }

    pub(super) async fn messages<D: Driver>(
        &'static self,
        driver: &D,
        caller: &Caller,
        id: ConversationId,
        page: HistoryRange,
        limit: i64,
        now: Timestamp,
    ) -> StoreResult<Authorized<History>> {
        let range = Range::of(page, limit);
        let mut params = asked_by(caller, now);
        params.extend([
            Param::Int(id.0),
            Param::Int(range.below),
            Param::Int(range.below_limit),
            Param::Int(range.above),
            Param::Int(range.above_limit),
        ]);
        let answer = Self::ask(driver, Access::Read, &self.messages, params).await?;
        decode_authorized(&self.messages, answer)
    }

    pub(super) async fn events<D: Driver>(
        &'static self,
        driver: &D,
        id: ConversationId,
        since: Seq,
        limit: i64,
    ) -> StoreResult<Option<EventPage>> {
        let params = vec![
            Param::Int(id.0),
            Param::Int(since.0.max(0)),
            Param::Int(limit.max(0)),
        ];
        let answer = Self::ask(driver, Access::Read, &self.events, params).await?;
        decode_optional(&self.events, answer)
    }

    pub(super) async fn ping<D: Driver>(&'static self, driver: &D) -> StoreResult<()> {
        let answer = Self::ask(driver, Access::Read, &self.ping, Vec::new()).await?;
        decode::<i64>(&self.ping, answer).map(|_| ())
    }
}
