//! The frames that a socket's task is writing, and how long the client has not taken any.
//!
//! A write that would block is continued beside everything else the task waits for. No timer is
//! involved: the task's alarm asks for the deadline.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// A client that takes nothing for this long is disconnected.
pub(super) const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Slices of one vectored write; the kernel takes up to 1,024.
const MAX_SLICES: usize = 64;

/// What is left of the drained frames.
#[derive(Default)]
pub(super) struct Outgoing {
    chunks: VecDeque<Bytes>,
    /// Since when the client has taken nothing; `None` while nothing is left.
    stalled_since: Option<Instant>,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds frames after those that are left.
    pub(super) fn extend(&mut self, chunks: Vec<Bytes>) {
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty());
        self.chunks.extend(chunks);
    }

    /// When the connection is given up if nothing more is taken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.stalled_since? + WRITE_STALL_TIMEOUT)
    }

    /// Writes what the connection takes at once. True when nothing is left.
    pub(super) fn try_write(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<bool> {
        let mut context = Context::from_waker(Waker::noop());
        match self.poll_write(io, &mut context) {
            Poll::Ready(written) => written.map(|()| true),
            Poll::Pending => {
                self.stalled_since.get_or_insert_with(Instant::now);
                Ok(false)
            }
        }
    }

    /// Writes until nothing is left. Can be called again after any result but an error.
    pub(super) fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(chunk);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(context, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.stalled_since = None;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        if let Some(stalled_since) = &mut self.stalled_since {
            *stalled_since = Instant::now();
        }
        while let Some(chunk) = self.chunks.front_mut() {
            let step = chunk.len().min(written);
            chunk.advance(step);
            written -= step;
            if !chunk.is_empty() {
                return;
            }
            self.chunks.pop_front();
        }
    }
}
