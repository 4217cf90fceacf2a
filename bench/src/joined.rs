//! One socket that has joined, told from one that was refused.
//!
//! A refusal is an upgrade, too, with a close frame behind it, and a v1 socket that is let in is
//! told nothing. So a v2 socket has joined when it is greeted. A v1 socket is looked at again when
//! it is put away: by then a refusal has arrived. Neither look costs the server a request.

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

/// How long whoever was answered may still be on the way to its place in a room.
const SETTLE: Duration = Duration::from_secs(1);

/// How long one message may take to be heard by everyone.
const HEARING: Duration = Duration::from_secs(30);

/// An open socket.
pub(crate) struct Admission {
    stream: TcpStream,
    /// What has come and is not read yet.
    bytes: Vec<u8>,
}

impl Admission {
    /// Joins. A refusal that is already here is an error.
    pub(crate) async fn join(target: &Target, request: &str) -> Result<Self> {
        let (mut stream, mut bytes) = socket::connect(target, request).await?;
        while target.v2 && !wire::is_greeted(&bytes)? {
            socket::read_more(&mut stream, &mut bytes).await?;
        }
        let mut joined = Self { stream, bytes };
        joined.look(&mut |_| {})?;
        Ok(joined)
    }

    /// Reads what has come without waiting for more.
    ///
    /// # Errors
    /// The server has closed the socket.
    pub(crate) fn check(&mut self) -> Result<()> {
        loop {
            match self.stream.try_read_buf(&mut self.bytes) {
                Ok(0) => bail!("the server closed"),
                Ok(_) => self.look(&mut |_| {})?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Cuts it off, if it was let in: by a reset instead of a farewell, so that no port is left
    /// waiting.
    pub(crate) fn cut(mut self) -> Result<()> {
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

    /// Waits until a message comes.
    async fn hear(&mut self) -> Result<()> {
        let mut heard = false;
        loop {
            self.look(&mut |_| heard = true)?;
            if heard {
                return Ok(());
            }
            socket::read_more(&mut self.stream, &mut self.bytes).await?;
        }
    }

    fn look(&mut self, on_mark: &mut dyn FnMut(Mark)) -> Result<()> {
        let found = wire::read_frames(&self.bytes, &mut Vec::new(), on_mark)?;
        self.bytes.drain(..found.consumed);
        Ok(())
    }
}

/// Proves that these are in their room: a message of the first is heard by each.
pub(crate) async fn prove(v2: bool, room: i64, sockets: &mut [Admission]) -> Result<()> {
    time::sleep(SETTLE).await;
    let Some(first) = sockets.first_mut() else {
        return Ok(());
    };
    first.send(v2, room).await?;
    let all = future::try_join_all(sockets.iter_mut().map(Admission::hear));
    let heard = time::timeout(HEARING, all).await;
    heard
        .context("a message was not heard by all who had joined")?
        .map(drop)
        .with_context(|| format!("a socket of room {room} that had joined"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::Receiver;
    use std::{io::Read as _, io::Write as _, sync::mpsc, thread};

    use clap::Parser;

    use super::*;

    const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    /// Closed by 4401.
    const REFUSAL: &[u8] = &[0x88, 2, 0x11, 0x31];
    const GREETING: &[u8] = b"\x81\x10{\"type\":\"hello\"}";

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        target: Target,
    }

    /// A server of one connection that answers the upgrade, then says `later` when it is told to.
    fn server(answer: Vec<u8>, later: &'static [u8], go: Receiver<()>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(&answer).unwrap();
            let _ = go.recv();
            stream.write_all(later).unwrap();
        });
        address
    }

    /// Joins a server that says `now` with the upgrade and `later` behind it, and checks.
    fn joined(v2: bool, now: &[u8], later: &'static [u8]) -> Result<()> {
        let (told, go) = mpsc::channel();
        let address = server([UPGRADE, now].concat(), later, go);
        let mut line = vec!["bench", "--kind", "open", "--address", &address];
        line.extend(v2.then_some("--v2"));
        let target = Cli::parse_from(line).target;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            // What a v2 socket waits for has to come before it has joined.
            if v2 {
                told.send(()).unwrap();
            }
            let mut joined = Admission::join(&target, &target.upgrade(1, 1)).await?;
            joined.check()?;
            if !v2 {
                told.send(()).unwrap();
                joined.stream.readable().await?;
            }
            joined.cut()
        })
    }

    #[test]
    fn a_refusal_is_no_join_whenever_it_comes() {
        for (v2, now, later) in [
            (false, REFUSAL, &b""[..]),
            (false, b"", REFUSAL),
            (true, REFUSAL, b""),
            (true, b"", REFUSAL),
        ] {
            let told = joined(v2, now, later).unwrap_err().to_string();
            assert!(told.contains("4401"), "{told}");
        }
    }

    #[test]
    fn an_end_without_a_word_is_no_join() {
        for v2 in [false, true] {
            let told = joined(v2, b"", b"").unwrap_err().to_string();
            assert!(told.contains("the server closed"), "{told}");
        }
    }

    #[test]
    fn who_is_greeted_has_joined() {
        let message = br#"{"type":"error"}"#;
        let other = [&[0x81, 16], &message[..]].concat();
        assert!(joined(true, &other, b"").is_err());
        let (now, later) = GREETING.split_at(5);
        // The rest of a greeting is waited for. The server ends behind it, which the cut may see.
        let told = joined(true, now, later)
            .err()
            .map(|error| error.to_string());
        assert!(told.is_none_or(|told| told == "the server closed"));
    }
}
