//! Micro-benchmarks of single steps, without sockets, database or Redis:
//! `cargo bench --package colloquy-core`. `cargo xtask bench` measures a whole server.

#[path = "../tests/http/fakes.rs"]
#[expect(
    dead_code,
    clippy::wildcard_imports,
    reason = "shared with the route tests, which use more of them"
)]
mod fakes;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::body::Body;
use axum::http::Request;
use colloquy_core::auth::Tokens;
use colloquy_core::cache::{InProcess, RecentHistory};
use colloquy_core::config::{Secret, Settings};
use colloquy_core::counters::InProcessCounters;
use colloquy_core::http::{App, ClientAddress, router};
use colloquy_core::ports::{Cache, Clock};
use colloquy_core::service::{Ports, Services};
use colloquy_proto::domain::{
    Admission, AppendOutcome, BatchOutcome, Caller, ConversationId, Epoch, MessageId,
    MessageNumber, Position, Seconds, Seq, SessionId, StoredMessage, Timestamp, UserId,
};
use colloquy_proto::protocol::{Event, MessageEvent};
use colloquy_proto::room::{ConnectionId, Effect, Input, NewConnection, NewEvents, Room};
use divan::{Bencher, black_box};
use fakes::{Counter, FakeRooms, FakeStore, Inline, ManualClock, ManualTimer, NOW};
use tower::ServiceExt as _;

const CONVERSATION: ConversationId = ConversationId(7);

fn main() {
    divan::main();
}

fn epoch() -> Epoch {
    Epoch("k3f9".into())
}

fn event(seq: i64) -> Event {
    Event::Message(MessageEvent {
        seq: Seq(seq),
        number: MessageNumber(seq),
        message_id: MessageId(seq + 100),
        message: "the quick brown fox jumps over the lazy dog".into(),
        sender_id: UserId(9),
        sender: "zoe".into(),
        timestamp: NOW,
        client_message_id: None,
        reply_to: None,
        mentions: Vec::new(),
        version: 1,
    })
}

/// A Room with this many v2 connections, at position 0.
fn room(members: u64) -> Room {
    let mut room = Room::new(CONVERSATION, 0);
    for member in 1..=members {
        let user = i64::try_from(member).expect("small");
        let connection = NewConnection {
            caller: Caller {
                user_id: UserId(user),
                session_id: SessionId(format!("s{user}").into()),
                expires_at: Timestamp(NOW.0 + 86_400_000),
            },
            admission: Admission {
                position: Position {
                    epoch: epoch(),
                    seq: Seq(0),
                    number: MessageNumber(0),
                },
                last_removal_seq: Seq(0),
            },
            v2: true,
        };
        let id = ConnectionId(member);
        drop(room.handle(Input::Connect { id, connection }, NOW));
    }
    room
}

/// A send through the Room: frame in, stored, acknowledgement and fan-out out.
#[divan::bench(args = [10, 50, 500])]
fn room_send(bencher: Bencher<'_, '_>, members: u64) {
    let mut room = room(members);
    let mut seq = 0;
    bencher.bench_local(|| {
        seq += 1;
        let text = format!(
            r#"{{"type":"send","client_message_id":"{seq}","message":"the quick brown fox"}}"#
        );
        let id = ConnectionId(1);
        let effects = room.handle(Input::Frame { id, text: &text }, NOW);
        let commits = effects.into_iter();
        let commits = commits.filter(|one| matches!(one, Effect::Commit(_)));
        assert_eq!(commits.count(), 1);
        let stored = StoredMessage {
            message_id: MessageId(seq),
            seq: Seq(seq),
            number: MessageNumber(seq),
            timestamp: NOW,
            sender: "zoe".into(),
            mentions: Vec::new(),
        };
        let batch = BatchOutcome {
            epoch: epoch(),
            outcomes: vec![AppendOutcome::Stored(stored)],
        };
        room.handle(Input::Committed(Ok(batch)), NOW)
    });
}

/// An event's JSON, once for all receivers.
#[divan::bench]
fn encode_event(bencher: Bencher<'_, '_>) {
    let event = event(1);
    bencher.bench_local(|| black_box(&event).encode());
}

