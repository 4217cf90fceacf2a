//! Fuzz tests of everything that reads untrusted input: frames, Rooms, persisted snapshots. Each
//! target mutates its corpus; the codecs also have round-trip properties. A failure prints a line
//! that replays it. `cargo xtask fuzz` runs more cases.

mod fixture;
mod frames;
mod room;
mod snapshots;
