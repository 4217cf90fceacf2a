//! One client socket of a load: sends within its window, reads, checks the order.
//!
//! All sockets share one thread and one read buffer, so that the generator costs little compared to
//! the server.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use crate::ordering_check::OrderingCheck;
use crate::run::{Phase, RoomCounters, Run};
use crate::target::Target;
use crate::wire::{self, Mark};

/// The sender of probe messages, which check whether every socket receives.
pub(crate) const PROBE: u32 = 99_999;

/// Connects and upgrades by `request`. Returns the stream and the bytes already received.
pub(crate) async fn connect(target: &Target, request: &str) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::with_capacity(1024);
    let end = loop {
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        read_more(&mut stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    ensure!(head.starts_with("HTTP/1.1 101"), "no upgrade: {head}");
    bytes.drain(..end);
    Ok((stream, bytes))
}

/// Reads the available bytes.
pub(crate) async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    ensure!(stream.read_buf(bytes).await? > 0, "the server closed");
    Ok(())
}

/// A socket of a running load.
pub(crate) struct Socket {
    run: Rc<Run>,
    room: Rc<RoomCounters>,
    /// Its index in its room; the first ones send.
    index: u32,
    stream: RefCell<TcpStream>,
    state: RefCell<SocketState>,
    waker: Cell<Option<Waker>>,
}

#[derive(Default)]
struct SocketState {
    /// The start of an incomplete frame.
    rest: Vec<u8>,
    /// Bytes to be written, and how many already are.
    pending: Vec<u8>,
    written: usize,
    order: OrderingCheck,
    probed: u32,
}

impl Socket {
    pub(crate) fn new(
        run: &Rc<Run>,
        room: &Rc<RoomCounters>,
        index: u32,
        (stream, rest): (TcpStream, Vec<u8>),
    ) -> Rc<Self> {
        Rc::new(Self {
            run: Rc::clone(run),
            room: Rc::clone(room),
            index,
            stream: RefCell::new(stream),
            state: RefCell::new(SocketState {
                rest,
                order: OrderingCheck::new(room.sent.len()),
                ..SocketState::default()
            }),
            waker: Cell::new(None),
        })
    }

    /// Reads and writes until a failure, which is recorded in the run.
    pub(crate) async fn serve(self: Rc<Self>) {
        let ended = poll_fn(|context| self.poll(context)).await;
        let error = ended.err().unwrap_or_else(|| anyhow::anyhow!("ended"));
        let index = self.index;
        self.run.fail(format!(
            "member {index} of room {}: {error:#}",
            self.room.id
        ));
    }

    /// A second handle on the connection, for the open-loop sender.
    pub(crate) fn duplicate(&self) -> Result<std::net::TcpStream> {
        use std::os::fd::AsFd as _;
        let stream = self.stream.borrow();
        Ok(stream.as_fd().try_clone_to_owned()?.into())
    }

    /// Its index in its room.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// The id of its conversation.
    pub(crate) fn room(&self) -> i64 {
        self.room.id
    }

    /// Records what was sent through the second handle.
    pub(crate) fn record_sent(&self, messages: u32) {
        let index = usize::try_from(self.index);
        if let Some(sent) = index.ok().and_then(|index| self.room.sent.get(index)) {
            sent.set(messages);
        }
    }

    /// Sends a probe message.
    pub(crate) fn probe(&self, ordinal: u32) {
        let mark = Mark {
            sender: PROBE,
            ordinal,
            intended_us: 0,
        };
        let frame = self.run.frame(self.room.id, mark);
        wire::text_frame(&frame, &mut self.state.borrow_mut().pending);
        self.wake();
    }

    /// The newest probe received, counted from 1.
    pub(crate) fn probed(&self) -> u32 {
        self.state.borrow().probed
    }

    /// Makes it check again what it can do.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// How many messages of its room are missing, and the digest of their order.
    pub(crate) fn missing_and_digest(&self) -> (u64, u64) {
        let state = self.state.borrow();
        let sent = self.room.sent.iter().enumerate();
        let missing = sent.map(|(sender, sent)| {
            let received = state.order.received(sender);
            u64::from(sent.get().saturating_sub(received))
        });
        (missing.sum(), state.order.digest())
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.waker.set(Some(context.waker().clone()));
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let mut stream = self.stream.borrow_mut();
        loop {
            let reading = self.read(state, &mut stream, context)?;
            self.fill(state);
            let writing = write(state, &mut stream, context)?;
            if reading.is_pending() && writing.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Reads once. Pending if no data is available.
    fn read(
        &self,
        state: &mut SocketState,
        stream: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Result<Poll<()>> {
        let mut shared = self.run.buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut shared);
        match Pin::new(stream).poll_read(context, &mut buffer) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(read) => read.context("reading")?,
        }
        let bytes = buffer.filled();
        if bytes.is_empty() {
            bail!("the server closed the connection");
        }
        let now_us = self.run.now_us();
        let SocketState {
            rest,
            pending,
            order,
            probed,
            ..
        } = state;
        let mut count = 0_u64;
        let mut histogram = self.run.histogram.borrow_mut();
        let measured = self.run.measured.get();
        let mut on_mark = |mark: Mark| {
            if mark.sender == PROBE {
                *probed = mark.ordinal;
            } else if order.check(mark) {
                count += 1;
                if measured.contains(&mark.intended_us) {
                    histogram.saturating_record(now_us.saturating_sub(mark.intended_us).max(1));
                }
            }
        };
        if rest.is_empty() {
            let found = wire::read_frames(bytes, pending, &mut on_mark)?;
            rest.extend_from_slice(&bytes[found.consumed..]);
        } else {
            rest.extend_from_slice(bytes);
            let found = wire::read_frames(rest, pending, &mut on_mark)?;
            rest.drain(..found.consumed);
        }
        if let Some(violation) = order.violation() {
            bail!("{violation}");
        }
        self.run.count(count, now_us);
        Ok(Poll::Ready(()))
    }

    /// Queues as many sends as the window allows.
    fn fill(&self, state: &mut SocketState) {
        let Ok(index) = usize::try_from(self.index) else {
            return;
        };
        let Some(sent) = self.room.sent.get(index) else {
            return;
        };
        let own = state.order.received(index);
        while self.run.phase.get() == Phase::Sending && sent.get() - own < self.run.window {
            let mark = Mark {
                sender: self.index,
                ordinal: sent.get(),
                intended_us: self.run.now_us(),
            };
            wire::text_frame(&self.run.frame(self.room.id, mark), &mut state.pending);
            sent.set(sent.get() + 1);
        }
    }
}

/// Writes queued bytes. Pending if there are none or the connection accepts no more.
fn write(
    state: &mut SocketState,
    stream: &mut TcpStream,
    context: &mut Context<'_>,
) -> Result<Poll<()>> {
    let waiting = &state.pending[state.written..];
    if waiting.is_empty() {
        return Ok(Poll::Pending);
    }
    let Poll::Ready(written) = Pin::new(stream).poll_write(context, waiting) else {
        return Ok(Poll::Pending);
    };
    state.written += written.context("writing")?;
    if state.written == state.pending.len() {
        state.pending.clear();
        state.written = 0;
    }
    Ok(Poll::Ready(()))
}
