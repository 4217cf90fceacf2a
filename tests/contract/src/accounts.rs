//! Creating accounts and finding them.

use super::Fixture;
use super::fixtures::{AWKWARD, NOW, new_user, user};
use colloquy_core::ports::CreatedUser;
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
