//! The sans-IO part of Colloquy: the domain types, the wire protocol, and the Room, the state
//! machine of one live conversation.
//!
//! Owns every rule that needs no database, clock or socket. The caller passes inputs and the time
//! and executes the returned effects. This crate awaits nothing, spawns nothing and reads no clock;
//! its dependencies give it no way to. `colloquy-core` adds the ports, the use cases and the routes.
//!
//! Read in this order: [`domain`] (types and validation), [`protocol`] (frames), [`room`] (the
//! state machine).

pub mod domain;
pub mod protocol;
pub mod room;
