//! What waits to be written to one socket: a bounded queue of finished WebSocket frames.
//!
//! Frames are encoded once, as bytes for the wire (a server's frames are unmasked, RFC 6455 §5.1,
//! so they are the same for every receiver), and shared by all queues they stand in. A queue
//! that grows beyond its bound belongs to a slow reader: it takes nothing more.

use std::sync::{Mutex, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use colloquy_proto::protocol::CloseCode;
use tokio::sync::Notify;

/// With more than this waiting of what everyone gets, a socket is too slow for more. The bytes
/// are shared, so this bounds lateness rather than memory. A single broadcast is taken whole
/// before that: a batch of long messages may be larger.
const MAX_SHARED: usize = 1024 * 1024;

/// With more than this waiting of answers to the socket itself, it asks faster than it reads. A
/// single answer is taken whole before that, since a resume may be longer.
const MAX_ANSWERS: usize = 1024 * 1024;

/// A socket's queue. The Room's task fills it, the connection's task empties it.
#[derive(Debug, Default)]
pub struct SendQueue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    chunks: Vec<Bytes>,
    /// Whether something was queued since the last time all was taken.
    ready: bool,
    shared: usize,
    answers: usize,
    close: Option<CloseCode>,
}

/// What the connection's task finds in its queue.
#[derive(Debug)]
pub struct Drained {
    /// To be written in order.
    pub chunks: Vec<Bytes>,
    /// To be sent after them, as the last thing.
    pub close: Option<CloseCode>,
}

/// The reader is too slow; its queue was closed with 4001.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueFull;

impl SendQueue {
    /// A queue whose first frames leave together with these bytes `before` them.
    pub fn with_prefix(prefix: Bytes) -> Self {
        let send_queue = Self::default();
        if !prefix.is_empty() {
            let mut state = send_queue
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            state.chunks.push(prefix);
        }
        send_queue
    }

    /// Queues encoded frames that others get too.
    ///
    /// # Errors
    /// [`QueueFull`] when the bound is reached; from then on the socket is to be closed.
    pub fn push(&self, frames: Bytes) -> Result<(), QueueFull> {
        self.queue(frames, |state, length| {
            let room = state.shared <= MAX_SHARED;
            state.shared += length;
            room
        })
    }

    /// Queues an encoded answer to this socket alone.
    ///
    /// # Errors
    /// As for [`Self::push`].
    pub fn answer(&self, frames: Bytes) -> Result<(), QueueFull> {
        self.queue(frames, |state, length| {
            let room = state.answers <= MAX_ANSWERS;
            state.answers += length;
            room
        })
    }

    fn queue(
        &self,
        frames: Bytes,
        fits: impl Fn(&mut State, usize) -> bool,
    ) -> Result<(), QueueFull> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Ends the queue: what is in it goes out, then the close frame. The first code given counts.
    pub fn close(&self, code: CloseCode) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.close.get_or_insert(code);
        drop(state);
        self.changed.notify_one();
    }

    /// Waits until something is to be sent, and takes all of it.
    pub async fn take(&self) -> Drained {
        loop {
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.ready || state.close.is_some() {
                    state.ready = false;
                    (state.shared, state.answers) = (0, 0);
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
            if let Some(code) = self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .close
            {
                return code;
            }
            self.changed.notified().await;
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
    fn headers_grow_with_the_text() {
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
    async fn a_full_queue_is_closed_and_takes_nothing_more() {
        let send_queue = SendQueue::default();
        let resume = Bytes::from(vec![0; 5 * MAX_ANSWERS]);
        assert_eq!(
            send_queue.answer(resume),
            Ok(()),
            "one answer is taken whole"
        );
        assert_eq!(
            send_queue.push(Bytes::from(vec![0; MAX_SHARED + 1])),
            Ok(())
        );
        assert_eq!(send_queue.push(Bytes::from_static(b"x")), Err(QueueFull));
        send_queue.close(CloseCode::Restarting);
        let taken = send_queue.take().await;
        assert_eq!(taken.chunks.len(), 2);
        assert_eq!(taken.close, Some(CloseCode::SlowConsumer));
        assert_eq!(send_queue.closed().await, CloseCode::SlowConsumer);
    }

    #[tokio::test]
    async fn what_comes_before_leaves_with_the_first_frames() {
        let first = Bytes::from_static(b"first");
        let send_queue = SendQueue::with_prefix(first.clone());
        assert!(
            send_queue.take().now_or_never().is_none(),
            "it does not leave alone"
        );
        let frame = encode_text(std::iter::once("hello"));
        assert_eq!(send_queue.answer(frame.clone()), Ok(()));
        assert_eq!(send_queue.take().await.chunks, [first.clone(), frame]);
        assert!(send_queue.take().now_or_never().is_none());

        let closed = SendQueue::with_prefix(first.clone());
        closed.close(CloseCode::Restarting);
        assert_eq!(closed.take().await.chunks, [first]);
    }
}
