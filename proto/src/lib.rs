//! The protocol of Colloquy without I/O: what a conversation is, what crosses the wire, and the
//! Room, the state machine of one live conversation.
//!
//! Owns every rule that does not need a database, a clock or a socket. The caller passes inputs and
//! the time, and carries out the effects that come back; this crate awaits nothing, spawns nothing
//! and reads no clock. `colloquy-core` adds the ports, the use cases and the routes.
//!
//! Read in this order: [`domain`] (the nouns), [`protocol`] (the frames), [`room`] (the state
//! machine).

pub mod domain;
pub mod protocol;
pub mod room;
