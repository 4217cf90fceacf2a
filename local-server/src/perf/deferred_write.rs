//! Corking of the WebSocket handshake response.
//!
//! The stream holds back the 101 response; the socket writes it together with its first frame.
//! Saves one system call and one packet per v2 socket and wakes the client once
//! (docs/decisions/0003-native-io.md). Correctness does not depend on it: without
//! [`HoldSwitch::hold`] every write goes straight to the stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Makes a [`DeferredWrite`] hold back everything written from then on. An upgrade request carries
/// it.
#[derive(Debug, Clone, Default)]
pub(crate) struct HoldSwitch(Arc<AtomicBool>);

impl HoldSwitch {
    /// Holds back all further writes. The upgraded connection must take the held bytes over.
    pub(crate) fn hold(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The stream under hyper.
pub(crate) struct DeferredWrite<S> {
    stream: S,
    switch: HoldSwitch,
    held: Vec<u8>,
}

impl<S> DeferredWrite<S> {
    pub(crate) const fn new(stream: S, switch: HoldSwitch) -> Self {
        Self {
            stream,
            switch,
            held: Vec::new(),
        }
    }

    /// The stream, and the held bytes, which must be written before anything else.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.held.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for DeferredWrite<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for DeferredWrite<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.switch.0.load(Ordering::Relaxed) {
            let before = self.held.len();
            for slice in slices {
                self.held.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(self.held.len() - before));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn writes_after_hold_are_held_back() {
        let (mut client, server) = duplex(1_024);
        let switch = HoldSwitch::default();
        let mut stream = DeferredWrite::new(server, switch.clone());
        stream.write_all(b"a response, ").await.unwrap();
        stream.write_all(b"and more").await.unwrap();
        switch.hold();
        stream.write_all(b"the response ").await.unwrap();
        stream.write_all(b"to a handshake").await.unwrap();
        stream.flush().await.unwrap();
        let (server, held) = stream.into_parts();
        drop(server);
        let mut sent = String::new();
        client.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "a response, and more");
        assert_eq!(held, "the response to a handshake");
    }
}
