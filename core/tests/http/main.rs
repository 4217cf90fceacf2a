//! The REST API over fake ports: responses as clients see them, and the handling of invalid
//! requests.

mod accounts;
mod bodies;
mod budgets;
mod conversations;
mod fakes;
mod login_limits;
mod messages;
mod middleware;
mod server;
mod sessions;
mod sockets;
mod stored_changes;
mod untrusted_input;
