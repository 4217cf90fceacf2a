//! The budgets of a user's requests: a token bucket for each kind of request, by what it costs
//! others. The table beside the routes (`crate::http`) names the budget of every route.
//!
//! To add one: a variant, its [`CounterKind`] and rate here, its row in `docs/protocol.md`.

use crate::ports::{Bucket, CounterKind};
use colloquy_proto::domain::Seconds;

/// The budget of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// No account is involved, and the response is small or from memory.
    Public,
    /// Logins and registrations, limited by address and account before a password is hashed.
    Attempts,
    /// Sends, limited by the Room's throttle.
    Sends,
    /// Edits, limited per user and conversation at the throttle's rate.
    Edits,
    /// Deleted messages: an event for every member each.
    Deletions,
    /// Added and removed members: an event for every member each.
    Members,
    /// Created conversations: a row in every participant's list each.
    Conversations,
    /// Refreshed tokens: a write each.
    Refreshes,
    /// Logouts: a write each, and every Room with a socket of the session is notified.
    Logouts,
    /// Pages of histories, and single conversations.
    History,
    /// Pages of lists.
    Lists,
    /// The user's own account.
    Profile,
    /// Opened sockets.
    Sockets,
}

impl Budget {
    /// The budgets that are token buckets per user.
    pub const PER_USER: [Self; 9] = [
        Self::Conversations,
        Self::Members,
        Self::Deletions,
        Self::Refreshes,
        Self::Logouts,
        Self::History,
        Self::Lists,
        Self::Profile,
        Self::Sockets,
    ];

    /// The name in documents and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Attempts => "attempts",
            Self::Sends => "sends",
            Self::Edits => "edits",
            Self::Deletions => "deletions",
            Self::Members => "members",
            Self::Conversations => "conversations",
            Self::Refreshes => "refreshes",
            Self::Logouts => "logouts",
            Self::History => "history",
            Self::Lists => "lists",
            Self::Profile => "profile",
            Self::Sockets => "sockets",
        }
    }

    /// Requests at once, which are also the requests per minute in the long term; `None` when the
    /// request is limited elsewhere.
    pub const fn per_minute(self) -> Option<i64> {
        match self {
            Self::Public | Self::Attempts | Self::Sends | Self::Edits => None,
            Self::Conversations | Self::Logouts => Some(20),
            Self::Members | Self::Refreshes => Some(30),
            Self::Deletions => Some(60),
            Self::Lists | Self::Profile => Some(300),
            Self::History | Self::Sockets => Some(1_200),
        }
    }

    /// Whether the request changes nothing. Such requests are counted in the process that serves
    /// them.
    pub(super) const fn is_read(self) -> bool {
        matches!(
            self,
            Self::History | Self::Lists | Self::Profile | Self::Sockets
        )
    }

    /// The kind and parameters of the bucket, `factor` times as large; `None` for no limit.
    pub(super) fn bucket(self, factor: i64) -> Option<(CounterKind, Bucket)> {
        let kind = match self {
            Self::Public | Self::Attempts | Self::Sends | Self::Edits => return None,
            Self::Deletions => CounterKind::Deletions,
            Self::Members => CounterKind::Members,
            Self::Conversations => CounterKind::Conversations,
            Self::Refreshes => CounterKind::Refreshes,
            Self::Logouts => CounterKind::Logouts,
            Self::History => CounterKind::History,
            Self::Lists => CounterKind::Lists,
            Self::Profile => CounterKind::Profile,
            Self::Sockets => CounterKind::Sockets,
        };
        let per_minute = self.per_minute()?.saturating_mul(factor);
        let bucket = Bucket::per_window(per_minute, Seconds(60))?;
        Some((kind, bucket))
    }
}
