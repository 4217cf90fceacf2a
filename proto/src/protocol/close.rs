//! Why a socket was closed, as a number a client can act on without reading text.

/// Application close codes (RFC 6455 §7.4.2 leaves 4000–4999 to applications).
///
/// The hundred says what to do: 40xx reconnect with jitter, then resume; 41xx reconnect after
/// the wait the reason names; 42xx get a new token first; 44xx do not reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The server is stopping or starting anew.
    Restarting = 4000,
    /// The client reads more slowly than its conversation speaks.
    SlowConsumer = 4001,
    /// Nothing was heard of the client for too long.
    HeartbeatLost = 4002,
    /// Too many refused frames in a short time.
    Flooding = 4100,
    /// The server or its database cannot take this now.
    Overloaded = 4101,
    /// The access token ran out.
    TokenExpired = 4200,
    /// Not a text frame of the protocol.
    Malformed = 4400,
    /// No valid token, or its session was revoked.
    TokenInvalid = 4401,
    /// Not, or no longer, a member.
    NotMember = 4403,
    /// There is no such conversation.
    NoSuchConversation = 4404,
    /// The user holds too many sockets in this Room.
    TooManySockets = 4409,
    /// A frame larger than allowed.
    FrameTooLarge = 4413,
}

impl CloseCode {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 12] = [
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

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The reason on the wire: for people and logs; at most 123 bytes (RFC 6455 §5.5).
    pub const fn reason(self) -> &'static str {
        match self {
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
            Self::TooManySockets => "too many sockets",
            Self::FrameTooLarge => "frame too large",
        }
    }
}
