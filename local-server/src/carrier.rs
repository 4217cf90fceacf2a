//! The TCP connection under HTTP, which keeps the answer to a WebSocket handshake back.
//!
//! Whoever takes the connection over writes that answer (101) with the first frame there is: one
//! system call and one packet instead of two, and the client is woken once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Tells a [`Carrier`] to keep what is written from now on. A request to upgrade carries it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keep(Arc<AtomicBool>);

impl Keep {
    /// From now on. The connection must be taken over.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A TCP connection as hyper is given it.
pub(crate) struct Carrier<S = TcpStream> {
    stream: S,
    keep: Keep,
    kept: Vec<u8>,
}

impl<S> Carrier<S> {
    pub(crate) const fn new(stream: S, keep: Keep) -> Self {
        Self {
            stream,
            keep,
            kept: Vec::new(),
        }
    }

    /// The connection, and what has still to be written to it before anything else.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.kept.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Carrier<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Carrier<S> {
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
        if self.keep.0.load(Ordering::Relaxed) {
            let before = self.kept.len();
            for slice in slices {
                self.kept.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(self.kept.len() - before));
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
    async fn what_is_written_is_kept_from_when_it_is_to_be() {
        let (mut client, server) = duplex(1_024);
        let keep = Keep::default();
        let mut carrier = Carrier::new(server, keep.clone());
        carrier.write_all(b"an answer, ").await.unwrap();
        carrier.write_all(b"and more").await.unwrap();
        keep.begin();
        carrier.write_all(b"the answer ").await.unwrap();
        carrier.write_all(b"to a handshake").await.unwrap();
        carrier.flush().await.unwrap();
        let (server, kept) = carrier.into_parts();
        drop(server);
        let mut sent = String::new();
        client.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "an answer, and more");
        assert_eq!(kept, "the answer to a handshake");
    }
}
