//! Connections: tokens, revocation, protocol version, limits, heartbeats, shutdown, retirement.

use super::*;

#[test]
fn token_expiry_is_announced_and_a_renewal_prevents_the_close() {
    let mut test = TestRoom::with(&[(1, true), (2, false)]);
    test.advance(HOUR - 60_000);
    test.input(Input::Tick);
    assert_eq!(
        test.frames,
        [(1, json!({"type": "auth.expiring", "in_s": 60}))]
    );
    let renewed = Caller {
        user_id: UserId(1),
        session_id: SessionId("s1".into()),
        expires_at: Timestamp(NOON.0 + 2 * HOUR),
    };
    test.input(Input::Authenticated {
        id: ConnectionId(1),
        result: Ok(renewed.clone()),
    });
    assert_eq!(test.received(1), frames(&[("auth.ok", 0)]));
    test.advance(60_000);
    test.input(Input::Tick);
    assert_eq!(test.closed, [(2, 4200)]);
    let other_session = Caller {
        session_id: SessionId("other".into()),
        ..renewed
    };
    test.input(Input::Authenticated {
        id: ConnectionId(1),
        result: Ok(other_session),
    });
    assert_eq!(test.closed, [(1, 4401)]);
}

#[test]
fn revocation_closes_the_connections_of_that_session_only() {
    let mut test = TestRoom::with(&[(1, true), (2, true)]);
    test.input(Input::Revoke {
        session_id: &SessionId("s1".into()),
    });
    assert_eq!(test.closed, [(1, 4401)]);
    test.send(2, "a");
    test.stored(&[11]);
    assert_eq!(test.received(1), frames(&[]));
}

#[test]
fn frame_with_a_type_upgrades_the_socket_to_v2() {
    let mut test = TestRoom::with(&[(1, false)]);
    test.frame(1, &json!({"type": "dance"}));
    let kinds: Vec<String> = test.received(1).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["hello", "error"]);
    test.frame(1, &json!({"message": "without a type"}));
    assert_eq!(test.error_code(1), "malformed");
}

#[test]
fn sockets_per_user_and_errors_per_socket_are_bounded() {
    let mut test = TestRoom::with(&[(1, true); MAX_SOCKETS_PER_USER]);
    test.connect(99, new_connection(1, true));
    assert_eq!(test.closed, [(99, 4409)]);
    for _ in 0..100 {
        test.frame(1, &json!({"type": "dance"}));
        assert!(test.closed.is_empty());
    }
    test.frame(1, &json!({"type": "dance"}));
    assert_eq!(test.closed, [(1, 4100)]);
}

#[test]
fn valid_commands_have_a_rate_and_later_frames_are_not_parsed() {
    for (frame, allowed) in [
        (json!({"type": "ping", "more": 1}), 500),
        (json!({"type": "resume", "since": 10}), 100),
        (json!({"type": "auth", "token": "x"}), 50),
        (json!([{"type": "ping"}, {"type": "ping"}]), 250),
        (
            json!({"type": "send", "client_message_id": "a", "message": "hi"}),
            2_000,
        ),
        (json!([]), 100),
    ] {
        let mut test = TestRoom::with(&[(1, true)]);
        test.send(1, "a");
        test.stored(&[11]);
        for _ in 0..2 {
            // Up to the limit in each window.
            test.advance(10_000);
            for _ in 0..allowed {
                test.frame(1, &frame);
                assert_eq!(test.closed, [(0, 0); 0], "{frame}");
            }
        }
        test.frame(1, &frame);
        assert_eq!(test.closed, [(1, 4100)], "{frame}");
        test.frame(1, &frame);
        assert!(test.closed.is_empty() && test.frames.is_empty(), "{frame}");
    }
}

#[test]
fn unthrottled_sends_are_not_taken_for_a_flood() {
    let mut test = TestRoom::with(&[]);
    test.room = Room::new(ConversationId(7), 0);
    test.connect(1, new_connection(1, true));
    test.loaded_nothing(10);
    for turn in 0..2_048 {
        test.send(1, &format!("m{turn}"));
        assert!(test.closed.is_empty() && test.frames.is_empty());
    }
}

#[test]
fn silent_connection_is_closed_at_the_next_heartbeat_check() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (3, false)]);
    let heartbeat = |test: &mut TestRoom, id: u64| {
        let (id, at) = (ConnectionId(id), test.now);
        test.input(Input::Heartbeats(&[(id, at)]));
    };
    heartbeat(&mut test, 1);
    heartbeat(&mut test, 2);
    // A missed ping does not wake the Room.
    let check = test.room.next_wakeup(test.now).unwrap();
    assert_eq!(check.millis_since(test.now), 900_000);
    test.advance(900_000);
    heartbeat(&mut test, 2);
    test.input(Input::Tick);
    assert_eq!(test.closed, [(1, 4002)], "3 has never sent a heartbeat");
    // A frame counts as a heartbeat, and every tick checks.
    test.advance(70_000);
    test.send(2, "a");
    test.advance(70_000);
    test.input(Input::Tick);
    assert_eq!(test.closed, [(0, 0); 0]);
    test.advance(5_000);
    test.input(Input::Tick);
    assert_eq!(test.closed, [(2, 4002)]);
}

#[test]
fn shutdown_completes_accepted_sends_and_rejects_new_ones() {
    let mut test = TestRoom::with(&[(1, true), (2, true), (3, true)]);
    test.send(1, "a");
    test.send(2, "b");
    test.input(Input::Shutdown);
    assert!(test.closed.is_empty());
    test.send(3, "c");
    assert_eq!(test.error_code(3), "unavailable");
    test.stored(&[11]);
    assert_eq!(test.commits, [1]);
    test.stored(&[12]);
    assert!(test.received(2).contains(&("ack".to_owned(), 12)));
    assert_eq!(test.closed, [(1, 4000), (2, 4000), (3, 4000)]);
    assert_eq!(test.room.retirement(test.now), Retirement::Now);
}

#[test]
fn empty_room_is_retired_after_its_throttle_period() {
    let mut test = TestRoom::with(&[(1, true)]);
    test.send(1, "a");
    test.input(Input::Disconnect {
        id: ConnectionId(1),
    });
    assert_eq!(test.room.retirement(test.now), Retirement::NotYet);
    test.stored(&[11]);
    assert_eq!(
        test.room.retirement(test.now),
        Retirement::After(Timestamp(NOON.0 + 1_000))
    );
    test.advance(1_000);
    assert_eq!(test.room.retirement(test.now), Retirement::Now);
}
