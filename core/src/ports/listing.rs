//! A list of conversations, and what of it the asker holds already.

use colloquy_proto::domain::{ConversationId, ConversationSummary, Epoch, Seq};

/// Which summaries of conversations the asker holds, each as it was at a `seq` of `epoch`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedSummaries {
    /// Whose `seq`s they are; `None` when nothing is held.
    pub epoch: Option<Epoch>,
    /// The conversations.
    pub at: Vec<(ConversationId, Seq)>,
}

/// A conversation of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum ListedConversation {
    /// It still stands where the asker holds it.
    NotModified(ConversationId),
    /// In full.
    Summary(Box<ConversationSummary>),
}

/// A list of conversations, all as they were at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationPage {
    /// Which history their `seq`s count in.
    pub epoch: Epoch,
    /// In order.
    pub conversations: Vec<ListedConversation>,
}
