//! Distinguishes an admitted socket from a refused one.
//!
//! A refusal is an upgrade followed by a close frame, and a v1 socket receives nothing on admission.
//! So a v2 socket is admitted when it receives `hello`; a v1 socket is checked again before it is
//! closed, when a refusal would have arrived. Neither check costs the server a request.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time;

use crate::run;
use crate::socket::{self, PROBE};
use crate::target::Target;
use crate::wire::{self, Mark};

/// How long an upgraded socket may take to be registered in its room.
const REGISTRATION_DELAY: Duration = Duration::from_secs(1);

/// How long one message may take to reach all sockets.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// An open socket, admitted or about to be refused.
pub(crate) struct CheckedSocket {
    stream: TcpStream,
    /// Bytes received and not read yet.
    bytes: Vec<u8>,
}

impl CheckedSocket {
    /// Connects. A refusal that has arrived is an error.
    pub(crate) async fn connect(target: &Target, request: &str) -> Result<Self> {
        let (mut stream, mut bytes) = socket::connect(target, request).await?;
        while target.v2 && !wire::has_hello(&bytes)? {
            socket::read_more(&mut stream, &mut bytes).await?;
        }
        let mut socket = Self { stream, bytes };
        socket.read_marks(&mut |_| {})?;
        Ok(socket)
    }

    /// Reads available bytes without waiting.
    ///
    /// # Errors
    /// The server has closed the socket.
    pub(crate) fn check(&mut self) -> Result<()> {
        loop {
            match self.stream.try_read_buf(&mut self.bytes) {
                Ok(0) => bail!("the server closed"),
                Ok(_) => self.read_marks(&mut |_| {})?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Resets the connection after a last check; a reset leaves no port in `TIME_WAIT`.
    pub(crate) fn reset(mut self) -> Result<()> {
        self.check()?;
        Ok(self.stream.set_zero_linger()?)
    }

    async fn send(&mut self, v2: bool, room: i64) -> Result<()> {
        let mark = Mark {
            sender: PROBE,
            ordinal: 0,
            intended_us: 0,
        };
        let mut bytes = Vec::new();
        wire::text_frame(&run::frame(v2, room, mark), &mut bytes);
        Ok(self.stream.write_all(&bytes).await?)
    }

    /// Waits until a message arrives.
    async fn receive(&mut self) -> Result<()> {
        let mut received = false;
        loop {
            self.read_marks(&mut |_| received = true)?;
            if received {
                return Ok(());
            }
            socket::read_more(&mut self.stream, &mut self.bytes).await?;
        }
    }

    fn read_marks(&mut self, on_mark: &mut dyn FnMut(Mark)) -> Result<()> {
        let found = wire::read_frames(&self.bytes, &mut Vec::new(), on_mark)?;
        self.bytes.drain(..found.consumed);
        Ok(())
    }
}

/// Checks that these sockets are in their room: each must receive a message of the first.
pub(crate) async fn check_delivery(
    v2: bool,
    room: i64,
    sockets: &mut [CheckedSocket],
) -> Result<()> {
    time::sleep(REGISTRATION_DELAY).await;
    let Some(first) = sockets.first_mut() else {
        return Ok(());
    };
    first.send(v2, room).await?;
    let all = future::try_join_all(sockets.iter_mut().map(CheckedSocket::receive));
    let received = time::timeout(DELIVERY_TIMEOUT, all).await;
    received
        .context("a message did not reach all admitted sockets")?
        .map(drop)
        .with_context(|| format!("an admitted socket of room {room}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::Receiver;
    use std::{io::Read as _, io::Write as _, sync::mpsc, thread};

    use clap::Parser;

    use super::*;

    const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    /// A close frame with 4401.
    const REFUSAL: &[u8] = &[0x88, 2, 0x11, 0x31];
    const HELLO: &[u8] = b"\x81\x10{\"type\":\"hello\"}";

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        target: Target,
    }

    /// A server of one connection that answers the upgrade, and writes `later` on a signal.
    fn server(response: Vec<u8>, later: &'static [u8], go: Receiver<()>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(&response).unwrap();
            let _ = go.recv();
            stream.write_all(later).unwrap();
        });
        address
    }

    /// Connects to a server that writes `now` with the upgrade and `later` after it, and checks.
    fn check(v2: bool, now: &[u8], later: &'static [u8]) -> Result<()> {
        let (signal, go) = mpsc::channel();
        let address = server([UPGRADE, now].concat(), later, go);
        let mut arguments = vec!["bench", "--kind", "open", "--address", &address];
        arguments.extend(v2.then_some("--v2"));
        let target = Cli::parse_from(arguments).target;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            // A v2 socket waits for `later` before it is admitted.
            if v2 {
                signal.send(()).unwrap();
            }
            let mut socket = CheckedSocket::connect(&target, &target.upgrade(1, 1)).await?;
            socket.check()?;
            if !v2 {
                signal.send(()).unwrap();
                socket.stream.readable().await?;
            }
            socket.reset()
        })
    }

    #[test]
    fn refusal_is_reported_whenever_it_arrives() {
        for (v2, now, later) in [
            (false, REFUSAL, &b""[..]),
            (false, b"", REFUSAL),
            (true, REFUSAL, b""),
            (true, b"", REFUSAL),
        ] {
            let error = check(v2, now, later).unwrap_err().to_string();
            assert!(error.contains("4401"), "{error}");
        }
    }

    #[test]
    fn closed_connection_is_reported() {
        for v2 in [false, true] {
            let error = check(v2, b"", b"").unwrap_err().to_string();
            assert!(error.contains("the server closed"), "{error}");
        }
    }

    #[test]
    fn v2_socket_is_admitted_when_hello_is_complete() {
        let message = br#"{"type":"error"}"#;
        let other = [&[0x81, 16], &message[..]].concat();
        assert!(check(true, &other, b"").is_err());
        let (now, later) = HELLO.split_at(5);
        // The rest of `hello` is waited for. The server closes after it, which the check may see.
        let error = check(true, now, later).err().map(|error| error.to_string());
        assert!(error.is_none_or(|error| error == "the server closed"));
    }
}
