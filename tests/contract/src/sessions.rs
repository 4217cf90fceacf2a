//! Sessions: opening, rotating, revoking.

use super::Fixture;
use super::fixtures::{LATER, NOW, caller, new_session, user};
use colloquy_core::ports::{Denied, NewSession, Rotation, RotationOutcome, Store};
use colloquy_proto::domain::{DeviceKey, Seconds, SessionId, Timestamp, UserId};

fn rotation(user_id: UserId, session: &str, generation: i64) -> Rotation {
    Rotation {
        session_id: SessionId(session.into()),
        user_id,
        generation,
        now: NOW,
        expires_at: LATER,
        repeatable_since: NOW,
        device: None,
    }
}

const ROTATED: RotationOutcome = RotationOutcome::Rotated { at: NOW };

async fn is_active(store: &dyn Store, user_id: UserId, session: &str, now: Timestamp) -> bool {
    match store.profile(&caller(user_id, session), now).await.unwrap() {
        Ok(_) => true,
        Err(denied) => {
            assert_eq!(denied, Denied::Session);
            false
        }
    }
}

/// No session for an unknown or inactive account.
pub async fn session_requires_an_active_account(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, gone) = (user(store, "ada").await, user(store, "gone").await);
    fixture.deactivate(gone.id).await;
    assert!(
        store
            .open_session(&new_session(ada.id, "s1"))
            .await
            .unwrap()
    );
    assert!(
        store
            .open_session(&new_session(ada.id, "s2"))
            .await
            .unwrap()
    );
    assert!(
        !store
            .open_session(&new_session(gone.id, "s3"))
            .await
            .unwrap()
    );
    assert!(
        !store
            .open_session(&new_session(UserId(404), "s4"))
            .await
            .unwrap()
    );
    assert!(is_active(store, ada.id, "s1", NOW).await);
    assert!(is_active(store, ada.id, "s2", NOW).await);
    assert!(!is_active(store, gone.id, "s3", NOW).await);
    assert!(!is_active(store, UserId(404), "s4", NOW).await);
}

/// A login may carry a new hash; without one the hash stays.
pub async fn new_password_hash_replaces_the_old(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    store
        .open_session(&new_session(ada.id, "s1"))
        .await
        .unwrap();
    assert_eq!(
        store
            .credentials("ada")
            .await
            .unwrap()
            .unwrap()
            .password_hash,
        "hash of ada"
    );
    let rehashed = NewSession {
        rehashed_password: Some("fresh".to_owned()),
        ..new_session(ada.id, "s2")
    };
    store.open_session(&rehashed).await.unwrap();
    assert_eq!(
        store
            .credentials("ada")
            .await
            .unwrap()
            .unwrap()
            .password_hash,
        "fresh"
    );
    assert_eq!(
        store
            .credentials("bob")
            .await
            .unwrap()
            .unwrap()
            .password_hash,
        "hash of bob"
    );
    assert!(bob.id != ada.id);
}

