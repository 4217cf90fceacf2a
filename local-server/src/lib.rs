//! Colloquy as one native binary: the adapter between [`colloquy_core`] and tokio.
//!
//! Owns sockets, tasks, files, the clock and the signals of one process. It decides nothing a
//! client can notice and adds no route. Its files have the same names as those of the Worker.
//! Optimisations are in [`perf`].

pub mod admin;
pub mod app;
mod assets;
pub mod backup;
mod cache_writer;
pub mod cli;
pub mod clock;
pub mod driver;
pub mod environment;
pub mod healthcheck;
pub mod logging;
pub mod migrate;
mod owner;
pub mod passwords;
pub mod perf;
mod private_files;
mod room_host;
mod room_inbox;
pub mod rooms;
pub mod run;
pub mod secret_key;
pub mod send_queue;
pub mod serve;
mod session_rooms;
pub mod signals;
pub mod single_server;
mod socket;
