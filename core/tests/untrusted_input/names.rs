//! Keys of usernames and e-mail addresses, and the form of a password that is hashed.

use colloquy_core::unicode::{email_key, nfc, password_form, username_key};
use colloquy_fuzz::{Target, for_all};

#[test]
fn names() {
    let target = Target {
        name: "names",
        corpus: include_str!("corpus/names.txt"),
        words: &[
            "@", ".", "xn--", "ß", "İ", "ſ", "\u{345}", "\u{301}", "\u{3164}", "\u{200d}", "ﷺ",
            "한",
        ],
        cases: 2_000,
    };
    target.run(|input| {
        // Names are short; a longer input takes long without finding more.
        let text = String::from_utf8_lossy(input.get(..500).unwrap_or(input));
        check(&text);
    });
}

#[test]
fn keys_of_any_characters_are_stable() {
    for_all("keys_of_any_characters_are_stable", 5_000, |random| {
        let length = random.usize(0..8);
        let text: String = (0..length).map(|_| random.char(..)).collect();
        check(&text);
    });
}

/// INVARIANT: a key is its own key, so that it does not depend on the form a name was typed in.
fn check(text: &str) {
    for key in [username_key, email_key] {
        let once = key(text);
        assert_eq!(key(&once), once, "{text:?}");
        assert_eq!(key(&nfc(text)), once, "{text:?}");
        assert_eq!(nfc(&once), once, "{text:?}");
    }
    let prepared = password_form(text).into_owned();
    assert_eq!(password_form(&prepared), prepared);
    assert_eq!(password_form(&nfc(text)), prepared);
}
