//! Attacking connections, in raw bytes: they break every habit of a well-behaved client.
//!
//! Each attacker connects again when the server ends its connection. The connections come from many
//! loopback addresses, so that limits by address are met but do not end the attack.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::AttackOptions;

/// The number of addresses the attack comes from. On Linux every address of 127.0.0.0/8 is local.
const ADDRESSES: usize = 50;

/// The receive buffer of a attacking connection, in bytes: little is read for it by its kernel.
const RECEIVE_BUFFER: u32 = 4 * 1024;

/// The time over which the attackers appear. All in the same instant would be a storm of connections,
/// which `cargo xtask bench` measures.
const RAMP: Duration = Duration::from_secs(2);

/// The pause before a new connection.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// The pause of the slower attackers between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// How long a connection may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The frames that a socket that sends without pause hands to the kernel at once. One by one, most of the
/// machine's time would go into the attackers' system calls.
const FRAMES_PER_WRITE: usize = 256;

/// One of so many sockets sends without pause.
const FLOOD_SHARE: usize = 10;

/// For so many attacking sockets one connection requests answers that it does not read.
const UNREAD_SHARE: usize = 6;

/// What is attacked.
pub(super) struct Target {
    pub(super) server: SocketAddr,
    pub(super) conversation_id: u64,
    /// The access tokens of members.
    pub(super) tokens: Vec<String>,
}

/// What happened to the attackers.
#[derive(Default)]
pub(super) struct Counts {
    sockets: AtomicU64,
    frames: AtomicU64,
    half_sent: AtomicU64,
    unread: AtomicU64,
    refused: AtomicU64,
    ended: AtomicU64,
}

impl Counts {
    /// What the attackers did.
    pub(super) fn attempts(&self) -> [(&'static str, u64); 4] {
        [
            ("sockets that never read", read(&self.sockets)),
            ("frames sent by them", read(&self.frames)),
            ("half-sent requests", read(&self.half_sent)),
            ("unread answers", read(&self.unread)),
        ]
    }

    /// How the server ended it.
    pub(super) fn ends(&self) -> [(&'static str, u64); 2] {
        [
            ("connections refused", read(&self.refused)),
            ("connections ended by the server", read(&self.ended)),
        ]
    }
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[derive(Clone, Copy)]
enum Attack {
    /// A socket that never reads and sends a frame now and then.
    UnreadSocket,
    /// A socket that never reads and sends without pause.
    Flood,
    HalfSent,
    Unread,
}

/// Starts all attackers. The returned future ends when they have stopped.
pub(super) fn start(
    options: &AttackOptions,
    target: &Arc<Target>,
    counts: &Arc<Counts>,
    stopped: &watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    let flooding = options.attackers / FLOOD_SHARE;
    let attacks = [
        (Attack::UnreadSocket, options.attackers - flooding),
        (Attack::Flood, flooding),
        (Attack::HalfSent, options.attackers),
        (Attack::Unread, options.attackers / UNREAD_SHARE),
    ];
    let attacks = attacks
        .into_iter()
        .flat_map(|(attack, count)| std::iter::repeat_n(attack, count));
    let mut attacks: Vec<Attack> = attacks.collect();
    // Every kind appears over the whole time.
    fastrand::Rng::with_seed(0).shuffle(&mut attacks);
    let step = RAMP / u32::try_from(attacks.len().max(1)).unwrap_or(u32::MAX);
    let tasks: Vec<JoinHandle<()>> = attacks
        .into_iter()
        .enumerate()
        .map(|(index, attack)| {
            let attacker = Attacker {
                attack,
                index,
                target: Arc::clone(target),
                counts: Arc::clone(counts),
            };
            let starts_after = step.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                sleep(starts_after).await;
                tokio::select! {
                    () = attacker.run() => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
            })
        })
        .collect();
    async move {
        join_all(tasks).await;
    }
}

struct Attacker {
    attack: Attack,
    index: usize,
    target: Arc<Target>,
    counts: Arc<Counts>,
}

impl Attacker {
    async fn run(&self) {
        loop {
            match timeout(OPEN_TIMEOUT, self.connect()).await {
                Ok(Ok(stream)) => {
                    // However it ends, the next connection follows.
                    let _ = self.attack(stream).await;
                    add(&self.counts.ended);
                }
                _ => add(&self.counts.refused),
            }
            sleep(RECONNECT_AFTER).await;
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let last = u8::try_from(self.index % ADDRESSES).unwrap_or_default() + 1;
        socket.bind(SocketAddr::from((
            IpAddr::V4(Ipv4Addr::new(127, 0, 1, last)),
            0,
        )))?;
        socket.connect(self.target.server).await
    }

    /// Attacks until the server ends the connection.
    async fn attack(&self, mut stream: TcpStream) -> io::Result<()> {
        match self.attack {
            Attack::UnreadSocket | Attack::Flood => {
                self.upgrade(&mut stream).await?;
                add(&self.counts.sockets);
                self.send_frames(&mut stream).await
            }
            Attack::HalfSent => {
                let head = format!(
                    "POST /api/users/login/ HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
                    self.target.server
                );
                stream.write_all(head.as_bytes()).await?;
                add(&self.counts.half_sent);
                until_closed(&mut stream).await
            }
            Attack::Unread => {
                let path = format!(
                    "/api/chat/conversations/{}/messages/?limit=100",
                    self.target.conversation_id
                );
                let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers());
                add(&self.counts.unread);
                loop {
                    // Pipelined: the server must not produce answers that are not read.
                    stream.write_all(request.as_bytes()).await?;
                }
            }
        }
    }

    fn headers(&self) -> String {
        let tokens = &self.target.tokens;
        let token = tokens
            .get(self.index % tokens.len().max(1))
            .map_or("", String::as_str);
        format!(
            "Host: {}\r\nAuthorization: Bearer {token}\r\n",
            self.target.server
        )
    }

    /// Upgrades to a WebSocket (RFC 6455 §4.1) and reads no more than the response's head.
    async fn upgrade(&self, stream: &mut TcpStream) -> io::Result<()> {
        let request = format!(
            "GET /ws/chat/{}/ HTTP/1.1\r\n{}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat.v2\r\n\r\n",
            self.target.conversation_id,
            self.headers()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        if status.ends_with(b"101") {
            Ok(())
        } else {
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }

    async fn send_frames(&self, stream: &mut TcpStream) -> io::Result<()> {
        let frames = [
            text_frame(r#"{"type":"resume","since":0}"#),
            text_frame(r#"{"type": "ping"}"#),
            // A ping of the protocol (RFC 6455 §5.5.2) with the longest payload.
            frame(0x89, &[b'x'; 125]),
            text_frame(r#"{"type":"ping"}"#),
        ];
        if matches!(self.attack, Attack::Flood) {
            let many = frames.concat().repeat(FRAMES_PER_WRITE / frames.len());
            loop {
                stream.write_all(&many).await?;
                self.counts
                    .frames
                    .fetch_add(FRAMES_PER_WRITE as u64, Ordering::Relaxed);
            }
        }
        loop {
            for frame in &frames {
                stream.write_all(frame).await?;
                add(&self.counts.frames);
                sleep(FRAME_INTERVAL).await;
            }
        }
    }
}

/// Waits without reading until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    let mut one = [0];
    while stream.peek(&mut one).await? > 0 {
        stream.read_exact(&mut one).await?;
    }
    Ok(())
}

fn text_frame(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A masked frame of up to 125 bytes (RFC 6455 §5.2) with the mask zero, which leaves the payload
/// as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX).min(125);
    let mut frame = vec![first, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}