/// A frame for several events.
#[divan::bench(args = [2, 20])]
fn encode_batch(bencher: Bencher<'_, '_>, events: i64) {
    let events: Vec<_> = (1..=events).map(|seq| event(seq).encode()).collect();
    bencher.bench_local(|| colloquy_proto::protocol::encode_batch(black_box(&events)));
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime")
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock(AtomicI64::new(NOW.0)))
}

fn cache() -> Arc<dyn Cache> {
    Arc::new(InProcess::new(clock(), 1 << 20))
}

fn new_events(seqs: RangeInclusive<i64>) -> NewEvents {
    NewEvents {
        conversation_id: CONVERSATION,
        epoch: epoch(),
        events: seqs.map(|seq| (Seq(seq), event(seq).encode())).collect(),
    }
}

/// A full page from the in-process cache: memoized, or read, decoded, proven and serialized.
#[divan::bench(args = [true, false])]
fn cached_history(bencher: Bencher<'_, '_>, memoized: bool) {
    let recent = RecentHistory::new(cache(), clock());
    let runtime = runtime();
    runtime.block_on(recent.record(&[new_events(1..=100)]));
    let position = Position {
        epoch: epoch(),
        seq: Seq(100),
        number: MessageNumber(100),
    };
    bencher.bench_local(|| {
        let fresh = RecentHistory::new(cache(), clock());
        let prover = if memoized { &recent } else { &fresh };
        let page = runtime.block_on(async {
            let mut read = recent.read(CONVERSATION, 100).await?;
            prover.page(&mut read, &position, 100).await
        });
        assert!(page.is_some(), "the cache has the page");
        page
    });
}

/// Writing one event to the cache.
#[divan::bench]
fn cache_record(bencher: Bencher<'_, '_>) {
    let recent = RecentHistory::new(cache(), clock());
    let runtime = runtime();
    let mut seq = 0;
    bencher.bench_local(|| {
        seq += 1;
        runtime.block_on(recent.record(&[new_events(seq..=seq)]));
    });
}

/// Verifying an access token, with and without the memo.
#[divan::bench(args = [true, false])]
fn verify_token(bencher: Bencher<'_, '_>, memoized: bool) {
    let tokens = tokens();
    let (token, _) = tokens.issue_access(UserId(1), &SessionId("s1".into()), NOW);
    bencher.bench_local(|| {
        if memoized {
            tokens.verify_access_memoized(black_box(&token), NOW)
        } else {
            tokens.verify_access(black_box(&token), NOW)
        }
    });
}

fn tokens() -> Tokens {
    let secret = Secret::new("a key of more than 32 bytes, all of it");
    Tokens::new(&secret, &[], Seconds(900), Seconds(604_800))
}

/// A request through the whole router: a probe without work, and one with a token.
#[divan::bench(args = ["/health/live/", "/api/users/profile/"])]
fn route(bencher: Bencher<'_, '_>, path: &str) {
    // The clock does not advance, so no budget would refill.
    let lookup = |name: &str| (name == "BUDGET_FACTOR").then(|| "0".to_owned());
    let settings = Arc::new(Settings::read(lookup).expect("defaults"));
    let tokens = Arc::new(tokens());
    let token = tokens
        .issue_access(UserId(1), &SessionId("s1".into()), NOW)
        .0;
    let cache = cache();
    let recent = Arc::new(RecentHistory::new(Arc::clone(&cache), clock()));
    let ports = Ports {
        store: Arc::new(FakeStore::default()),
        cache,
        rooms: Arc::new(FakeRooms::default()),
        passwords: Arc::new(Inline),
        counters: Arc::new(InProcessCounters::new(clock(), 1_000)),
        clock: clock(),
        timer: Arc::new(ManualTimer(Arc::new(ManualClock(AtomicI64::new(NOW.0))))),
        rng: Arc::new(Counter::default()),
    };
    let services = Services::new(ports, recent, tokens, settings.attempts, settings.members);
    let router = router(App::new(settings, Arc::new(services)));
    let runtime = runtime();
    bencher.bench_local(|| {
        let request = Request::get(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {token}"))
            .extension(ClientAddress([192, 0, 2, 1].into()))
            .body(Body::empty())
            .expect("a request");
        let response = runtime.block_on(router.clone().oneshot(request));
        let response = response.unwrap_or_else(|never| match never {});
        assert!(response.status().is_success(), "{}", response.status());
        response
    });
}
