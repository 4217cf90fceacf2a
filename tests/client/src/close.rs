//! Close codes and what a client does after each (docs/protocol.md, "Close codes").

use std::time::Duration;

/// How a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code; 1006 when the connection broke without a close frame (RFC 6455 §7.1.5).
    pub code: u16,
    /// The reason.
    pub reason: String,
}

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseAction {
    /// Reconnect with backoff, then resume.
    Reconnect,
    /// The same, not before this time has passed.
    ReconnectAfter(Duration),
    /// Get a new access token, then reconnect.
    RenewToken,
    /// Do not reconnect.
    Stop,
}

impl Close {
    /// A connection that ended without a close frame.
    pub fn abnormal(reason: impl Into<String>) -> Self {
        Self {
            code: 1006,
            reason: reason.into(),
        }
    }

    /// The `after_ms` of the reason.
    pub fn retry_after(&self) -> Option<Duration> {
        let (_, rest) = self.reason.split_once("after_ms=")?;
        let digits = rest.split(|one: char| !one.is_ascii_digit()).next()?;
        Some(Duration::from_millis(digits.parse().ok()?))
    }

    /// What a client does next.
    pub fn action(&self) -> CloseAction {
        match self.code {
            4200 => CloseAction::RenewToken,
            1002 | 1007 | 4400..=4408 | 4410..=4499 => CloseAction::Stop,
            _ => self
                .retry_after()
                .map_or(CloseAction::Reconnect, CloseAction::ReconnectAfter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_close_code_has_its_action() {
        let action = |code, reason: &str| {
            let reason = reason.to_owned();
            Close { code, reason }.action()
        };
        assert_eq!(action(4000, "restarting"), CloseAction::Reconnect);
        assert_eq!(action(1006, ""), CloseAction::Reconnect);
        let after = CloseAction::ReconnectAfter(Duration::from_millis(1_500));
        assert_eq!(action(4101, "overloaded; after_ms=1500"), after);
        let after = CloseAction::ReconnectAfter(Duration::from_secs(25));
        assert_eq!(action(4409, "too many sockets; after_ms=25000"), after);
        assert_eq!(action(4200, ""), CloseAction::RenewToken);
        assert_eq!(action(4401, ""), CloseAction::Stop);
        assert_eq!(action(4403, ""), CloseAction::Stop);
        assert_eq!(action(1007, ""), CloseAction::Stop);
    }
}
