//! Connections through the Hyperdrive binding.
//!
//! The binding gives a bare socket and, field by field, whom to log in as; its connection string
//! is not percent-encoded and is not read. TLS to the server is Hyperdrive's part.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::DriverError;
use tokio_postgres::{Client, NoTls};
use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Delay, Env, Hyperdrive, worker_sys};

use crate::driver::{Connect, driver_error};
use crate::stream::Stream;

/// The binding's name in `wrangler.toml`.
const BINDING: &str = "HYPERDRIVE";

/// The database behind the binding.
pub(crate) struct Database(Hyperdrive);

impl Database {
    /// The one this Worker is bound to. Opens no connection yet.
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
        let stream = Stream::of(&socket).map_err(unavailable)?;
        let connected = config.connect_raw(stream, NoTls).await;
        let (client, connection) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                close(&socket).await;
                return Err(driver_error(&error));
            }
        };
        worker::wasm_bindgen_futures::spawn_local(async move {
            // The statement under way says what went wrong; without one nobody is concerned.
            drop(connection.await);
            close(&socket).await;
        });
        Ok(client)
    }

    /// The runtime's own socket: the crate's gives no way to close it once it is handed on.
    fn connect_socket(&self) -> Result<worker_sys::Socket, DriverError> {
        let binding: worker_sys::Hyperdrive = self.0.as_ref().clone().into();
        binding.connect().map_err(unavailable)
    }
}

fn unavailable(error: JsValue) -> DriverError {
    DriverError::Unavailable(worker::Error::from(error).to_string())
}

/// Closes both ways. The protocol's farewell closes one, and a socket that is half open keeps its
/// object awake although the server has hung up.
async fn close(socket: &worker_sys::Socket) {
    if let Ok(closing) = socket.close() {
        // One that broke is closed as well.
        drop(JsFuture::from(closing).await);
    }
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
