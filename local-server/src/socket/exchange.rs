//! The life of an open socket: frames from the client to the Room, frames from the send queue to the
//! client, heartbeats, and the closing handshake.
//!
//! One task waits for all of it at once. A write that would block stops neither reading nor the alarm;
//! everything that is owed to the client is in the send queue or in [`Outgoing`], both bounded.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use colloquy_proto::protocol::{CloseCode, HEARTBEAT_TIMEOUT_SECONDS, PING};
use colloquy_proto::room::ConnectionId;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, timeout};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::outgoing::Outgoing;
use super::ping_rate::PingRate;
use crate::room_inbox::{RoomMessage, RoomSender};
use crate::send_queue::{self, Drained, SendQueue};

/// After this long without a byte from the client it is pinged (RFC 6455 §5.5.2) …
const PING_AFTER: Duration = Duration::from_secs(30);

/// … and after this long the connection counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(HEARTBEAT_TIMEOUT_SECONDS.unsigned_abs());

/// How long a client may take to read what is queued and to answer the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// After the close frame this many bytes are read at a time …
const DISCARD_BUFFER: usize = 16 * 1024;

/// … and beyond this many, with a pause after each read.
const MAX_UNPACED: usize = 64 * 1024;
const DISCARD_PAUSE: Duration = Duration::from_millis(20);

/// How an exchange ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is dead.
    Gone,
    /// The client takes nothing: not even a close frame would reach it.
    Stalled,
    /// This close frame is sent after what is queued.
    Close(Bytes),
}

impl End {
    fn close(code: CloseCode) -> Self {
        Self::Close(send_queue::encode_close(code))
    }
}

/// The report that the client has taken a part of its resume. The Room has one part in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartReport {
    None,
    /// The part is in `outgoing`.
    WhenWritten,
    /// It follows the message that waits for room in the inbox.
    Due,
}

