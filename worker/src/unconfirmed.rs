//! How much the runtime may have queued for a client that does not read.
//!
//! The runtime queues without a bound what a socket is sent, and reports nothing about it. So what was
//! sent is counted from the client's last sign of life: a frame, or a ping the runtime has answered.
//! Every [`CHECK_BYTES`] the heartbeat is checked, which otherwise waits for the alarm; beyond
//! [`MAX_BYTES`] the socket is closed, also that of a v1 client, which need not ping.

use colloquy_proto::domain::Timestamp;

/// How much is sent between two checks.
const CHECK_BYTES: usize = 256 * 1024;

/// How much may be sent without a sign of life. A client that reads sends one every 25 seconds.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What follows from a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing to do.
    Within,
    /// A check is due.
    Reached,
    /// The socket has to be closed.
    Exceeded,
}

/// The bytes sent to one socket.
#[derive(Debug, Default)]
pub(crate) struct Unconfirmed {
    /// Since the last sign of life, up to the last check.
    checked: usize,
    /// Since the last check.
    unchecked: usize,
    last_ping: Option<Timestamp>,
}

impl Unconfirmed {
    /// Counts what is being sent.
    pub(crate) fn add(&mut self, bytes: usize) -> Bound {
        let before = self.unchecked;
        self.unchecked += bytes;
        if before < CHECK_BYTES && self.unchecked >= CHECK_BYTES {
            Bound::Reached
        } else {
            Bound::Within
        }
    }

    /// Compares with the time of the last ping.
    pub(crate) fn check(&mut self, last_ping: Option<Timestamp>) -> Bound {
        if last_ping > self.last_ping {
            self.last_ping = last_ping;
            self.reset();
            return Bound::Within;
        }
        self.checked += std::mem::take(&mut self.unchecked);
        if self.checked > MAX_BYTES {
            Bound::Exceeded
        } else {
            Bound::Within
        }
    }

    /// The client has sent a frame.
    pub(crate) fn reset(&mut self) {
        (self.checked, self.unchecked) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    /// Sends so many KiB, one at a time, and checks when it is due. Returns the KiB sent until the
    /// socket had to be closed, if it had to.
    fn send(socket: &mut Unconfirmed, kib: usize, last_ping: Option<Timestamp>) -> Option<usize> {
        (1..=kib).find(|_| {
            socket.add(KIB) == Bound::Reached && socket.check(last_ping) == Bound::Exceeded
        })
    }

    #[test]
    fn socket_without_a_sign_of_life_is_closed_beyond_the_bound() {
        let mut socket = Unconfirmed::default();
        assert_eq!(send(&mut socket, 16 * KIB, None), None);
        assert_eq!(send(&mut socket, 16 * KIB, None), Some(256));
    }

    #[test]
    fn frame_or_newer_ping_starts_the_count_again() {
        let mut socket = Unconfirmed::default();
        for second in 0..10 {
            let ping = Some(Timestamp(1_000 * second));
            assert_eq!(send(&mut socket, 16 * KIB, ping), None);
        }
        socket.reset();
        let ping = Some(Timestamp(9_000));
        assert_eq!(send(&mut socket, 16 * KIB, ping), None);
        assert_eq!(
            send(&mut socket, 16 * KIB, ping),
            Some(256),
            "the same ping"
        );
    }

    #[test]
    fn one_check_is_due_however_much_is_sent_before_it() {
        let mut socket = Unconfirmed::default();
        assert_eq!(socket.add(CHECK_BYTES), Bound::Reached);
        assert_eq!(socket.add(CHECK_BYTES), Bound::Within);
        assert_eq!(socket.check(None), Bound::Within);
        assert_eq!(socket.add(CHECK_BYTES), Bound::Reached);
    }
}
