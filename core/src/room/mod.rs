//! To come: room.
