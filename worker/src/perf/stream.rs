//! A byte stream over one of the runtime's sockets.
//!
//! Acquires the socket's reader and writer locks once. The `worker` crate's socket acquires them for
//! every chunk, and each release allocates an error object in the runtime: a fifth of the garbage of a
//! Room's messages (docs/decisions/0009-edge-connections.md). Correctness does not depend on it.

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
    /// The result of a read.
    type ReadResult;
    #[wasm_bindgen(method, structural, getter)]
    fn done(this: &ReadResult) -> bool;
    #[wasm_bindgen(method, structural, getter)]
    fn value(this: &ReadResult) -> Uint8Array;
}

/// A socket as a stream of bytes. Dropping it closes nothing.
pub(crate) struct Stream {
    reader: ReadableStreamDefaultReader,
    reading: Option<JsFuture>,
    /// Received bytes that were not read yet.
    rest: Option<Uint8Array>,
    writer: WritableStreamDefaultWriter,
    /// The write in flight. Awaited before the next one.
    writing: Option<JsFuture>,
    closing: Option<JsFuture>,
}

impl Stream {
    /// # Errors
    ///
    /// When its reader or writer is locked.
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

/// Polls the operation in flight, if any, and clears it when it is done.
fn poll(in_flight: &mut Option<JsFuture>, cx: &mut Context<'_>) -> Poll<Result<()>> {
    let Some(future) = in_flight else {
        return Poll::Ready(Ok(()));
    };
    let result = ready!(future.poll_unpin(cx));
    *in_flight = None;
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
        let chunk = if let Some(rest) = self.rest.take() {
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
            let result: ReadResult = read.map_err(failed)?.unchecked_into();
            if result.done() {
                return Poll::Ready(Ok(()));
            }
            result.value()
        };
        let length = usize::try_from(chunk.length()).map_err(Error::other)?;
        let taken = length.min(buf.remaining());
        let end = u32::try_from(taken).map_err(Error::other)?;
        chunk
            .subarray(0, end)
            .copy_to(buf.initialize_unfilled_to(taken));
        buf.advance(taken);
        if taken < length {
            self.rest = Some(chunk.subarray(end, chunk.length()));
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

    /// The runtime sends what it was given; a failure is reported by the next write or read.
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
