//! Mutation fuzzing and property tests for code that parses untrusted input.
//!
//! A **target** takes any bytes and panics on a failure. It is a test in a program called
//! `untrusted_input` next to the tested code, or a unit test where that code is private. This crate
//! owns what targets share: corpora, mutations, hang detection, shrinking and the replay command. It
//! needs no special toolchain: an input follows from the name of the target, its corpus and the number
//! of the case.
//!
//! To add a target: a test that calls [`Target::run`], a corpus next to it, and a row in
//! `xtask/src/fuzz.rs`. To add a regression test: append the input printed by the failure to the
//! corpus; every line of the corpus runs unchanged before any mutation.
//!
//! `docs/decisions/0029-property-tests.md` compares it with proptest and bolero.

mod corpus;
mod mutate;
mod runner;
mod selection;

pub use corpus::escape;
pub use fastrand::Rng;
pub use mutate::{NUMBERS, TEXTS, arbitrary_text};
pub use runner::{Target, for_all};
