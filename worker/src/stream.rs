//! The bytes of one of the runtime's sockets.
//!
//! Reader and writer are taken once and kept: the `worker` crate's own socket takes them anew for
//! every piece, and giving a lock back costs the runtime an error object each time, which was a
//! fifth of all that a Room's messages left to the garbage collector.

use std::io::{Error, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStreamDefaultReader, WritableStreamDefaultWriter};
use worker::worker_sys::Socket;

#[wasm_bindgen]
extern "C" {
    /// What a reader resolves to.
    type Piece;
    #[wasm_bindgen(method, structural, getter)]
    fn done(this: &Piece) -> bool;
    #[wasm_bindgen(method, structural, getter)]
    fn value(this: &Piece) -> Uint8Array;
}

/// A socket as a stream of bytes. Dropping it closes nothing.
pub(crate) struct Stream {
    reader: ReadableStreamDefaultReader,
    reading: Option<JsFuture>,
    /// What has come and was not taken yet.
    rest: Option<Uint8Array>,
    writer: WritableStreamDefaultWriter,
    /// What the runtime has not sent yet. Awaited before more is written.
    writing: Option<JsFuture>,
    closing: Option<JsFuture>,
}

impl Stream {
    /// # Errors
    ///
    /// When somebody else has its reader or its writer.
    pub(crate) fn of(socket: &Socket) -> std::result::Result<Self, JsValue> {
        Ok(Self {
            reader: socket.readable()?.get_reader().dyn_into()?,
            reading: None,
            rest: None,
            writer: socket.writable()?.get_writer()?,
            writing: None,
            closing: None,
        })
    }
}

/// Polls what is under way, if anything is; it is over then.
fn poll(under_way: &mut Option<JsFuture>, cx: &mut Context<'_>) -> Poll<Result<()>> {
    let Some(future) = under_way else {
        return Poll::Ready(Ok(()));
    };
    let result = ready!(future.poll_unpin(cx));
    *under_way = None;
    Poll::Ready(result.map(drop).map_err(failed))
}

fn failed(error: JsValue) -> Error {
    Error::other(worker::Error::from(error).to_string())
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let piece = if let Some(rest) = self.rest.take() {
            rest
        } else {
            let mut reading = self
                .reading
                .take()
                .unwrap_or_else(|| JsFuture::from(self.reader.read()));
            let Poll::Ready(read) = reading.poll_unpin(cx) else {
                self.reading = Some(reading);
                return Poll::Pending;
            };
            let piece: Piece = read.map_err(failed)?.unchecked_into();
            if piece.done() {
                return Poll::Ready(Ok(()));
            }
            piece.value()
        };
        let length = usize::try_from(piece.length()).map_err(Error::other)?;
        let taken = length.min(buf.remaining());
        let end = u32::try_from(taken).map_err(Error::other)?;
        piece
            .subarray(0, end)
            .copy_to(buf.initialize_unfilled_to(taken));
        buf.advance(taken);
        if taken < length {
            self.rest = Some(piece.subarray(end, piece.length()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        ready!(poll(&mut self.writing, cx))?;
        let writing = self.writer.write_with_chunk(&Uint8Array::from(buf));
        self.writing = Some(JsFuture::from(writing));
        Poll::Ready(Ok(buf.len()))
    }

    /// What the runtime was given is on its way; that it failed is told by what comes next.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(poll(&mut self.writing, cx))?;
        if self.closing.is_none() {
            self.closing = Some(JsFuture::from(self.writer.close()));
        }
        poll(&mut self.closing, cx)
    }
}
