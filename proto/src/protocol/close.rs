//! Close codes: the reason for a close as a number that programs can act on.

/// What a client does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseAction {
    /// Reconnect with jitter, then resume.
    Reconnect,
    /// The same, after the `after_ms` of the reason.
    ReconnectAfter,
    /// Get a new access token, then reconnect.
    RenewToken,
    /// Do not reconnect.
    Stop,
}

impl CloseAction {
    /// The action as text, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
            Self::ReconnectAfter => "reconnect_after",
            Self::RenewToken => "renew_token",
            Self::Stop => "stop",
        }
    }

    /// The action in words, as in the table of `docs/protocol.md`.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect with jitter, then resume",
            Self::ReconnectAfter => "reconnect after the `after_ms` of the reason",
            Self::RenewToken => "get a new token, then reconnect",
            Self::Stop => "do not reconnect",
        }
    }
}

macro_rules! close_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $reason:literal, $action:ident;)+) => {
        /// Close codes: those of the WebSocket protocol for its own violations (RFC 6455 §7.4.1), and
        /// application codes (RFC 6455 §7.4.2 leaves 4000–4999 to applications).
        ///
        /// The range determines the action: 40xx reconnect with jitter, then resume; 41xx reconnect
        /// after the delay in the reason; 42xx obtain a new token first; 10xx and 44xx do not
        /// reconnect, except 4409, after the delay in the reason. A test compares the table in
        /// `docs/protocol.md` with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum CloseCode {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl CloseCode {
            /// All codes, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The numeric code.
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The reason text, for humans and logs; at most 123 bytes (RFC 6455 §5.5).
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)+ }
            }

            /// What the client does.
            pub const fn action(self) -> CloseAction {
                match self { $(Self::$name => CloseAction::$action,)+ }
            }

            /// The meaning, in a sentence.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

close_codes! {
    /// A frame that violates RFC 6455, where the host sees it.
    ProtocolError = 1002, "protocol error", Stop;
    /// A text frame that is not UTF-8, where the host sees it (RFC 6455 §8.1).
    InvalidUtf8 = 1007, "invalid UTF-8", Stop;
    /// The server is stopping or restarting, or the client has to be authorized again.
    Restarting = 4000, "restarting", Reconnect;
    /// The client reads more slowly than events arrive.
    SlowConsumer = 4001, "slow consumer", Reconnect;
    /// No heartbeat for too long.
    HeartbeatLost = 4002, "heartbeat lost", Reconnect;
    /// Too many frames or too many errors in a short time.
    Flooding = 4100, "flooding; after_ms=10000", ReconnectAfter;
    /// The server or its database is overloaded.
    Overloaded = 4101, "overloaded; after_ms=2000", ReconnectAfter;
    /// The access token expired.
    TokenExpired = 4200, "token expired", RenewToken;
    /// A frame that this protocol does not have, such as a binary one.
    Malformed = 4400, "malformed", Stop;
    /// No valid token, or its session is revoked.
    TokenInvalid = 4401, "token invalid or session revoked", Stop;
    /// The user is not, or no longer, a member.
    NotMember = 4403, "not a member", Stop;
    /// There is no such conversation.
    NoSuchConversation = 4404, "no such conversation", Stop;
    /// The user has too many sockets in this conversation, none of them silent.
    TooManySockets = 4409, "too many sockets; after_ms=25000", ReconnectAfter;
    /// A frame larger than permitted.
    FrameTooLarge = 4413, "frame too large", Stop;
}
