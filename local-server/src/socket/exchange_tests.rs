//! The exchange over a pipe in memory, with the clock paused.

use futures_util::stream::{iter, pending};
use tokio::io::{DuplexStream, duplex};

use super::super::outgoing::WRITE_STALL_TIMEOUT;
use super::*;
use crate::room_inbox::{RoomInbox, channel};

const ID: ConnectionId = ConnectionId(1);

/// The bytes that the pipe holds.
const PIPE: usize = 64;

type Frame = Result<Message, Error>;

struct Fixture {
    room: RoomSender,
    inbox: RoomInbox,
    send_queue: SendQueue,
    client: DuplexStream,
    io: DuplexStream,
}

fn fixture() -> Fixture {
    let (room, inbox) = channel();
    let (client, io) = duplex(PIPE);
    Fixture {
        room,
        inbox,
        send_queue: SendQueue::default(),
        client,
        io,
    }
}

/// These frames, then nothing more.
fn frames(frames: Vec<Frame>) -> impl Stream<Item = Frame> + Unpin {
    iter(frames).chain(pending())
}

async fn run(
    Fixture {
        room,
        send_queue,
        io,
        ..
    }: &mut Fixture,
    received: Vec<Frame>,
) -> End {
    let mut exchange = Exchange::new(ID, room, send_queue);
    exchange.run(&mut frames(received), io).await
}

fn bytes(count: usize) -> Bytes {
    Bytes::from(vec![0; count])
}

#[tokio::test(start_paused = true)]
async fn client_that_takes_nothing_is_disconnected() {
    let mut fixture = fixture();
    let started = Instant::now();
    fixture.send_queue.push_reply(bytes(PIPE + 1)).unwrap();
    assert_eq!(run(&mut fixture, Vec::new()).await, End::Stalled);
    let elapsed = started.elapsed();
    let limit = WRITE_STALL_TIMEOUT..WRITE_STALL_TIMEOUT + Duration::from_secs(1);
    assert!(limit.contains(&elapsed), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn slow_client_that_takes_something_stays_connected() {
    let mut fixture = fixture();
    let mut client = std::mem::replace(&mut fixture.client, duplex(1).0);
    fixture.send_queue.push_reply(bytes(PIPE + 8)).unwrap();
    let pause = WRITE_STALL_TIMEOUT.mul_f64(0.95);
    let started = Instant::now();
    let reading = async {
        let mut byte = [0];
        for _ in 0..2 {
            tokio::time::sleep(pause).await;
            client.read_exact(&mut byte).await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = run(&mut fixture, Vec::new()) => assert_eq!(end, End::Stalled),
        () = reading => {}
    }
    let expected = 2 * pause + WRITE_STALL_TIMEOUT;
    let late = started.elapsed().checked_sub(expected);
    assert!(
        late.is_some_and(|late| late < Duration::from_secs(1)),
        "{late:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn stalled_write_delays_neither_frames_nor_the_close() {
    let mut fixture = fixture();
    let (send_queue, inbox) = (&fixture.send_queue, &mut fixture.inbox);
    send_queue.push_reply(bytes(10 * PIPE)).unwrap();
    let started = Instant::now();
    let mut exchange = Exchange::new(ID, &fixture.room, send_queue);
    let mut received = frames(vec![Ok(Message::text("while it stalls"))]);
    let room = async {
        let message = inbox.recv().await;
        assert!(matches!(message, Some(RoomMessage::Frame { .. })));
        // As when the token has expired.
        send_queue.close(CloseCode::TokenExpired);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        end = exchange.run(&mut received, &mut fixture.io) => {
            assert_eq!(end, End::close(CloseCode::TokenExpired));
        }
        () = room => {}
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    // A client that takes nothing is not waited for longer than the time to close.
    let outgoing = exchange.into_outgoing();
    let close = send_queue::encode_close(CloseCode::TokenExpired);
    let (mut reader, _writer) = duplex(1);
    assert!(!finish(outgoing, close, &mut fixture.io, &mut reader).await);
    assert_eq!(started.elapsed(), CLOSE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn pings_of_a_client_that_reads_nothing_are_bounded() {
    for ping in [Message::text(PING), Message::Ping(bytes(125))] {
        let mut fixture = fixture();
        let flood = (0..100_000).map(|_| Ok(ping.clone())).collect();
        assert_eq!(run(&mut fixture, flood).await, End::Stalled);
        let rejected = fixture.inbox.try_recv();
        let Ok(RoomMessage::InvalidFrame { close, .. }) = rejected else {
            panic!("{rejected:?}");
        };
        assert_eq!(close, CloseCode::Flooding);
        let owed: usize = fixture.send_queue.take_rest().iter().map(Bytes::len).sum();
        assert!(owed < 500 * 20, "{owed}");
    }
}

#[tokio::test(start_paused = true)]
async fn part_of_a_resume_is_reported_when_it_is_written() {
    let mut fixture = fixture();
    let (mut client, mut inbox) = (
        std::mem::replace(&mut fixture.client, duplex(1).0),
        std::mem::replace(&mut fixture.inbox, channel().1),
    );
    fixture
        .send_queue
        .push_resume_part(bytes(PIPE + 8))
        .unwrap();
    let room = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(inbox.try_recv().is_err(), "8 bytes are not written");
        client.read_exact(&mut [0; 8]).await.unwrap();
        let message = inbox.recv().await;
        assert!(matches!(message, Some(RoomMessage::Drained { .. })));
    };
    tokio::select! {
        end = run(&mut fixture, Vec::new()) => panic!("{end:?}"),
        () = room => {}
    }
}

#[tokio::test(start_paused = true)]
async fn each_violation_has_its_close_code() {
    let invalid_text = String::from_utf8(vec![0xff]).unwrap_err();
    let too_long = CapacityError::MessageTooLong {
        size: 2,
        max_size: 1,
    };
    for (frame, expected) in [
        (Ok(Message::binary(bytes(1))), CloseCode::Malformed),
        (
            Err(Error::Utf8(invalid_text.to_string())),
            CloseCode::InvalidUtf8,
        ),
        (
            Err(Error::Protocol(ProtocolError::NonZeroReservedBits)),
            CloseCode::ProtocolError,
        ),
        (Err(Error::Capacity(too_long)), CloseCode::FrameTooLarge),
    ] {
        let mut fixture = fixture();
        let mut inbox = std::mem::replace(&mut fixture.inbox, channel().1);
        let frames = vec![frame, Ok(Message::text("not read"))];
        tokio::select! {
            end = run(&mut fixture, frames) => panic!("{end:?}"),
            message = inbox.recv() => {
                let Some(RoomMessage::InvalidFrame { close, .. }) = message else {
                    panic!("{message:?}");
                };
                assert_eq!(close, expected);
            }
        }
        assert!(inbox.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn close_of_the_client_is_answered_with_its_code() {
    let mut fixture = fixture();
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 1001.into(),
        reason: "".into(),
    };
    let close = Ok(Message::Close(Some(frame)));
    let reply = send_queue::encode_close_reply(Some(1001));
    assert_eq!(run(&mut fixture, vec![close]).await, End::Close(reply));
}
