//! What any deployed server must do, checked on the server itself: `cargo xtask smoke URL`.
//!
//! Safe for a server in use: it registers three accounts with names like `smoke-…`, creates a
//! conversation or two for each check, stays within the throttle, and needs no control server. The
//! checks run in order with one thread and report what they measured. Every response and frame that
//! the black-box library receives is checked as in the whole suite; the ordinary use goes through
//! `colloquy-client`.

mod accounts;
mod checks;
mod report;
