//! Hostile input for whatever reads what strangers send.
//!
//! A **target** is a function that takes any bytes and panics when a promise is broken; it stands
//! beside the code it tests, in a test program called `hostile` (in a unit test where that code is
//! private). This package owns what targets share: corpora, mutations, the watch over time,
//! shrinking, and the line that replays a failure. It knows nothing of what is tested and needs no
//! special toolchain: every input follows from the target's name, its corpus and a case's number.
//!
//! To add a target: a test that calls [`Target::run`], a corpus beside it, and a row in
//! `xtask/src/fuzz.rs`. To keep what was found: add the input that the failure prints to the
//! corpus, whose every line is tried as it stands before anything else.

mod corpus;
mod hunt;
mod mutate;
mod plan;

pub use corpus::escape;
pub use fastrand::Rng;
pub use hunt::{Target, for_all};
pub use mutate::{NUMBERS, TEXTS, hostile_text};
