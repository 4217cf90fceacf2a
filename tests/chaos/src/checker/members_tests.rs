//! Doctored logs of members who are removed and added again.

use std::time::{Duration, Instant};

use super::changes_tests::{GUEST, WRITER, entries, found, loaded, log, rewrites, stored};
use super::tests::opened_at;
use super::*;
use crate::client_log::{ClientKind, LogEntry};

/// A guest's socket, opened after one second, that stays open after the guest's removal.
fn guest(
    client_kind: ClientKind,
    at: Option<u64>,
    admission: Option<Duration>,
) -> Vec<(Violation, u64)> {
    let start = Instant::now();
    let established_at = start + Duration::from_secs(1);
    let mut all = entries();
    all.retain(|entry| {
        matches!(
            entry,
            LogEntry::MessageReceived(_) | LogEntry::ChangeReceived { .. }
        )
    });
    if client_kind == ClientKind::V1 {
        all.retain(|entry| matches!(entry, LogEntry::MessageReceived(_)));
    }
    all.insert(0, opened_at(at, established_at));
    let add = admission.map(|after| LogEntry::AddSent {
        user_id: GUEST,
        sent: start + after,
    });
    let logs = [
        log(ClientKind::GroupAdmin, WRITER, rewrites()),
        log(client_kind, GUEST, [all, loaded()].concat()),
        log(ClientKind::GroupAdmin, WRITER, add.into_iter().collect()),
    ];
    found(stored(), &logs)
}

#[test]
fn delivery_to_a_removed_member_is_reported() {
    // The removal itself and the four events after it.
    let keeps_receiving = [(Violation::DeliveredAfterRemoval, 5)];
    assert_eq!(guest(ClientKind::V2, Some(0), None), keeps_receiving);
    let (before, later) = (Duration::ZERO, Duration::from_secs(2));
    assert_eq!(guest(ClientKind::V2, Some(0), Some(later)), keeps_receiving);
    assert_eq!(
        guest(ClientKind::V1, None, None),
        [(Violation::DeliveredAfterRemoval, 1)]
    );
    // It may have been admitted after its return, by a room that lagged behind both events.
    assert_eq!(guest(ClientKind::V2, Some(0), Some(before)), []);
}

#[test]
fn acknowledged_removal_that_is_not_stored_is_lost() {
    let removed = |user_id| vec![LogEntry::RemovalAcknowledged { user_id }];
    let found = |user_id| {
        found(
            stored(),
            &[
                log(ClientKind::GroupAdmin, WRITER, rewrites()),
                log(ClientKind::GroupAdmin, WRITER, removed(user_id)),
            ],
        )
    };
    assert_eq!(found(GUEST), []);
    assert_eq!(found(6), [(Violation::Lost, 1)]);
}

#[test]
fn non_member_refusal_without_a_removal_is_reported() {
    let refused = |user_id| {
        let mut log = log(ClientKind::Rest, user_id, loaded());
        log.closed(4403, "not a member");
        log.refused("not_member", false);
        found(
            stored(),
            &[log, self::log(ClientKind::GroupAdmin, WRITER, rewrites())],
        )
    };
    assert_eq!(refused(GUEST), []);
    assert_eq!(refused(6), [(Violation::Other, 1)]);
}
