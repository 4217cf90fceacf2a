//! Fuzzing of every parser of untrusted input with mutations of its corpus, and property tests of
//! every codec. A failure prints the command that replays it; `cargo xtask fuzz` runs longer.

mod answers;
mod append_params;
mod cache;
mod cursors;
mod names;
mod settings;
mod summaries;
mod tokens;
mod values;
