//! Pages of history and of the list of conversations.

use std::sync::Arc;

use serde::Deserialize;

use colloquy_proto::domain::{
    ConversationId, ConversationSummary, Epoch, Message, MessageNumber, Position, Seq, User,
};

/// Which messages of a history are requested. Every page is in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest.
    Latest,
    /// The nearest ones with a smaller number.
    Before(MessageNumber),
    /// The nearest ones with a greater number.
    After(MessageNumber),
    /// Half before, the message itself and half after.
    Around(MessageNumber),
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct History {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// The conversation's position when the page was read.
    pub position: Position,
}

/// The summaries that the caller's cache holds, each with the `seq` it was rendered at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedSummaries {
    /// The epoch of the `seq`s; `None` when nothing is cached.
    pub epoch: Option<Epoch>,
    /// The conversations.
    pub at: Vec<(ConversationId, Seq)>,
}

/// One conversation of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum ListedConversation {
    /// It is still at the `seq` that is cached.
    NotModified(ConversationId),
    /// In full.
    Summary(Box<ConversationSummary>),
}

/// A page of the list of conversations, read from one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationPage {
    /// The epoch of their `seq`s.
    pub epoch: Epoch,
    /// The caller's own account.
    pub caller: Arc<User>,
    /// Latest activity first.
    pub conversations: Vec<ListedConversation>,
    /// Whether it ends before the requested number because its conversations are large.
    pub is_cut: bool,
}