/// Both directions of one socket.
pub(super) struct Exchange<'a> {
    id: ConnectionId,
    room: &'a RoomSender,
    send_queue: &'a SendQueue,
    outgoing: Outgoing,
    report: PartReport,
    /// A message that waits for room in the inbox; nothing more is read until it is delivered.
    waiting: Option<RoomMessage>,
    /// False after an invalid frame: the Room closes the connection.
    readable: bool,
    last_received: Instant,
    pinged: bool,
    ping_rate: PingRate,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(id: ConnectionId, room: &'a RoomSender, send_queue: &'a SendQueue) -> Self {
        let now = Instant::now();
        Self {
            id,
            room,
            send_queue,
            outgoing: Outgoing::default(),
            report: PartReport::None,
            waiting: None,
            readable: true,
            last_received: now,
            pinged: false,
            ping_rate: PingRate::new(now),
        }
    }

    /// What is left to write.
    pub(super) fn into_outgoing(self) -> Outgoing {
        self.outgoing
    }

    /// Passes frames both ways until one side ends the connection.
    pub(super) async fn run(
        &mut self,
        frames: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
        io: &mut (impl AsyncWrite + Unpin),
    ) -> End {
        let (send_queue, room) = (self.send_queue, self.room);
        // Reset only when it fires or when a write stalls, so that a frame costs no timer.
        let mut alarm = pin!(tokio::time::sleep_until(self.deadline()));
        loop {
            let is_writing = !self.outgoing.is_empty();
            let ended = tokio::select! {
                drained = send_queue.drain(), if !is_writing => self.drained(drained, io, alarm.as_mut()),
                written = poll_fn(|context| self.outgoing.poll_write(io, context)), if is_writing => {
                    written.map_or(Some(End::Gone), |()| self.written())
                }
                // What is queued is written within the time to close.
                code = send_queue.closed(), if is_writing => Some(End::close(code)),
                permit = room.reserve(), if self.waiting.is_some() => match (permit, self.waiting.take()) {
                    (Ok(permit), Some(message)) => {
                        permit.send(message);
                        self.queue_report();
                        None
                    }
                    _ => Some(End::close(CloseCode::Restarting)),
                },
                frame = frames.next(), if self.readable && self.waiting.is_none() => {
                    frame.map_or(Some(End::Gone), |frame| self.receive(frame))
                }
                () = &mut alarm => self.on_alarm(alarm.as_mut()),
            };
            if let Some(end) = ended {
                return end;
            }
        }
    }

    /// Writes what was queued, as far as the connection takes it at once.
    fn drained(
        &mut self,
        drained: Drained,
        io: &mut (impl AsyncWrite + Unpin),
        alarm: Pin<&mut Sleep>,
    ) -> Option<End> {
        let Drained {
            chunks,
            ends_part,
            close,
        } = drained;
        self.outgoing.extend(chunks);
        if ends_part {
            self.report = PartReport::WhenWritten;
        }
        if let Some(code) = close {
            return Some(End::close(code));
        }
        match self.outgoing.try_write(io) {
            Ok(true) => self.written(),
            Ok(false) => {
                let deadline = self.deadline();
                if deadline < alarm.deadline() {
                    alarm.reset(deadline);
                }
                None
            }
            Err(_) => Some(End::Gone),
        }
    }

    /// Everything that was drained is written.
    fn written(&mut self) -> Option<End> {
        if self.report == PartReport::WhenWritten {
            self.report = PartReport::Due;
            self.queue_report();
        }
        None
    }

    fn queue_report(&mut self) {
        if self.report == PartReport::Due && self.waiting.is_none() {
            self.report = PartReport::None;
            self.waiting = Some(RoomMessage::Drained { id: self.id });
        }
    }

    fn receive(&mut self, frame: Result<Message, Error>) -> Option<End> {
        let now = Instant::now();
        (self.last_received, self.pinged) = (now, false);
        self.send_queue.record_received(now);
        let id = self.id;
        match frame {
            // Answered here, so that a ping does not load the Room.
            Ok(Message::Text(text)) if text.as_str() == PING => {
                if self.count_ping(now) {
                    drop(self.send_queue.push_reply(send_queue::PONG_TEXT));
                }
            }
            Ok(Message::Text(text)) => self.waiting = Some(RoomMessage::Frame { id, text }),
            Ok(Message::Ping(payload)) => {
                if self.count_ping(now) {
                    self.send_queue.push_pong(&payload);
                }
            }
            Ok(Message::Pong(_)) => drop(self.count_ping(now)),
            Ok(Message::Binary(_)) => self.reject(CloseCode::Malformed),
            Ok(Message::Close(frame)) => {
                let code = frame.map(|frame| frame.code.into());
                return Some(End::Close(send_queue::encode_close_reply(code)));
            }
            Ok(Message::Frame(_)) => {}
            Err(error) => match violation(&error) {
                Some(close) => self.reject(close),
                None => return Some(End::Gone),
            },
        }
        None
    }

    /// Counts a frame that the Room does not see; false when there are too many.
    fn count_ping(&mut self, now: Instant) -> bool {
        let permitted = self.ping_rate.count(now);
        if !permitted {
            self.reject(CloseCode::Flooding);
        }
        permitted
    }

    /// The client sent a frame it must not send: the Room closes the connection.
    fn reject(&mut self, close: CloseCode) {
        self.readable = false;
        let id = self.id;
        self.waiting = Some(RoomMessage::InvalidFrame { id, close });
    }

    fn on_alarm(&mut self, alarm: Pin<&mut Sleep>) -> Option<End> {
        let now = Instant::now();
        if self.outgoing.deadline().is_some_and(|at| at <= now) {
            return Some(End::Stalled);
        }
        if self.heartbeat_deadline() <= now {
            if self.pinged {
                return Some(End::close(CloseCode::HeartbeatLost));
            }
            self.pinged = true;
            drop(self.send_queue.push_reply(send_queue::PING));
        }
        alarm.reset(self.deadline());
        None
    }

    /// When the alarm is needed next. It may fire earlier.
    fn deadline(&self) -> Instant {
        let heartbeat = self.heartbeat_deadline();
        let stalled = self.outgoing.deadline();
        stalled.map_or(heartbeat, |stalled| stalled.min(heartbeat))
    }

    fn heartbeat_deadline(&self) -> Instant {
        let limit = if self.pinged { LOST_AFTER } else { PING_AFTER };
        self.last_received + limit
    }
}

/// The close code for what the client did wrong; `None` when the connection is lost.
fn violation(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Utf8(_) => Some(CloseCode::InvalidUtf8),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::ProtocolError),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::FrameTooLarge),
        _ => None,
    }
}

/// Sends what is left and the close frame, and reads until the client disconnects: a connection that is
/// dropped with unread bytes is reset, and a reset can overtake the close frame. False when the client
/// did not take all of it in time.
pub(super) async fn finish(
    mut outgoing: Outgoing,
    close: Bytes,
    io: &mut (impl AsyncWrite + Unpin),
    reader: &mut (impl AsyncRead + Unpin),
) -> bool {
    outgoing.extend(vec![close]);
    let closing = async {
        poll_fn(|context| outgoing.poll_write(io, context)).await?;
        io.shutdown().await?;
        discard(reader).await
    };
    // The connection is dropped either way.
    drop(timeout(CLOSE_TIMEOUT, closing).await);
    outgoing.is_empty()
}

/// Reads to the end. A client that goes on sending is read slowly, so that its flood costs little.
async fn discard(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    // On the heap: on the stack it would be part of every connection's task.
    let mut sink = vec![0_u8; DISCARD_BUFFER];
    let mut discarded = 0;
    loop {
        match reader.read(&mut sink).await? {
            0 => return Ok(()),
            bytes => discarded += bytes,
        }
        if discarded > MAX_UNPACED {
            tokio::time::sleep(DISCARD_PAUSE).await;
        }
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
