//! Doctored logs of logins that are ended while their sockets are open.

use std::time::{Duration, Instant};

use super::tests::{ROOM, event, key, stored};
use super::*;

const LEAVER: u64 = 5;

/// Moments of the run, in seconds since it began.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn at(self, seconds: u64) -> Instant {
        self.0 + Duration::from_secs(seconds)
    }

    fn sent(self, number: u32, seconds: u64) -> Entry {
        let (key, at) = (key(number), self.at(seconds));
        Entry::Sent { key, at }
    }

    /// With the first login.
    fn opened(self, at: Option<u64>, seconds: u64) -> Entry {
        Entry::Opened {
            at,
            came: self.at(seconds),
            asked: self.at(seconds),
            login: 1,
        }
    }

    fn ping(self, seconds: u64) -> Entry {
        let at = self.at(seconds);
        Entry::Pinged { at }
    }

    fn granted(self, seconds: u64) -> Entry {
        let asked = self.at(seconds);
        Entry::Granted { login: 1, asked }
    }

    fn denied(self, login: u32, seconds: u64) -> Entry {
        let at = self.at(seconds);
        Entry::Denied { login, at }
    }
}

/// What is found in the log of a client whose first login is ended from second 10 to second 12. Of
/// three messages, the last is begun after that.
fn found(manner: Manner, of_client: impl FnOnce(Clock) -> Vec<Entry>) -> Vec<(Fault, u64)> {
    let clock = Clock(Instant::now());
    let log = |client, manner, user_id, entries| {
        let mut log = Log::new(client, manner, ROOM, user_id);
        log.entries = entries;
        log
    };
    let writer = vec![
        clock.sent(1, 1),
        clock.sent(2, 11),
        clock.sent(3, 13),
        // An attempt that is made again was not begun now.
        clock.sent(2, 14),
    ];
    let (began, at) = (clock.at(10), clock.at(12));
    let leaver = vec![
        Entry::LoggingOut { login: 1, began },
        Entry::LoggedOut { login: 1, at },
    ];
    let whole = (1..=3).map(|seq| Entry::Loaded(event(seq))).collect();
    let logs = [
        log(1, Manner::Maker, 6, writer),
        log(2, Manner::Maker, LEAVER, leaver),
        log(3, manner, LEAVER, [of_client(clock), whole].concat()),
    ];
    let findings = check(&BTreeMap::from([(ROOM, stored())]), &logs);
    findings.counts.into_iter().collect()
}

const OUTLIVED: [(Fault, u64); 1] = [(Fault::Outlived, 1)];

#[test]
fn what_was_under_way_at_a_logout_may_come_and_the_next_login_may_hear_on() {
    let honest = |clock: Clock| {
        vec![
            clock.opened(Some(0), 5),
            clock.granted(11),
            Entry::Heard(event(1)),
            clock.ping(11),
            clock.ping(13),
            Entry::Ponged,
            // Begun before the answer, and stored or delivered whenever.
            Entry::Heard(event(2)),
            clock.denied(1, 20),
            Entry::Opened {
                at: Some(2),
                came: clock.at(21),
                asked: clock.at(21),
                login: 2,
            },
            clock.granted(12),
            Entry::Heard(event(3)),
            clock.ping(23),
            Entry::Ponged,
        ]
    };
    assert_eq!(found(Manner::V2, honest), []);
    assert_eq!(found(Manner::V1, honest), []);
}

#[test]
fn a_socket_that_hears_on_after_a_logout_is_noticed() {
    for manner in [Manner::V1, Manner::V2] {
        let at = (manner == Manner::V2).then_some(0);
        let hears_on = |clock: Clock| {
            let all = (1..=3).map(|seq| Entry::Heard(event(seq)));
            [clock.opened(at, 5)].into_iter().chain(all).collect()
        };
        assert_eq!(found(manner, hears_on), OUTLIVED);
        let pinged = |clock: Clock| {
            let heard = Entry::Heard(event(1));
            vec![clock.opened(at, 5), heard, clock.ping(13), Entry::Ponged]
        };
        assert_eq!(found(manner, pinged), OUTLIVED);
    }
    let sends = |clock: Clock| {
        let acknowledged = |seq| Entry::Acknowledged {
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
    assert_eq!(found(Manner::V2, sends), OUTLIVED);
}

#[test]
fn a_socket_that_is_let_in_after_a_logout_is_noticed() {
    let greeted = |clock: Clock| vec![clock.opened(Some(0), 13)];
    assert_eq!(found(Manner::V2, greeted), OUTLIVED);
    // What an older grant opens is refused, and may be answered a ping before.
    let refused = |clock: Clock| {
        let (asked, came) = (clock.opened(None, 13), clock.denied(1, 14));
        vec![asked, clock.ping(13), Entry::Ponged, came]
    };
    assert_eq!(found(Manner::V1, refused), []);
    let heard = |clock: Clock| vec![clock.opened(None, 13), Entry::Heard(event(1))];
    assert_eq!(found(Manner::V1, heard), OUTLIVED);
}

#[test]
fn a_token_that_is_good_after_a_logout_is_noticed() {
    assert_eq!(
        found(Manner::Rest, |clock| vec![clock.granted(13)]),
        OUTLIVED
    );
}

#[test]
fn who_is_told_of_a_logout_that_was_none_is_noticed() {
    let other = [(Fault::Other, 1)];
    assert_eq!(found(Manner::V2, |clock| vec![clock.denied(1, 9)]), other);
    assert_eq!(found(Manner::V2, |clock| vec![clock.denied(2, 20)]), other);
}
