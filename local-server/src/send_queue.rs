//! What a client is owed: a bounded queue of encoded WebSocket frames for one socket.
//!
//! Frames are encoded once, as bytes for the wire (a server's frames are unmasked, RFC 6455 §5.1, so
//! they are the same for every receiver), and all queues share the bytes. Everything counts until it is
//! written, also what the connection's task is writing. A queue that exceeds its bound belongs to a slow
//! consumer: it is closed and takes nothing more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use colloquy_proto::protocol::CloseCode;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The bound of owed fan-out bytes; a queue above it takes no more. The bytes are shared by all
/// queues, so this bounds the delay rather than memory. It is checked before a push: a single
/// broadcast of long messages may be larger.
const MAX_FANOUT: usize = 1024 * 1024;

/// The same for replies to this socket alone: beyond it the client sends commands faster than it reads
/// the replies. They are not shared, so this bounds memory. A part of a resume may be queued on top.
const MAX_REPLIES: usize = 256 * 1024;

/// What a queued frame takes besides its bytes.
const CHUNK_OVERHEAD: usize = size_of::<Bytes>();

/// A socket's queue. The Room's task fills it, the connection's task drains it.
#[derive(Debug)]
pub struct SendQueue {
    state: Mutex<State>,
    changed: Notify,
    opened: Instant,
    /// When the last frame was received, in milliseconds since `opened`.
    received_ms: AtomicU64,
}

impl Default for SendQueue {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::default(),
            opened: Instant::now(),
            received_ms: AtomicU64::new(0),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Bytes>,
    /// The answer to the newest WebSocket ping (RFC 6455 §5.5.3: older ones need none).
    pong: Option<Bytes>,
    /// Whether a frame was queued since the last drain.
    ready: bool,
    fanout: Owed,
    replies: Owed,
    /// Whether the chunks end a part of a resume.
    ends_part: bool,
    close: Option<CloseCode>,
}

/// Bytes that are not written yet.
#[derive(Debug, Default)]
struct Owed {
    bytes: usize,
    /// Those of them that were drained.
    drained: usize,
}

impl Owed {
    const fn add(&mut self, bytes: usize) {
        self.bytes += bytes + CHUNK_OVERHEAD;
    }

    const fn drain(&mut self) {
        self.drained = self.bytes;
    }

    const fn written(&mut self) {
        self.bytes -= self.drained;
        self.drained = 0;
    }
}

/// The contents of a queue.
#[derive(Debug)]
pub struct Drained {
    /// The bytes to write, in order.
    pub chunks: Vec<Bytes>,
    /// Whether the Room waits until they are written, because they end a part of a resume.
    pub ends_part: bool,
    /// The close frame to send after them, as the last one.
    pub close: Option<CloseCode>,
}

/// The client reads too slowly; its queue was closed with 4001.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueFull;

impl SendQueue {
    /// A queue whose first frames are written together with these bytes in front.
    pub fn with_prefix(prefix: Bytes) -> Self {
        let send_queue = Self::default();
        if !prefix.is_empty() {
            send_queue.state().chunks.push(prefix);
        }
        send_queue
    }

    /// Queues encoded frames that other sockets receive too.
    ///
    /// # Errors
    /// [`QueueFull`] when the bound is exceeded; the queue is closed then.
    pub fn push_fanout(&self, frames: Bytes) -> Result<(), QueueFull> {
        self.push(frames, |state, bytes| {
            let fits = state.fanout.bytes <= MAX_FANOUT;
            state.fanout.add(bytes);
            fits
        })
    }

    /// Queues encoded frames for this socket alone.
    ///
    /// # Errors
    /// As for [`Self::push_fanout`].
    pub fn push_reply(&self, frames: Bytes) -> Result<(), QueueFull> {
        self.push(frames, |state, bytes| {
            let fits = state.replies.bytes <= MAX_REPLIES;
            state.replies.add(bytes);
            fits
        })
    }

    /// Queues a part of a resume; [`Drained::ends_part`] reports it.
    ///
    /// # Errors
    /// As for [`Self::push_fanout`].
    pub fn push_resume_part(&self, frames: Bytes) -> Result<(), QueueFull> {
        self.push(frames, |state, bytes| {
            let fits = state.replies.bytes <= MAX_REPLIES;
            state.replies.add(bytes);
            state.ends_part = true;
            fits
        })
    }