/// By account; written once a day at most; the 50 used last are kept, for 30 days.
pub async fn devices_of_an_account_are_remembered(fixture: &dyn Fixture) {
    const DAY: Seconds = Seconds(86_400);
    let store = fixture.store();
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let log_in = async |user_id, session: &str, device: Option<&str>, now| {
        let session = NewSession {
            created_at: now,
            device: device.map(|key| DeviceKey(key.into())),
            ..new_session(user_id, session)
        };
        assert!(store.open_session(&session).await.unwrap());
    };
    let devices = async |name: &str| {
        let found = store.credentials(name).await.unwrap().unwrap();
        let devices = found.devices.into_iter();
        let mut devices: Vec<_> = devices
            .map(|device| (device.key.0.to_string(), device.used_at))
            .collect();
        devices.sort_unstable();
        devices
    };
    log_in(ada.id, "s1", Some("home"), NOW).await;
    log_in(ada.id, "s2", None, NOW).await;
    log_in(bob.id, "s3", Some("work"), NOW).await;
    assert_eq!(devices("ada").await, [("home".to_owned(), NOW)]);
    assert_eq!(devices("bob").await, [("work".to_owned(), NOW)]);

    log_in(ada.id, "s4", Some("home"), NOW.plus(DAY)).await;
    assert_eq!(devices("ada").await, [("home".to_owned(), NOW)]);
    let later = Timestamp(NOW.plus(DAY).0 + 1);
    log_in(ada.id, "s5", Some("home"), later).await;
    assert_eq!(devices("ada").await, [("home".to_owned(), later)]);

    // A refresh remembers too, one with an invalid token does not.
    let refresh = async |generation, device: &str, now| {
        let rotation = Rotation {
            device: Some(DeviceKey(device.into())),
            now,
            repeatable_since: now,
            ..rotation(ada.id, "s1", generation)
        };
        store.rotate_session(&rotation).await.unwrap()
    };
    let rotated = refresh(0, "train", NOW).await;
    assert!(matches!(rotated, RotationOutcome::Rotated { .. }));
    assert_eq!(devices("ada").await.len(), 2);
    assert_eq!(refresh(7, "unknown", NOW).await, RotationOutcome::Refused);
    let reused = refresh(0, "thief", Timestamp(NOW.0 + 1)).await;
    assert_eq!(reused, RotationOutcome::Reused);
    let kept = devices("ada").await;
    assert_eq!(kept.len(), 2, "{kept:?}");

    for device in 0..60 {
        let now = Timestamp(later.0 + 1 + device);
        let name = format!("device {device:02}");
        log_in(ada.id, &format!("t{device}"), Some(&name), now).await;
    }
    let kept = devices("ada").await;
    assert_eq!(kept.len(), 50);
    assert_eq!(kept[0].0, "device 10");

    let month_later = later.plus(Seconds(31 * DAY.0));
    log_in(ada.id, "s6", Some("office"), month_later).await;
    let kept = devices("ada").await;
    assert_eq!(kept, [("office".to_owned(), month_later)]);
    assert_eq!(devices("bob").await.len(), 1);
}

/// Generations increase by one, and each moves the session's expiry.
pub async fn session_rotates(fixture: &dyn Fixture) {
    let store = fixture.store();
    let ada = user(store, "ada").await;
    store.open_session(&new_session(ada.id, "s")).await.unwrap();
    for generation in 0..5 {
        let outcome = store
            .rotate_session(&rotation(ada.id, "s", generation))
            .await
            .unwrap();
        assert_eq!(outcome, ROTATED);
    }
    assert!(!is_active(store, ada.id, "s", LATER).await);
    let expires_at = LATER.plus(Seconds(60));
    let longer = Rotation {
        expires_at,
        ..rotation(ada.id, "s", 5)
    };
    assert_eq!(store.rotate_session(&longer).await.unwrap(), ROTATED);
    assert!(is_active(store, ada.id, "s", LATER).await);
    assert!(!is_active(store, ada.id, "s", expires_at).await);
}

/// A refresh token used twice revokes the session for both holders.
pub async fn reused_generation_revokes_the_session(fixture: &dyn Fixture) {
    let store = fixture.store();
    let ada = user(store, "ada").await;
    store.open_session(&new_session(ada.id, "s")).await.unwrap();
    store
        .open_session(&new_session(ada.id, "other"))
        .await
        .unwrap();
    let rotate = async |generation| {
        store
            .rotate_session(&rotation(ada.id, "s", generation))
            .await
            .unwrap()
    };
    assert_eq!(rotate(0).await, ROTATED);
    assert_eq!(rotate(1).await, ROTATED);
    assert_eq!(rotate(0).await, RotationOutcome::Reused);
    assert_eq!(rotate(2).await, RotationOutcome::Refused);
    assert_eq!(rotate(0).await, RotationOutcome::Refused);
    assert!(!is_active(store, ada.id, "s", NOW).await);
    assert!(is_active(store, ada.id, "other", NOW).await);
}

