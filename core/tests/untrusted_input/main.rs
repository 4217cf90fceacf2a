//! What strangers send, worse than they mean it: every reader of bytes from outside, tried with
//! mutations of its corpus, and every codec with values of all kinds. A failure prints the line
//! that replays it; `cargo xtask fuzz` goes on for longer.

mod answers;
mod append_params;
mod cache;
mod cursors;
mod lists;
mod settings;
mod tokens;
mod values;
