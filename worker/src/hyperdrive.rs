//! Connections through the Hyperdrive binding.
//!
//! The binding provides a plain socket and the credentials as separate fields; its connection string
//! is not percent-encoded and is not used. Hyperdrive does TLS to the server.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::DriverError;
use tokio_postgres::{Client, NoTls};
use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};
use worker::{Delay, Env, Hyperdrive, worker_sys};

use crate::driver::{Connect, driver_error};
use crate::perf::stream::Stream;

/// The binding's name in `wrangler.toml`.
const BINDING: &str = "HYPERDRIVE";

/// The database behind the binding.
pub(crate) struct Database(Hyperdrive);

impl Database {
    /// The database of this Worker's binding. Opens no connection yet.
    pub(crate) fn of(env: &Env) -> worker::Result<Self> {
        env.hyperdrive(BINDING).map(Self)
    }

    async fn open(&self) -> Result<Client, DriverError> {
        let mut config = tokio_postgres::Config::new();
        config
            .user(self.0.user())
            .password(self.0.password())
            .dbname(self.0.database())
            .application_name("colloquy-worker");
        let socket = self.connect_socket()?;
        let stream = Stream::of(&socket.0).map_err(unavailable)?;
        let connected = config.connect_raw(stream, NoTls).await;
        let (client, connection) = connected.map_err(|error| driver_error(&error))?;
        spawn_local(async move {
            // The statement in flight reports the error.
            drop(connection.await);
            drop(socket);
        });
        Ok(client)
    }

    /// The runtime's own socket: that of the `worker` crate cannot be closed once it is a stream.
    fn connect_socket(&self) -> Result<OpenSocket, DriverError> {
        let binding: worker_sys::Hyperdrive = self.0.as_ref().clone().into();
        binding.connect().map(OpenSocket).map_err(unavailable)
    }
}

/// A socket that is closed when it is dropped, also by a deadline while it connects. Closes both
/// directions: the protocol's Terminate message closes one, and a half-open socket keeps its object
/// awake after the server has closed its side.
struct OpenSocket(worker_sys::Socket);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        if let Ok(closing) = self.0.close() {
            // A failed socket is closed as well.
            spawn_local(async move { drop(JsFuture::from(closing).await) });
        }
    }
}

fn unavailable(error: JsValue) -> DriverError {
    DriverError::Unavailable(worker::Error::from(error).to_string())
}

#[async_trait]
impl Connect for Database {
    async fn connect(&self) -> Result<Client, DriverError> {
        SendFuture::new(self.open()).await
    }

    async fn delay(&self, time: Duration) {
        SendFuture::new(Delay::from(time)).await;
    }
}