/// A repeat within the grace returns the first rotation and changes nothing, as long as the next
/// generation is unused.
pub async fn repeated_rotation_returns_the_first(fixture: &dyn Fixture) {
    let store = fixture.store();
    let ada = user(store, "ada").await;
    let rotate_at = async |session: &str, generation, seconds: i64| {
        let now = NOW.plus(Seconds(seconds));
        let rotation = Rotation {
            now,
            expires_at: now.plus(Seconds(1_000)),
            repeatable_since: now.plus(Seconds(-60)),
            ..rotation(ada.id, session, generation)
        };
        store.rotate_session(&rotation).await.unwrap()
    };
    for session in ["s", "late", "revoked"] {
        let opened = store.open_session(&new_session(ada.id, session)).await;
        assert!(opened.unwrap());
        assert_eq!(rotate_at(session, 0, 0).await, ROTATED);
    }
    for seconds in [0, 1, 60] {
        assert_eq!(rotate_at("s", 0, seconds).await, ROTATED);
    }
    // The expiry is that of the first rotation.
    let expires_at = NOW.plus(Seconds(1_000));
    assert!(is_active(store, ada.id, "s", Timestamp(expires_at.0 - 1)).await);
    assert!(!is_active(store, ada.id, "s", expires_at).await);
    // The next generation is used: it may be repeated, the one before may not.
    let second = RotationOutcome::Rotated {
        at: NOW.plus(Seconds(61)),
    };
    assert_eq!(rotate_at("s", 1, 61).await, second);
    assert_eq!(rotate_at("s", 1, 62).await, second);
    assert_eq!(rotate_at("s", 0, 62).await, RotationOutcome::Reused);
    assert_eq!(rotate_at("s", 1, 62).await, RotationOutcome::Refused);
    assert_eq!(rotate_at("late", 0, 61).await, RotationOutcome::Reused);
    assert!(!is_active(store, ada.id, "late", NOW).await);
    let revoked = SessionId("revoked".into());
    let ended = store.revoke_session(ada.id, &revoked, NOW).await;
    assert!(ended.unwrap());
    assert_eq!(rotate_at("revoked", 0, 1).await, RotationOutcome::Refused);
}

/// The session is unknown, another user's, expired, revoked, or of an inactive account.
pub async fn inactive_session_does_not_rotate(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    store.open_session(&new_session(ada.id, "s")).await.unwrap();
    let refused = async |rotation: Rotation| {
        assert_eq!(
            store.rotate_session(&rotation).await.unwrap(),
            RotationOutcome::Refused
        );
    };
    refused(rotation(ada.id, "unknown", 0)).await;
    refused(rotation(bob.id, "s", 0)).await;
    refused(rotation(ada.id, "s", 1)).await;
    refused(Rotation {
        now: LATER,
        ..rotation(ada.id, "s", 0)
    })
    .await;
    assert!(is_active(store, ada.id, "s", NOW).await);
    fixture.deactivate(ada.id).await;
    refused(rotation(ada.id, "s", 0)).await;
    store
        .open_session(&new_session(bob.id, "revoked"))
        .await
        .unwrap();
    store
        .revoke_session(bob.id, &SessionId("revoked".into()), NOW)
        .await
        .unwrap();
    refused(rotation(bob.id, "revoked", 0)).await;
}

/// Only its user revokes it, only once, and no other session is affected.
pub async fn session_is_revoked_once(fixture: &dyn Fixture) {
    let store = fixture.store();
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    for session in ["s", "other", "expired"] {
        store
            .open_session(&new_session(ada.id, session))
            .await
            .unwrap();
    }
    let revoke = async |user_id, session: &str, now| {
        store
            .revoke_session(user_id, &SessionId(session.into()), now)
            .await
            .unwrap()
    };
    assert!(!revoke(bob.id, "s", NOW).await);
    assert!(!revoke(ada.id, "unknown", NOW).await);
    assert!(!revoke(ada.id, "expired", LATER).await);
    assert!(is_active(store, ada.id, "s", NOW).await);
    assert!(revoke(ada.id, "s", NOW).await);
    assert!(!revoke(ada.id, "s", NOW).await);
    assert!(!is_active(store, ada.id, "s", NOW).await);
    assert!(is_active(store, ada.id, "other", NOW).await);
}
