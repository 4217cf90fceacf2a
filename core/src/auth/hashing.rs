//! Password hashing as a job: argon2id (RFC 9106) in PHC string form.
//!
//! A job needs 19 MiB and tens of milliseconds, so it is only described here; the `Passwords` port
//! runs it off the serving threads.

use std::borrow::Cow;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt as PhcSalt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use crate::unicode::password_form;

/// The length of a salt in bytes (RFC 9106 §3.1 recommends 16).
pub const SALT_BYTES: usize = 16;

/// Random bytes, new for every job.
pub type Salt = [u8; SALT_BYTES];

/// OWASP's parameters for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A password in the form that is hashed (RFC 8265): not printable, zeroed when dropped.
pub struct Password {
    prepared: Zeroizing<String>,
    /// As typed, if that is another text. Older hashes were computed from it.
    typed: Option<Zeroizing<String>>,
}

impl Password {
    /// Prepares a password as typed.
    pub fn new(password: String) -> Self {
        let typed = Zeroizing::new(password);
        match password_form(&typed) {
            Cow::Borrowed(_) => Self {
                prepared: typed,
                typed: None,
            },
            Cow::Owned(prepared) => Self {
                prepared: Zeroizing::new(prepared),
                typed: Some(typed),
            },
        }
    }

    /// The prepared password.
    pub fn reveal(&self) -> &str {
        &self.prepared
    }
}

/// A hash to compute or verify.
pub enum PasswordJob {
    /// Hash a new password.
    Hash {
        /// The password.
        password: Password,
        /// New.
        salt: Salt,
    },
    /// Check a password against a stored hash.
    Verify {
        /// The password.
        password: Password,
        /// The stored hash. Without one (an unknown user) the job takes the same time and returns
        /// [`PasswordOutcome::Differs`].
        hash: Option<String>,
        /// New; for a new hash when the stored one has outdated parameters.
        salt: Salt,
    },
}

/// The result of a [`PasswordJob`].
pub enum PasswordOutcome {
    /// Of `Hash`: the hash in PHC string form.
    Hashed(String),
    /// Of `Verify`: the password is correct.
    Matches {
        /// A hash with the current parameters, when the stored one has outdated ones.
        rehashed: Option<String>,
    },
    /// Of `Verify`: the password is wrong.
    Differs,
    /// The hash could not be computed (out of memory).
    Failed,
}

/// The working memory of a job. An adapter may reuse it for the next job.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    /// The memory that the current parameters need, in bytes.
    pub const BYTES: usize = MEMORY_KIB as usize * Block::SIZE;

    /// One allocation of this many bytes, of which a job uses what it needs. Many allocators decide
    /// by the size of an allocation how they return it to the system.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes.div_ceil(Block::SIZE)))
    }

    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.0.len() < count {
            self.0.resize(count, Block::new());
        }
        self.0.get_mut(..count).unwrap_or_default()
    }
}

impl PasswordJob {
    /// Runs the job; takes tens of milliseconds.
    pub fn run(self, memory: &mut HashMemory) -> PasswordOutcome {
        match self {
            Self::Hash { password, salt } => hash(password.reveal(), &salt, memory)
                .map_or(PasswordOutcome::Failed, PasswordOutcome::Hashed),
            Self::Verify {
                password,
                hash: stored,
                salt,
            } => verify(&password, stored.as_deref(), &salt, memory),
        }
    }
}

fn verify(
    password: &Password,
    stored: Option<&str>,
    salt: &Salt,
    memory: &mut HashMemory,
) -> PasswordOutcome {
    let typed = password.typed.as_ref().map(|typed| typed.as_str());
    let Some(stored) = stored.and_then(|stored| PasswordHash::new(stored).ok()) else {
        // The elapsed time must not reveal that the account does not exist.
        for form in [Some(password.reveal()), typed].into_iter().flatten() {
            let _ = std::hint::black_box(hash(form, salt, memory));
        }
        return PasswordOutcome::Differs;
    };
    let mut matches = |form| {
        let output = recompute(form, &stored, memory);
        output.is_some_and(|output| Some(output) == stored.hash)
    };
    let is_outdated = if matches(password.reveal()) {
        !is_current(&stored)
    } else if typed.is_some_and(matches) {
        true
    } else {
        return PasswordOutcome::Differs;
    };
    PasswordOutcome::Matches {
        rehashed: is_outdated
            .then(|| hash(password.reveal(), salt, memory))
            .flatten(),
    }
}

