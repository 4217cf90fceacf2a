//! The network between clients and one server: a TCP proxy that can cut, silence, slow and stall
//! its connections. It passes bytes on unchanged and knows nothing of HTTP.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// Small, so that a reader who stops reading is soon felt by the server.
const BUFFER: u32 = 16 * 1024;

/// What a connection suffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing.
    #[default]
    Well,
    /// Everything arrives later.
    Slow(Duration),
    /// The client no longer takes what the server sends.
    Deaf,
    /// Nothing arrives, in either direction, and nobody is told.
    Silent,
    /// It breaks, with a reset.
    Cut,
}

/// The connections of one line.
type Connections = Arc<Mutex<BTreeMap<u64, watch::Sender<Mood>>>>;

/// A line to one server.
pub(crate) struct Line {
    address: SocketAddr,
    connections: Connections,
}

impl Line {
    /// Listens on a port of its own for connections to `target` on this machine.
    pub(crate) async fn to(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let connections = Connections::default();
        tokio::spawn(serve(listener, target, Arc::clone(&connections)));
        Ok(Self {
            address,
            connections,
        })
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets `percent` of the connections there are, at least one, suffer `mood`; which, so that
    /// they can be relieved.
    pub(crate) fn afflict(&self, percent: u32, mood: Mood, rng: &mut Rng) -> Vec<u64> {
        let connections = locked(&self.connections);
        let mut chosen: Vec<u64> = connections.keys().copied().collect();
        rng.shuffle(&mut chosen);
        let share = usize::try_from(percent).unwrap_or(100);
        chosen.truncate((chosen.len() * share).div_ceil(100));
        for id in &chosen {
            if let Some(connection) = connections.get(id) {
                connection.send_replace(mood);
            }
        }
        chosen
    }

    /// Sets the mood of those that are still there.
    pub(crate) fn set(&self, chosen: &[u64], mood: Mood) {
        let connections = locked(&self.connections);
        for connection in chosen.iter().filter_map(|id| connections.get(id)) {
            connection.send_replace(mood);
        }
    }
}

fn locked(connections: &Connections) -> MutexGuard<'_, BTreeMap<u64, watch::Sender<Mood>>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, target: u16, connections: Connections) {
    let mut next = 0_u64;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors, say: others will be closed meanwhile.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        next += 1;
        let id = next;
        let connections = Arc::clone(&connections);
        tokio::spawn(async move {
            let (sender, mood) = watch::channel(Mood::Well);
            // Noted at once: it may be cut while it is being opened.
            locked(&connections).insert(id, sender);
            carry(client, target, mood).await;
            locked(&connections).remove(&id);
        });
    }
}

/// Carries one connection to its end.
async fn carry(client: TcpStream, target: u16, mood: watch::Receiver<Mood>) {
    let Ok(server) = connect(target).await else {
        // Nobody listens: the client is refused as if it had asked there itself.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let mut cut = mood.clone();
    let up = pump(client_in, server_out, mood.clone(), false);
    let down = pump(server_in, client_out, mood, true);
    let both = async { tokio::join!(up, down) };
    tokio::pin!(both);
    tokio::select! {
        _ = &mut both => {}
        // Both ends are dropped with what was read from neither, which resets them.
        _ = cut.wait_for(|mood| *mood == Mood::Cut) => {}
    }
}

async fn connect(target: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    let stream = socket.connect((Ipv4Addr::LOCALHOST, target).into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Carries one direction until either side ends it. An end is passed on.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mood: watch::Receiver<Mood>,
    is_down: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let stalled = |mood: &Mood| *mood == Mood::Silent || (is_down && *mood == Mood::Deaf);
        if mood.wait_for(|mood| !stalled(mood)).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            // Read nothing more once it is stalled.
            changed = mood.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok(count @ 1..) = read else { break };
        let now = *mood.borrow_and_update();
        match now {
            Mood::Slow(delay) => tokio::time::sleep(delay).await,
            Mood::Silent => drop(mood.wait_for(|mood| !stalled(mood)).await),
            _ => {}
        }
        let Some(bytes) = buffer.get(..count) else {
            return;
        };
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reading, mut writing) = stream.split();
                    let _ = tokio::io::copy(&mut reading, &mut writing).await;
                });
            }
        });
        port
    }

    async fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn carries_stalls_and_cuts() {
        let line = Line::to(echo().await).await.unwrap();
        let mut rng = Rng::with_seed(1);
        let mut stream = TcpStream::connect(line.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), b'x');
        for mood in [Mood::Silent, Mood::Deaf] {
            let chosen = line.afflict(1, mood, &mut rng);
            assert_eq!(chosen.len(), 1, "at least one");
            let answer = tokio::time::timeout(Duration::from_millis(100), ask(&mut stream)).await;
            assert!(answer.is_err(), "{mood:?}");
            line.set(&chosen, Mood::Well);
            assert_eq!(stream.read_u8().await.unwrap(), b'x', "it came later");
        }
        line.afflict(100, Mood::Cut, &mut rng);
        assert!(ask(&mut stream).await.is_err());
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_a_broken_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let line = Line::to(port).await.unwrap();
        let mut stream = TcpStream::connect(line.address()).await.unwrap();
        assert!(ask(&mut stream).await.is_err());
    }
}
