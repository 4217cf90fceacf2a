//! Everything a user can observe of a server without faults. Every test creates its own accounts
//! and conversations, so the tests run in parallel, and against a server that holds other data.
//!
//! A module is named after the resource it tests. To add a test, put it beside the others of its
//! resource.

mod accounts;
mod asyncapi;
mod authorisation;
mod budgets;
mod config;
mod conversations;
mod cors_and_hosts;
mod examples;
mod health;
mod limits;
mod members;
mod openapi;
mod page_size;
mod readme;
mod static_files;
mod well_behaved_client;

mod messages {
    mod edit;
    mod history;
    mod idempotency;
    mod order;
    mod throttle;
}

mod sessions {
    mod forged_tokens;
    mod login;
    mod login_limits;
    mod tokens;
}

mod sockets {
    mod refusals;
    mod resume;
    mod slow_reader;
    mod v1;
    mod v2;
}

/// Input that no well-behaved client sends.
mod untrusted {
    mod cursors;
    mod floods;
    mod headers;
    mod http;
    mod input;
}
