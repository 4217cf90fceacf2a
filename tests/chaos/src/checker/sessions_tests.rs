//! Doctored logs of sessions that are revoked while their sockets are open.

use std::time::{Duration, Instant};

use super::tests::{CONVERSATION, event, key, stored};
use super::*;
use crate::client_log::{ClientKind, LogEntry};

const LOGGED_OUT: u64 = 5;

/// Moments of the run, in seconds from its start.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn at(self, seconds: u64) -> Instant {
        self.0 + Duration::from_secs(seconds)
    }

    fn sent(self, number: u32, seconds: u64) -> LogEntry {
        let (key, at) = (key(number), self.at(seconds));
        LogEntry::Sent { key, at }
    }

    /// With the first session.
    fn opened(self, at: Option<u64>, seconds: u64) -> LogEntry {
        LogEntry::Opened {
            hello_seq: at,
            established_at: self.at(seconds),
            requested_at: self.at(seconds),
            session: 1,
        }
    }

    fn ping(self, seconds: u64) -> LogEntry {
        let at = self.at(seconds);
        LogEntry::Pinged { at }
    }

    fn accepted(self, seconds: u64) -> LogEntry {
        let requested_at = self.at(seconds);
        LogEntry::RequestAccepted {
            session: 1,
            requested_at,
        }
    }

    fn session_refused(self, session: u32, seconds: u64) -> LogEntry {
        let at = self.at(seconds);
        LogEntry::SessionRefused { session, at }
    }
}

/// The findings for a client whose first session is revoked between second 10 and second 12. Of
/// three messages, the last is sent after that.
fn found(
    client_kind: ClientKind,
    of_client: impl FnOnce(Clock) -> Vec<LogEntry>,
) -> Vec<(Violation, u64)> {
    let clock = Clock(Instant::now());
    let log = |client, client_kind, user_id, entries| {
        let mut log = Log::new(client, client_kind, CONVERSATION, user_id);
        log.entries = entries;
        log
    };
    let writer = vec![
        clock.sent(1, 1),
        clock.sent(2, 11),
        clock.sent(3, 13),
        // A repeat does not count as the start of a send.
        clock.sent(2, 14),
    ];
    let (sent_at, at) = (clock.at(10), clock.at(12));
    let logout_client = vec![
        LogEntry::LogoutSent {
            session: 1,
            sent_at,
        },
        LogEntry::LogoutAcknowledged { session: 1, at },
    ];
    let whole = (1..=3)
        .map(|seq| LogEntry::HistoryRead(event(seq)))
        .collect();
    let logs = [
        log(1, ClientKind::GroupAdmin, 6, writer),
        log(2, ClientKind::GroupAdmin, LOGGED_OUT, logout_client),
        log(
            3,
            client_kind,
            LOGGED_OUT,
            [of_client(clock), whole].concat(),
        ),
    ];
    let findings = check(&BTreeMap::from([(CONVERSATION, stored())]), &logs);
    findings.counts.into_iter().collect()
}

const AFTER_LOGOUT: [(Violation, u64); 1] = [(Violation::DeliveredAfterLogout, 1)];

#[test]
fn deliveries_in_flight_at_a_logout_and_those_of_the_next_session_are_allowed() {
    let correct = |clock: Clock| {
        vec![
            clock.opened(Some(0), 5),
            clock.accepted(11),
            LogEntry::MessageReceived(event(1)),
            clock.ping(11),
            clock.ping(13),
            LogEntry::Ponged,
            // Sent before the acknowledgement, so it may be delivered at any time.
            LogEntry::MessageReceived(event(2)),
            clock.session_refused(1, 20),
            LogEntry::Opened {
                hello_seq: Some(2),
                established_at: clock.at(21),
                requested_at: clock.at(21),
                session: 2,
            },
            clock.accepted(12),
            LogEntry::MessageReceived(event(3)),
            clock.ping(23),
            LogEntry::Ponged,
        ]
    };
    assert_eq!(found(ClientKind::V2, correct), []);
    assert_eq!(found(ClientKind::V1, correct), []);
}

#[test]
fn delivery_to_a_socket_after_a_logout_is_reported() {
    for client_kind in [ClientKind::V1, ClientKind::V2] {
        let at = (client_kind == ClientKind::V2).then_some(0);
        let keeps_receiving = |clock: Clock| {
            let all = (1..=3).map(|seq| LogEntry::MessageReceived(event(seq)));
            [clock.opened(at, 5)].into_iter().chain(all).collect()
        };
        assert_eq!(found(client_kind, keeps_receiving), AFTER_LOGOUT);
        let pinged = |clock: Clock| {
            let received = LogEntry::MessageReceived(event(1));
            vec![
                clock.opened(at, 5),
                received,
                clock.ping(13),
                LogEntry::Ponged,
            ]
        };
        assert_eq!(found(client_kind, pinged), AFTER_LOGOUT);
    }
    let sends = |clock: Clock| {
        let acknowledged = |seq| LogEntry::Acknowledged {
            key: key(u32::try_from(seq).unwrap()),
            message_id: 100 + seq,
            seq,
            number: seq,
            duplicate: false,
        };
        vec![
            clock.opened(Some(0), 5),
            clock.sent(2, 11),
            clock.sent(3, 13),
            acknowledged(2),
            acknowledged(3),
        ]
    };
    assert_eq!(found(ClientKind::V2, sends), AFTER_LOGOUT);
}

#[test]
fn socket_admitted_after_a_logout_is_reported() {
    let greeted = |clock: Clock| vec![clock.opened(Some(0), 13)];
    assert_eq!(found(ClientKind::V2, greeted), AFTER_LOGOUT);
    // A socket opened by an older admission is refused, and may receive a pong before.
    let refused = |clock: Clock| {
        let (opened, refused) = (clock.opened(None, 13), clock.session_refused(1, 14));
        vec![opened, clock.ping(13), LogEntry::Ponged, refused]
    };
    assert_eq!(found(ClientKind::V1, refused), []);
    let admitted = |clock: Clock| vec![clock.opened(None, 13), LogEntry::MessageReceived(event(1))];
    assert_eq!(found(ClientKind::V1, admitted), AFTER_LOGOUT);
}

#[test]
fn token_accepted_after_a_logout_is_reported() {
    assert_eq!(
        found(ClientKind::Rest, |clock| vec![clock.accepted(13)]),
        AFTER_LOGOUT
    );
}

#[test]
fn revocation_reported_without_a_logout_is_reported() {
    let other = [(Violation::Other, 1)];
    assert_eq!(
        found(ClientKind::V2, |clock| vec![clock.session_refused(1, 9)]),
        other
    );
    assert_eq!(
        found(ClientKind::V2, |clock| vec![clock.session_refused(2, 20)]),
        other
    );
}
