//! Everything a user can notice of a server that nobody disturbs. Every test makes people and
//! conversations of its own, so all of them run at once, and against a server that has seen others.

mod accounts;
mod accounts_login;
mod authorisation;
mod changes;
mod conversations;
mod cors_hosts;
mod files;
mod health;
mod history;
mod hostile;
mod hostile_cursors;
mod hostile_http;
mod idempotency;
mod limits;
mod members;
mod openapi;
mod order;
mod refusals;
mod resume;
mod slow_reader;
mod socket_v1;
mod socket_v2;
mod throttle;
mod tokens;
mod tokens_forged;
mod tour;