    /// Queues the answer to a WebSocket ping, in place of one that is still queued.
    pub fn push_pong(&self, payload: &[u8]) {
        let mut state = self.state();
        if state.close.is_none() {
            state.pong = Some(encode_pong(payload));
            state.ready = true;
            drop(state);
            self.changed.notify_one();
        }
    }

    fn push(
        &self,
        frames: Bytes,
        fits: impl Fn(&mut State, usize) -> bool,
    ) -> Result<(), QueueFull> {
        let mut state = self.state();
        if state.close.is_some() {
            return Ok(());
        }
        let fits = fits(&mut state, frames.len());
        state.ready = true;
        if fits {
            state.chunks.push(frames);
        } else {
            state.close = Some(CloseCode::SlowConsumer);
        }
        drop(state);
        self.changed.notify_one();
        if fits { Ok(()) } else { Err(QueueFull) }
    }

    /// Closes the queue: its frames are written, then the close frame. The first code counts.
    pub fn close(&self, code: CloseCode) {
        self.state().close.get_or_insert(code);
        self.changed.notify_one();
    }

    /// Waits until there is something to write, and takes all of it. What was taken before counts as
    /// written.
    pub async fn drain(&self) -> Drained {
        loop {
            {
                let mut state = self.state();
                state.fanout.written();
                state.replies.written();
                if state.ready || state.close.is_some() {
                    return state.take();
                }
            }
            self.changed.notified().await;
        }
    }

    /// Takes all there is.
    pub fn take_rest(&self) -> Vec<Bytes> {
        self.state().take().chunks
    }

    /// A frame was received.
    pub fn record_received(&self, now: Instant) {
        let elapsed = now.duration_since(self.opened).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.received_ms.store(elapsed, Ordering::Relaxed);
    }

