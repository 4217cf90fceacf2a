//! A TCP proxy that can stall: it keeps accepting connections and discards all data.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Stalling {
    pub(crate) port: u16,
    silent: Arc<AtomicBool>,
}

impl Stalling {
    /// Forwards to `address`, from a free port.
    pub(crate) async fn before(address: String) -> Self {
        Self::at(0, address).await
    }

    /// Forwards to `address` from `port`; 0 takes a free one.
    pub(crate) async fn at(port: u16, address: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let silent = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&address).await.expect("connects");
                let ((from, to), (back_from, back_to)) = (client.into_split(), server.into_split());
                tokio::spawn(forward(from, back_to, Arc::clone(&shared)));
                tokio::spawn(forward(back_from, to, Arc::clone(&shared)));
            }
        });
        Self { port, silent }
    }

    pub(crate) fn fall_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    silent: Arc<AtomicBool>,
) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // Discarded, not delayed: a connection that has lost bytes never recovers.
        if !silent.load(Ordering::Relaxed) && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
