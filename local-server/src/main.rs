//! Colloquy as one native binary.
fn main() {}
