//! Which names are the same, and the form in which a password is hashed.
//!
//! Owns the keys of usernames and e-mail addresses and the preparation of passwords. Both adapters
//! compute them here, with the Unicode tables of one version (ICU4X), because they may share a
//! database. Names are displayed as typed; only their keys are normalized. Characters that look alike
//! without being equivalent (Latin `a`, Cyrillic `а`) stay different.
//!
//! The keys of stored accounts were computed with the tables of their time. A test pins the keys of
//! all letters: an update that changes one needs a migration.

use std::borrow::Cow;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use colloquy_proto::domain::is_default_ignorable;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const CASE: CaseMapperBorrowed<'static> = CaseMapper::new();

/// The most rounds until a text is stable; a test finds that no letter needs more.
const MAX_ROUNDS: usize = 4;

/// Usernames with the same key are one name: `NFKC_Casefold` (Unicode Standard §3.13), which ignores
/// case, width, composition and invisible characters. A key is its own key.
pub fn username_key(username: &str) -> String {
    if username.is_ascii() {
        return username.to_ascii_lowercase();
    }
    let mut key = casefold_once(username);
    for _ in 1..MAX_ROUNDS {
        let next = casefold_once(&key);
        if next == key {
            break;
        }
        key = next;
    }
    key
}

/// E-mail addresses with the same key are one address: the local part like a username, the domain in
/// its ASCII form (UTS 46).
pub fn email_key(email: &str) -> String {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return stable_lowercase(email);
    };
    let domain = domain_to_ascii(domain).unwrap_or_else(|| stable_lowercase(domain));
    format!("{}@{domain}", username_key(local))
}

/// A key for what is no address. No new account has such a one; the key only has to be stable.
fn stable_lowercase(text: &str) -> String {
    nfc(&lowercase_key(&nfc(text))).into_owned()
}

/// The key of earlier versions: the lower-case form. Accounts that share a newer key keep it.
pub fn lowercase_key(name: &str) -> String {
    name.to_lowercase()
}

/// A domain in the form that is sent in DNS, for example `xn--bcher-kva.example`; `None` when it is
/// not a valid domain.
pub fn domain_to_ascii(domain: &str) -> Option<String> {
    // Composed first: mapping the letters of U+0345 in another order would give another domain.
    let domain = nfc(domain);
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::URL,
        Hyphens::Allow,
        DnsLength::Verify,
    );
    Some(ascii.ok()?.into_owned())
}

/// The canonical composition of a text (NFC).
pub fn nfc(text: &str) -> Cow<'_, str> {
    NFC.normalize(text)
}

/// The form of a password that is hashed: the profile `OpaqueString` (RFC 8265 §4.2), which maps
/// spaces to U+0020 and composes characters, so that the same password typed on another device
/// matches. Its ban of control characters is not applied.
pub fn password_form(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        return Cow::Borrowed(password);
    }
    if !password.contains(is_other_space) {
        return nfc(password);
    }
    let spaces = password.replace(is_other_space, " ");
    Cow::Owned(nfc(&spaces).into_owned())
}

/// Whether a character is a space separator (general category Zs) other than U+0020.
const fn is_other_space(character: char) -> bool {
    matches!(
        character,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

fn casefold_once(text: &str) -> String {
    let folded = CASE.fold_string(&NFKD.normalize(text)).into_owned();
    let composed = NFKC.normalize(&folded);
    composed
        .chars()
        .filter(|character| !is_default_ignorable(*character))
        .collect()
}

#[cfg(test)]
mod tests {
    use icu_properties::CodePointSetData;
    use icu_properties::props::DefaultIgnorableCodePoint;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn equivalent_usernames_have_the_same_key() {
        for same in [
            &["johndoe", "JohnDoe", "ＪｏｈｎＤｏｅ", "john\u{ad}doe"][..],
            &["straße", "STRASSE", "strasse", "STRAẞE", "Straſſe"],
            &["한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"],
            &["josé", "JOSÉ", "jose\u{301}"],
            &["Σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"],
            &["ﬁnn", "FINN"],
            &["\u{3164}", "\u{ffa0}", ""],
        ] {
            for name in same {
                assert_eq!(username_key(name), username_key(same[0]), "{name}");
            }
        }
        for (one, other) in [("ada", "аda"), ("i", "ı"), ("o", "ø"), ("ann", "ann.")] {
            assert_ne!(username_key(one), username_key(other));
        }
    }

    #[test]
    fn equivalent_addresses_have_the_same_key() {
        for same in [
            [
                "a@bücher.example",
                "A@BÜCHER.example",
                "a@xn--bcher-kva.example",
            ],
            [
                "jörg@mail.example",
                "jo\u{308}rg@Mail.Example",
                "JÖRG@ｍａｉｌ。example",
            ],
            ["a@faß.example", "a@FAẞ.example", "a@xn--fa-hia.example"],
        ] {
            for email in same {
                assert_eq!(email_key(email), email_key(same[0]), "{email}");
            }
        }
        // UTS 46, non-transitional: two domains.
        assert_ne!(email_key("a@faß.example"), email_key("a@fass.example"));
        for domain in ["a..b", "xn--a", "a b.c", "℀.example", "a@b", ""] {
            assert_eq!(domain_to_ascii(domain), None, "{domain}");
        }
    }

    /// The digest changes with the keys. Then accounts with such letters would no longer be found:
    /// compute their keys again in a migration (`service::account_keys`) before updating it.
    #[test]
    fn keys_of_all_letters_are_pinned() {
        // Without ideographs, Hangul syllables and private use, which have no mappings.
        let letters = ('\0'..'\u{3400}')
            .chain('\u{a000}'..'\u{ac00}')
            .chain('\u{f900}'..'\u{20000}')
            .chain('\u{2f800}'..'\u{2fa20}');
        let mut digest = Sha256::new();
        for letter in letters {
            let text = letter.to_string();
            let key = username_key(&text);
            if key != text {
                digest.update(format!("{letter}={key}\n"));
                assert_eq!(username_key(&key), key, "{letter:?}");
            }
        }
        let digest: [u8; 32] = digest.finalize().into();
        let digest = u64::from_be_bytes(*digest.first_chunk().unwrap());
        assert_eq!(digest, 0x42ac_4082_125f_c326);
    }

    #[test]
    fn invisible_characters_agree_with_the_tables() {
        let tables = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        for character in '\0'..=char::MAX {
            let expected = tables.contains(character);
            assert_eq!(is_default_ignorable(character), expected, "{character:?}");
        }
    }

    #[test]
    fn key_of_an_ascii_name_is_its_lower_case_form() {
        for email in [
            "A.b+C@Mail.Example",
            "x@XN--BCHER-KVA.example",
            "a_b@my_host.example",
        ] {
            assert_eq!(email_key(email), email.to_ascii_lowercase());
        }
    }

    #[test]
    fn password_form_is_composed_and_has_one_kind_of_space() {
        assert_eq!(password_form("Cafe\u{301}\u{a0}42"), "Café 42");
        assert_eq!(password_form("ＡＢＣ"), "ＡＢＣ");
        assert!(matches!(password_form("Café 42"), Cow::Borrowed(_)));
    }
}