/// The password's hash with the salt and parameters of a stored one. `Output` compares in constant
/// time.
fn recompute(password: &str, stored: &PasswordHash, memory: &mut HashMemory) -> Option<Output> {
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    let version = stored
        .version
        .map_or(Ok(Version::default()), Version::try_from)
        .ok()?;
    let params = Params::try_from(stored).ok()?;
    let argon2 = Argon2::new(algorithm, version, params);
    output(&argon2, password, stored.salt.as_ref()?, memory)
}

fn hash(password: &str, salt: &Salt, memory: &mut HashMemory) -> Option<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    let params_string = ParamsString::try_from(&params).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params_string,
        salt: Some(PhcSalt::new(salt).ok()?),
        hash: Some(output(&argon2, password, salt, memory)?),
    };
    Some(hash.to_string())
}

fn output(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    memory: &mut HashMemory,
) -> Option<Output> {
    let length = argon2
        .params()
        .output_len()
        .unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut buffer = [0; Output::MAX_LENGTH];
    let output = buffer.get_mut(..length)?;
    let blocks = memory.blocks(argon2.params().block_count());
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut *output, blocks)
        .ok()?;
    Output::new(output).ok()
}

/// Whether a hash has the current parameters.
fn is_current(hash: &PasswordHash) -> bool {
    let same = |params: Params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    };
    hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(hash).is_ok_and(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordHasher as _;

    const SALT: Salt = [7; SALT_BYTES];

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn verify(text: &str, hash: Option<&str>) -> PasswordOutcome {
        PasswordJob::Verify {
            password: password(text),
            hash: hash.map(str::to_owned),
            salt: SALT,
        }
        .run(&mut HashMemory::default())
    }

    #[test]
    fn hash_verifies_only_its_password() {
        let PasswordOutcome::Hashed(hash) = (PasswordJob::Hash {
            password: password("s3cretPassw0rd"),
            salt: SALT,
        })
        .run(&mut HashMemory::default()) else {
            panic!("not hashed")
        };
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(matches!(
            verify("s3cretPassw0rd", Some(&hash)),
            PasswordOutcome::Matches { rehashed: None }
        ));
        assert!(matches!(
            verify("s3cretPassw0rd ", Some(&hash)),
            PasswordOutcome::Differs
        ));
        assert!(matches!(
            verify("s3cretPassw0rd", None),
            PasswordOutcome::Differs
        ));
        assert!(matches!(
            verify("", Some("pbkdf2_sha256$1$x$y")),
            PasswordOutcome::Differs
        ));
    }

    #[test]
    fn password_matches_in_any_composition_and_an_older_hash_is_replaced() {
        let composed = "Caf\u{e9} Nummer 42";
        let decomposed = "Cafe\u{301} Nummer\u{a0}42";
        // The hash of what was typed, as it was computed before.
        let old = hash(decomposed, &SALT, &mut HashMemory::default()).unwrap();
        assert!(matches!(
            verify(composed, Some(&old)),
            PasswordOutcome::Differs
        ));
        let PasswordOutcome::Matches {
            rehashed: Some(new),
        } = verify(decomposed, Some(&old))
        else {
            panic!("not replaced")
        };
        for typed in [composed, decomposed] {
            assert!(matches!(
                verify(typed, Some(&new)),
                PasswordOutcome::Matches { rehashed: None }
            ));
        }
        assert!(matches!(
            verify("Cafe Nummer 42", Some(&new)),
            PasswordOutcome::Differs
        ));
        assert!(matches!(verify(decomposed, None), PasswordOutcome::Differs));
    }

    #[test]
    fn hash_with_outdated_parameters_is_replaced() {
        let weak = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(64, 1, 1, None).unwrap(),
        );
        let hash: PasswordHash = weak
            .hash_password_with_salt(b"s3cretPassw0rd", &SALT)
            .unwrap();
        let PasswordOutcome::Matches {
            rehashed: Some(rehashed),
        } = verify("s3cretPassw0rd", Some(&hash.to_string()))
        else {
            panic!("not rehashed")
        };
        assert!(matches!(
            verify("s3cretPassw0rd", Some(&rehashed)),
            PasswordOutcome::Matches { rehashed: None }
        ));
    }
}
