//! A TCP proxy between clients and one server that can reset, black-hole, slow and stall connections
//! (as Toxiproxy does). It forwards bytes unchanged and knows nothing of HTTP.

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

/// Small, so that the server soon notices a client that stops reading.
const BUFFER: u32 = 16 * 1024;

/// The fault applied to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Toxic {
    /// No fault.
    #[default]
    None,
    /// Data arrives later.
    Latency(Duration),
    /// The client does not read what the server sends.
    StopReading,
    /// Data is held back in both directions; no side is notified.
    Blackhole,
    /// Both ends of the connection are dropped.
    Reset,
}

/// The open connections of one proxy.
type Connections = Arc<Mutex<BTreeMap<u64, watch::Sender<Toxic>>>>;

/// A proxy in front of one server.
pub(crate) struct TcpProxy {
    address: SocketAddr,
    connections: Connections,
}

impl TcpProxy {
    /// Listens on a free port and forwards connections to `target` on this machine.
    pub(crate) async fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let connections = Connections::default();
        tokio::spawn(serve(listener, target, Arc::clone(&connections)));
        Ok(Self {
            address,
            connections,
        })
    }

    /// The address clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Applies `toxic` to `percent` of the open connections, at least one; returns their ids for
    /// [`Self::set`].
    pub(crate) fn apply(&self, percent: u32, toxic: Toxic, rng: &mut Rng) -> Vec<u64> {
        let connections = locked(&self.connections);
        let mut chosen: Vec<u64> = connections.keys().copied().collect();
        rng.shuffle(&mut chosen);
        let share = usize::try_from(percent).unwrap_or(100);
        chosen.truncate((chosen.len() * share).div_ceil(100));
        for id in &chosen {
            if let Some(connection) = connections.get(id) {
                connection.send_replace(toxic);
            }
        }
        chosen
    }

    /// Sets the toxic of those connections that are still open.
    pub(crate) fn set(&self, chosen: &[u64], toxic: Toxic) {
        let connections = locked(&self.connections);
        for connection in chosen.iter().filter_map(|id| connections.get(id)) {
            connection.send_replace(toxic);
        }
    }
}

fn locked(connections: &Connections) -> MutexGuard<'_, BTreeMap<u64, watch::Sender<Toxic>>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, target: u16, connections: Connections) {
    let mut next = 0_u64;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // For example out of descriptors: others will be closed soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        next += 1;
        let id = next;
        let connections = Arc::clone(&connections);
        tokio::spawn(async move {
            let (sender, toxic) = watch::channel(Toxic::None);
            // Registered at once: it may be reset while it is being opened.
            locked(&connections).insert(id, sender);
            forward(client, target, toxic).await;
            locked(&connections).remove(&id);
        });
    }
}

/// Forwards one connection until it ends.
async fn forward(client: TcpStream, target: u16, toxic: watch::Receiver<Toxic>) {
    let Ok(server) = connect(target).await else {
        // The server does not listen: reset the client's connection.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let mut reset = toxic.clone();
    let up = pump(client_in, server_out, toxic.clone(), false);
    let down = pump(server_in, client_out, toxic, true);
    let both = async { tokio::join!(up, down) };
    tokio::pin!(both);
    tokio::select! {
        _ = &mut both => {}
        // Both ends are dropped: a TCP reset where data is unread, else an end of the stream.
        _ = reset.wait_for(|toxic| *toxic == Toxic::Reset) => {}
    }
}

async fn connect(target: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    let stream = socket.connect((Ipv4Addr::LOCALHOST, target).into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Forwards one direction until either side ends it, and forwards the end.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut toxic: watch::Receiver<Toxic>,
    is_down: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let stalled =
            |toxic: &Toxic| *toxic == Toxic::Blackhole || (is_down && *toxic == Toxic::StopReading);
        if toxic.wait_for(|toxic| !stalled(toxic)).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            // Stops reading as soon as it is stalled.
            changed = toxic.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok(count @ 1..) = read else { break };
        let now = *toxic.borrow_and_update();
        match now {
            Toxic::Latency(delay) => tokio::time::sleep(delay).await,
            Toxic::Blackhole => drop(toxic.wait_for(|toxic| !stalled(toxic)).await),
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

    /// A server that echoes.
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

    async fn echo_byte(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn proxy_forwards_stalls_and_resets() {
        let proxy = TcpProxy::start(echo().await).await.unwrap();
        let mut rng = Rng::with_seed(1);
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(echo_byte(&mut stream).await.unwrap(), b'x');
        for toxic in [Toxic::Blackhole, Toxic::StopReading] {
            let chosen = proxy.apply(1, toxic, &mut rng);
            assert_eq!(chosen.len(), 1, "at least one");
            let response =
                tokio::time::timeout(Duration::from_millis(100), echo_byte(&mut stream)).await;
            assert!(response.is_err(), "{toxic:?}");
            proxy.set(&chosen, Toxic::None);
            assert_eq!(
                stream.read_u8().await.unwrap(),
                b'x',
                "the data is delayed, not lost"
            );
        }
        proxy.apply(100, Toxic::Reset, &mut rng);
        assert!(echo_byte(&mut stream).await.is_err());
    }

    #[tokio::test]
    async fn proxy_resets_clients_when_the_server_does_not_listen() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let proxy = TcpProxy::start(port).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(echo_byte(&mut stream).await.is_err());
    }
}
