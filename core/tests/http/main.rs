//! The routes over fakes: what clients see, and that nothing they send is more than an error.

mod accounts;
mod bodies;
mod changes;
mod chat;
mod fakes;
mod frame;
mod server;
mod sockets;
mod untrusted_input;
