//! What waits to be written to one socket: a bounded queue of encoded WebSocket frames.
//!
//! Frames are encoded once, as bytes for the wire (a server's frames are unmasked, RFC 6455 §5.1, so
//! they are the same for every receiver), and all queues share the bytes. A queue that exceeds its
//! bound belongs to a slow consumer: it is closed and takes nothing more.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use colloquy_proto::protocol::CloseCode;
use tokio::sync::Notify;

/// The bound of queued fan-out bytes; a queue above it takes no more. The bytes are shared by all
/// queues, so this bounds the delay rather than memory. It is checked before a push: a single
/// broadcast of long messages may be larger.
const MAX_FANOUT: usize = 1024 * 1024;

/// The same for replies to this socket alone: beyond it the client sends commands faster than it reads
/// the replies. A single reply, such as a long resume, may be larger.
const MAX_REPLIES: usize = 1024 * 1024;

/// A socket's queue. The Room's task fills it, the connection's task drains it.
#[derive(Debug, Default)]
pub struct SendQueue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Bytes>,
    /// Whether a frame was queued since the last drain.
    ready: bool,
    fanout_bytes: usize,
    reply_bytes: usize,
    close: Option<CloseCode>,
}

/// The contents of a queue.
#[derive(Debug)]
pub struct Drained {
    /// The bytes to write, in order.
    pub chunks: Vec<Bytes>,
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
        self.push(frames, |state, length| {
            let fits = state.fanout_bytes <= MAX_FANOUT;
            state.fanout_bytes += length;
            fits
        })
    }

    /// Queues encoded frames for this socket alone.
    ///
    /// # Errors
    /// As for [`Self::push_fanout`].
    pub fn push_reply(&self, frames: Bytes) -> Result<(), QueueFull> {
        self.push(frames, |state, length| {
            let fits = state.reply_bytes <= MAX_REPLIES;
            state.reply_bytes += length;
            fits
        })
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

    /// Waits until there is something to write, and takes all of it.
    pub async fn drain(&self) -> Drained {
        loop {
            {
                let mut state = self.state();
                if state.ready || state.close.is_some() {
                    state.ready = false;
                    (state.fanout_bytes, state.reply_bytes) = (0, 0);
                    return Drained {
                        chunks: std::mem::take(&mut state.chunks),
                        close: state.close,
                    };
                }
            }
            self.changed.notified().await;
        }
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

/// An empty ping as bytes for the wire (RFC 6455 §5.5.2).
pub const PING: Bytes = Bytes::from_static(&[0x89, 0x00]);

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
        let resume = Bytes::from(vec![0; 5 * MAX_REPLIES]);
        assert_eq!(
            send_queue.push_reply(resume),
            Ok(()),
            "a single reply may be larger"
        );
        assert_eq!(
            send_queue.push_fanout(Bytes::from(vec![0; MAX_FANOUT + 1])),
            Ok(())
        );
        assert_eq!(
            send_queue.push_fanout(Bytes::from_static(b"x")),
            Err(QueueFull)
        );
        send_queue.close(CloseCode::Restarting);
        let taken = send_queue.drain().await;
        assert_eq!(taken.chunks.len(), 2);
        assert_eq!(taken.close, Some(CloseCode::SlowConsumer));
        assert_eq!(send_queue.closed().await, CloseCode::SlowConsumer);
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
