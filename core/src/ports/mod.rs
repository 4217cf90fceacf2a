//! The interfaces through which core reaches the outside. An adapter implements them.
//!
//! [`Store`] is the database, [`Cache`] holds recent history, [`Counters`] the token buckets of rate
//! limits, [`Rooms`] reaches the live conversations, [`Passwords`] hashes off the serving threads;
//! [`Assets`] holds the built pages of the browser;
//! [`Clock`], [`Timer`] and [`Rng`] keep time and randomness out of core. The contract of a method is its documentation; the suite in
//! `tests/contract` holds every store to it. To add a use case of the database: a method in
//! `store.rs`, its statements in `core/sql`, its case in the contract suite.

mod assets;
mod cache;
mod clock;
mod counters;
mod outcomes;
mod pages;
mod passwords;
mod rng;
mod rooms;
mod store;

pub use self::assets::{Asset, Assets, NoAssets};
pub use self::cache::{Cache, CacheCommand, CacheError, CacheKind, CacheReply};
pub use self::clock::{Clock, Timer};
pub use self::counters::{
    Bucket, BucketEmpty, Charge, CounterKey, CounterKind, Counters, Returned,
};
pub use self::outcomes::{
    AccountKeys, AccountWithoutKeys, ChangeOutcome, CreatedConversation, CreatedUser, NewSession,
    Rotation, RotationOutcome,
};
pub use self::pages::{
    CachedSummaries, ConversationPage, History, HistoryRange, ListedConversation,
};
pub use self::passwords::{HashPriority, Passwords};
pub use self::rng::Rng;
pub use self::rooms::{Rooms, SocketGrant};
pub use self::store::{Authorized, DatabaseProblem, Store, StoreError, StoreResult};
pub use colloquy_proto::domain::{
    Admission, AppendOutcome, BatchOutcome, Denied, NewMessage, SendOutcome, StoredMessage,
};
pub use colloquy_proto::protocol::{EventPage, StoredEvent};
