//! Close codes: the reason for a close as a number that programs can act on.

/// Close codes: those of the WebSocket protocol for its own violations (RFC 6455 §7.4.1), and
/// application codes (RFC 6455 §7.4.2 leaves 4000–4999 to applications).
///
/// The range determines the reaction: 40xx reconnect with jitter, then resume; 41xx reconnect after
/// the delay in the reason; 42xx obtain a new token first; 10xx and 44xx do not reconnect, except
/// 4409, after the delay in the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// A frame that violates RFC 6455, where the host sees it.
    ProtocolError = 1002,
    /// A text frame that is not UTF-8, where the host sees it (RFC 6455 §8.1).
    InvalidUtf8 = 1007,
    /// The server is stopping or restarting, or the client has to be authorized again.
    Restarting = 4000,
    /// The client reads more slowly than events arrive.
    SlowConsumer = 4001,
    /// No heartbeat for too long.
    HeartbeatLost = 4002,
    /// Too many frames or too many errors in a short time.
    Flooding = 4100,
    /// The server or its database is overloaded.
    Overloaded = 4101,
    /// The access token expired.
    TokenExpired = 4200,
    /// A frame that this protocol does not have, such as a binary one.
    Malformed = 4400,
    /// No valid token, or its session is revoked.
    TokenInvalid = 4401,
    /// The user is not, or no longer, a member.
    NotMember = 4403,
    /// There is no such conversation.
    NoSuchConversation = 4404,
    /// The user has too many sockets in this Room, none of them silent.
    TooManySockets = 4409,
    /// A frame larger than permitted.
    FrameTooLarge = 4413,
}

impl CloseCode {
    /// All codes, for documentation and tests.
    pub const ALL: [Self; 14] = [
        Self::ProtocolError,
        Self::InvalidUtf8,
        Self::Restarting,
        Self::SlowConsumer,
        Self::HeartbeatLost,
        Self::Flooding,
        Self::Overloaded,
        Self::TokenExpired,
        Self::Malformed,
        Self::TokenInvalid,
        Self::NotMember,
        Self::NoSuchConversation,
        Self::TooManySockets,
        Self::FrameTooLarge,
    ];

    /// The numeric code.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The reason text, for humans and logs; at most 123 bytes (RFC 6455 §5.5).
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ProtocolError => "protocol error",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::Restarting => "restarting",
            Self::SlowConsumer => "slow consumer",
            Self::HeartbeatLost => "heartbeat lost",
            Self::Flooding => "flooding; after_ms=10000",
            Self::Overloaded => "overloaded; after_ms=2000",
            Self::TokenExpired => "token expired",
            Self::Malformed => "malformed",
            Self::TokenInvalid => "token invalid or session revoked",
            Self::NotMember => "not a member",
            Self::NoSuchConversation => "no such conversation",
            Self::TooManySockets => "too many sockets; after_ms=25000",
            Self::FrameTooLarge => "frame too large",
        }
    }
}
