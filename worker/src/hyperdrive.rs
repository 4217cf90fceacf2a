//! Connections through the Hyperdrive binding.
//!
//! The binding gives a bare socket and, field by field, whom to log in as; its connection string
//! is not percent-encoded and is not read. TLS to the server is Hyperdrive's part.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::store::driver::DriverError;
use tokio_postgres::{Client, NoTls};
use worker::send::SendFuture;
use worker::{Delay, Env, Hyperdrive};

use crate::driver::{Connect, driver_error};

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
        let socket = self
            .0
            .connect()
            .map_err(|error| DriverError::Unavailable(error.to_string()))?;
        let connected = config.connect_raw(socket, NoTls).await;
        let (client, connection) = connected.map_err(|error| driver_error(&error))?;
        worker::wasm_bindgen_futures::spawn_local(async move {
            // The statement under way says what went wrong; without one nobody is concerned.
            drop(connection.await);
        });
        Ok(client)
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
