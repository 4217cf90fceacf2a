//! Creating accounts and finding them.

use super::Fixture;
use super::fixtures::{AWKWARD, NOW, new_user, user};
use colloquy_core::ports::CreatedUser;
use colloquy_core::service::account_keys::{collisions, compute_missing};
use colloquy_proto::domain::NewUser;

/// Every field is returned. The name is found in any case.
pub async fn account_is_created_and_found(fixture: &dyn Fixture) {
    let store = fixture.store();
    let created = user(store, "Ada.Lovelace").await;
    assert_eq!(&*created.username, "Ada.Lovelace");
    assert_eq!(created.email, "Ada.Lovelace@example.com");
    assert_eq!((&*created.first_name, &*created.last_name), ("First", ""));
    for name in ["Ada.Lovelace", "ada.lovelace", "ADA.LOVELACE"] {
        let found = store.credentials(name).await.unwrap().unwrap();
        assert_eq!(found.user, created);
        assert_eq!(found.password_hash, "hash of Ada.Lovelace");
    }
    assert!(store.credentials("ada").await.unwrap().is_none());
}

/// This includes letters beyond ASCII, where the databases' own case folding differs.
pub async fn names_are_unique_regardless_of_case(fixture: &dyn Fixture) {
    let store = fixture.store();
    let first = NewUser {
        email: "Jörg@Example.com".to_owned(),
        ..new_user("Jörg")
    };
    assert!(matches!(
        store.create_user(&first, NOW).await.unwrap(),
        CreatedUser::Created(_)
    ));
    let taken = async |username: &str, email: &str| {
        let user = NewUser {
            username: username.to_owned(),
            email: email.to_owned(),
            ..new_user("unused")
        };
        match store.create_user(&user, NOW).await.unwrap() {
            CreatedUser::Taken { username, email } => (username, email),
            CreatedUser::Created(user) => panic!("{user:?} was created"),
        }
    };
    assert_eq!(taken("JÖRG", "new@example.com").await, (true, false));
    assert_eq!(taken("new", "JÖRG@EXAMPLE.COM").await, (false, true));
    assert_eq!(taken("jörg", "jörg@example.com").await, (true, true));
    // Nothing was stored.
    assert!(store.credentials("new").await.unwrap().is_none());
    user(store, "new").await;
}

/// In every composition, width and case; an e-mail domain in Unicode or Punycode.
pub async fn names_in_equivalent_forms_are_the_same(fixture: &dyn Fixture) {
    let store = fixture.store();
    let new = |username: &str, email: &str| NewUser {
        username: username.to_owned(),
        email: email.to_owned(),
        ..new_user("unused")
    };
    let hangul = "\u{1112}\u{1161}\u{11ab}";
    for (username, email) in [
        ("straße", "a@bücher.example"),
        (hangul, "jo\u{308}rg@b.example"),
    ] {
        let created = store.create_user(&new(username, email), NOW).await.unwrap();
        let CreatedUser::Created(user) = created else {
            panic!("{username} was taken");
        };
        // Displayed as typed.
        assert_eq!((&*user.username, &*user.email), (username, email));
    }
    for (username, email, taken_username, taken_email) in [
        ("STRASSE", "b@bücher.example", true, false),
        ("한", "b@c.example", true, false),
        ("new", "A@XN--BCHER-KVA.example", false, true),
        ("new", "JÖRG@b.example", false, true),
        ("ｓｔｒａｓｓｅ", "a@BÜCHER.example", true, true),
    ] {
        let created = store.create_user(&new(username, email), NOW).await.unwrap();
        let taken = CreatedUser::Taken {
            username: taken_username,
            email: taken_email,
        };
        assert_eq!(created, taken, "{username} {email}");
    }
    for (typed, username) in [("Strasse", "straße"), ("STRAẞE", "straße"), ("한", hangul)] {
        let found = store.credentials(typed).await.unwrap().unwrap();
        assert_eq!(&*found.user.username, username);
    }
}

/// Accounts that share a key keep their lower-case one, and log in as before.
pub async fn keys_of_older_accounts_are_computed(fixture: &dyn Fixture) {
    let store = fixture.store();
    let mut ids = Vec::new();
    for name in [
        "ada",
        "straße",
        "STRASSE",
        "ＦＩＮＮ",
        "Jose\u{301}",
        "Ｊosé",
    ] {
        let created = user(store, name).await;
        // The next one may have the same key.
        fixture.forget_keys(created.id).await;
        ids.push(created.id);
    }
    let found = async |name: &str| {
        let found = store.credentials(name).await.unwrap();
        found.map(|found| found.user.id)
    };
    assert_eq!(found("finn").await, None);
    assert_eq!(compute_missing(store).await.unwrap(), 4);
    let left = async || {
        let left = collisions(store, 10).await.unwrap();
        let left = left.into_iter();
        left.map(|account| {
            (
                account.id,
                account.username.is_some(),
                account.email.is_some(),
            )
        })
        .collect::<Vec<_>>()
    };
    for _ in 0..2 {
        for (name, index) in [
            ("ADA", 0),
            ("straße", 1),
            ("Straße", 1),
            ("strasse", 2),
            ("STRAẞE", 1),
            ("Straſſe", 2),
            ("finn", 3),
            ("jose\u{301}", 4),
            ("JOSÉ", 4),
            ("ｊosé", 5),
        ] {
            assert_eq!(found(name).await, Some(ids[index]), "{name}");
        }
        assert_eq!(left().await, [(ids[1], true, true), (ids[5], true, true)]);
        // A repeat, as at the next start, changes nothing.
        assert_eq!(compute_missing(store).await.unwrap(), 2);
    }
    for name in ["Straſſe", "straße", "ＪＯＳÉ", "Finn"] {
        let taken = CreatedUser::Taken {
            username: true,
            email: true,
        };
        let created = store.create_user(&new_user(name), NOW).await.unwrap();
        assert_eq!(created, taken, "{name}");
    }
}

/// An inactive account cannot be logged in to.
pub async fn inactive_account_has_no_credentials(fixture: &dyn Fixture) {
    let store = fixture.store();
    let gone = user(store, "gone").await;
    fixture.deactivate(gone.id).await;
    assert!(store.credentials("gone").await.unwrap().is_none());
    // Its name stays in use.
    assert_eq!(
        store.create_user(&new_user("GONE"), NOW).await.unwrap(),
        CreatedUser::Taken {
            username: true,
            email: true
        }
    );
}

/// The database interprets no text.
pub async fn account_texts_are_stored_verbatim(fixture: &dyn Fixture) {
    let store = fixture.store();
    for (index, text) in AWKWARD.iter().enumerate() {
        let user = NewUser {
            username: format!("{text}{index}"),
            email: format!("{text}{index}@example.com"),
            password_hash: format!("{text}hash"),
            first_name: (*text).to_owned(),
            last_name: (*text).to_owned(),
            is_admin: true,
        };
        let CreatedUser::Created(created) = store.create_user(&user, NOW).await.unwrap() else {
            panic!("{text:?} was taken");
        };
        let found = store.credentials(&user.username).await.unwrap().unwrap();
        assert_eq!(found.user, created);
        assert_eq!(&*created.username, user.username);
        assert_eq!(created.email, user.email);
        assert_eq!(
            (created.first_name, created.last_name),
            (user.first_name, user.last_name)
        );
        assert_eq!(found.password_hash, user.password_hash);
    }
}