    /// For how long the client has been silent.
    pub fn silence(&self) -> Duration {
        let received = Duration::from_millis(self.received_ms.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(received)
    }

    /// The code with which it is closed.
    pub fn close_code(&self) -> Option<CloseCode> {
        self.state().close
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) -> CloseCode {
        loop {
            if let Some(code) = self.state().close {
                return code;
            }
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic can happen while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Drained {
        self.ready = false;
        self.fanout.drain();
        self.replies.drain();
        let mut chunks = std::mem::take(&mut self.chunks);
        chunks.extend(self.pong.take());
        Drained {
            chunks,
            ends_part: std::mem::take(&mut self.ends_part),
            close: self.close,
        }
    }
}

/// Text frames as bytes for the wire, unmasked (RFC 6455 §5.2).
pub fn encode_text<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Bytes {
    let length = texts.clone().map(|text| text.len() + 10).sum();
    let mut wire = BytesMut::with_capacity(length);
    for text in texts {
        put_header(&mut wire, 0x81, text.len());
        wire.put_slice(text.as_bytes());
    }
    wire.freeze()
}

/// A close frame as bytes for the wire (RFC 6455 §5.5.1).
pub fn encode_close(code: CloseCode) -> Bytes {
    let reason = code.reason();
    let mut wire = BytesMut::with_capacity(4 + reason.len());
    put_header(&mut wire, 0x88, 2 + reason.len());
    wire.put_u16(code.code());
    wire.put_slice(reason.as_bytes());
    wire.freeze()
}

/// The answer to a client's close frame: its code, if it had one (RFC 6455 §5.5.1).
pub fn encode_close_reply(code: Option<u16>) -> Bytes {
    let mut wire = BytesMut::with_capacity(4);
    put_header(&mut wire, 0x88, if code.is_some() { 2 } else { 0 });
    if let Some(code) = code {
        wire.put_u16(code);
    }
    wire.freeze()
}

/// A pong with the payload of its ping (RFC 6455 §5.5.3), at most 125 bytes.
fn encode_pong(payload: &[u8]) -> Bytes {
    let mut wire = BytesMut::with_capacity(2 + payload.len());
    put_header(&mut wire, 0x8A, payload.len());
    wire.put_slice(payload);
    wire.freeze()
}

/// An empty ping as bytes for the wire (RFC 6455 §5.5.2).
pub const PING: Bytes = Bytes::from_static(&[0x89, 0x00]);

/// The text frame that answers an application-level ping.
pub const PONG_TEXT: Bytes = Bytes::from_static(b"\x81\x0f{\"type\":\"pong\"}");

fn put_header(wire: &mut BytesMut, first: u8, length: usize) {
    wire.put_u8(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => wire.put_u8(short),
        (_, Ok(medium)) => {
            wire.put_u8(126);
            wire.put_u16(medium);
        }
        _ => {
            wire.put_u8(127);
            wire.put_u64(length as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use colloquy_proto::protocol::PONG;
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn header_length_follows_the_text_length() {
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let text = "x".repeat(length);
            let wire = encode_text(std::iter::once(text.as_str()));
            assert_eq!(wire.len(), header + length);
            assert_eq!(wire.first(), Some(&0x81));
        }
        assert_eq!(
            encode_close(CloseCode::SlowConsumer).get(2..4),
            Some(&4001_u16.to_be_bytes()[..])
        );
    }

    #[tokio::test]
    async fn full_queue_is_closed_and_takes_nothing_more() {
        let send_queue = SendQueue::default();
        let part = Bytes::from(vec![0; MAX_REPLIES + 1]);
        assert_eq!(send_queue.push_resume_part(part), Ok(()));
        let broadcast = Bytes::from(vec![0; MAX_FANOUT + 1]);
        assert_eq!(send_queue.push_fanout(broadcast), Ok(()));
        let one = Bytes::from_static(b"x");
        assert_eq!(send_queue.push_fanout(one), Err(QueueFull));
        send_queue.close(CloseCode::Restarting);
        let taken = send_queue.drain().await;
        assert_eq!((taken.chunks.len(), taken.ends_part), (2, true));
        assert_eq!(taken.close, Some(CloseCode::SlowConsumer));
        assert_eq!(send_queue.closed().await, CloseCode::SlowConsumer);
    }

    #[tokio::test]
    async fn what_is_being_written_still_counts() {
        let send_queue = SendQueue::default();
        let (half, one) = (
            Bytes::from(vec![0; MAX_FANOUT / 2]),
            Bytes::from_static(b"x"),
        );
        for _ in 0..2 {
            assert_eq!(send_queue.push_fanout(half.clone()), Ok(()));
            assert_eq!(send_queue.drain().await.chunks.len(), 1);
            assert_eq!(send_queue.push_fanout(half.clone()), Ok(()));
            // The first half is written, the second is not.
            assert_eq!(send_queue.drain().await.chunks.len(), 1);
            assert!(send_queue.drain().now_or_never().is_none());
        }
        assert_eq!(send_queue.push_fanout(half.clone()), Ok(()));
        assert_eq!(send_queue.drain().await.chunks.len(), 1);
        assert_eq!(send_queue.push_fanout(half), Ok(()));
        assert_eq!(send_queue.push_fanout(one), Err(QueueFull));
    }

    #[tokio::test]
    async fn only_the_newest_ping_is_answered() {
        let send_queue = SendQueue::default();
        for _ in 0..1_000 {
            send_queue.push_pong(&[0; 125]);
        }
        send_queue.push_pong(b"new");
        let taken = send_queue.drain().await;
        assert_eq!(taken.chunks, [&b"\x8a\x03new"[..]]);
        assert_eq!(PONG_TEXT, encode_text(std::iter::once(PONG)));
        assert_eq!(encode_close_reply(Some(1000)), &b"\x88\x02\x03\xe8"[..]);
        assert_eq!(encode_close_reply(None), &b"\x88\x00"[..]);
    }

    #[tokio::test]
    async fn prefix_is_written_with_the_first_frames() {
        let first = Bytes::from_static(b"first");
        let send_queue = SendQueue::with_prefix(first.clone());
        assert!(
            send_queue.drain().now_or_never().is_none(),
            "the prefix waits for a frame"
        );
        let frame = encode_text(std::iter::once("hello"));
        assert_eq!(send_queue.push_reply(frame.clone()), Ok(()));
        assert_eq!(send_queue.drain().await.chunks, [first.clone(), frame]);
        assert!(send_queue.drain().now_or_never().is_none());

        let closed = SendQueue::with_prefix(first.clone());
        closed.close(CloseCode::Restarting);
        assert_eq!(closed.drain().await.chunks, [first]);
    }
}
