//! Password hashes that other software made, for accounts that were imported. They are checked, never made: the sign-in
//! that shows the password replaces them with one of today's.
//!
//! | form | of |
//! |---|---|
//! | `$argon2id$v=19$m=65536,t=3,p=4$salt$hash`, also `argon2i`, `argon2d`, also without `v` (then 16) | PHC, passlib |
//! | `$2b$12$` and 53 characters, also `2a`, `2y` | bcrypt |
//! | `$pbkdf2-sha256$29000$salt$hash`, also `pbkdf2` (SHA-1), `pbkdf2-sha512` | passlib |
//! | `$pbkdf2-sha256$i=600000,l=32$salt$hash`, also those | PHC |
//!
//! One that would keep a core or its memory for long is refused, at the import and at sign-in: whoever can write hashes
//! into the database must not be able to stop the service with them.

use std::{fmt, num::NonZeroU32};

use argon2::{Algorithm, Argon2, Params, PasswordHash as Phc, Version};
use aws_lc_rs::pbkdf2;
use data_encoding::{BASE64_NOPAD, Encoding, Specification};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::crypto::{hash_memory::HashMemory, password_hasher::HashError};

/// The most that a check may take: 256 MiB, and with the bounds below about two seconds of a core.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
/// Passes over memory: of `memory * passes`, in KiB.
const MOST_FILLED_KIB: u64 = 1024 * 1024;
const MOST_LANES: u32 = 64;
const MOST_COST: u32 = 15;
const MOST_ROUNDS: u32 = 4_000_000;
/// Of salts and outputs, in bytes.
const LONGEST: usize = 64;
const SHORTEST_OUTPUT: usize = 16;
/// bcrypt looks at no more of a password, and puts a zero behind a shorter one.
const BCRYPT_BYTES: usize = 72;

/// A hash that can be checked.
pub struct ForeignHash(Kind);

enum Kind {
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        params: Box<Params>,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        output: [u8; 23],
    },
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
}

/// Why a hash is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignHashError {
    /// Of none of the forms above, or garbled.
    #[error("is no hash of Argon2, bcrypt or PBKDF2 in a form that is known")]
    Unknown,
    /// It takes too much time or memory.
    #[error("takes more time or memory than a sign-in may")]
    TooCostly,
    /// Made with a secret that only its maker has.
    #[error("was made with a pepper, which does not come with it")]
    Peppered,
}

impl ForeignHashError {
    /// `snake_case`, for reports.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "password_hash_unknown",
            Self::TooCostly => "password_hash_too_costly",
            Self::Peppered => "password_hash_peppered",
        }
    }
}

impl ForeignHash {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ForeignHashError> {
        let kind = text.strip_prefix('$').and_then(|rest| rest.split('$').next());
        match kind {
            Some("argon2id" | "argon2i" | "argon2d") => argon2(text),
            Some("2a" | "2b" | "2y") => bcrypt(text),
            Some("pbkdf2") => pbkdf2(text, pbkdf2::PBKDF2_HMAC_SHA1),
            Some("pbkdf2-sha256") => pbkdf2(text, pbkdf2::PBKDF2_HMAC_SHA256),
            Some("pbkdf2-sha512") => pbkdf2(text, pbkdf2::PBKDF2_HMAC_SHA512),
            _ => Err(ForeignHashError::Unknown),
        }
    }

    /// Whether it is of this password.
    pub(in crate::crypto) fn is_of(&self, password: &[u8], memory: &HashMemory) -> Result<bool, HashError> {
        let is_equal = match &self.0 {
            Kind::Argon2 {
                algorithm,
                version,
                params,
                salt,
                output,
            } => {
                let mut computed = Zeroizing::new(vec![0; output.len()]);
                let argon2 = Argon2::new(*algorithm, *version, Params::clone(params));
                memory
                    .with(argon2.params().block_count(), |blocks| {
                        argon2.hash_password_into_with_memory(password, salt, &mut computed, blocks)
                    })
                    .map_err(|_| HashError::Unusable)?;
                computed.ct_eq(output)
            }
            Kind::Bcrypt { cost, salt, output } => {
                let mut key = Zeroizing::new([0; BCRYPT_BYTES]);
                let taken = password.len().min(BCRYPT_BYTES);
                key[..taken].copy_from_slice(&password[..taken]);
                let computed = bcrypt::bcrypt(*cost, *salt, &key[..(taken + 1).min(BCRYPT_BYTES)]);
                computed[..output.len()].ct_eq(output)
            }
            Kind::Pbkdf2 {
                algorithm,
                rounds,
                salt,
                output,
            } => {
                let mut computed = Zeroizing::new(vec![0; output.len()]);
                pbkdf2::derive(*algorithm, *rounds, salt, password, &mut computed);
                computed.ct_eq(output)
            }
        };
        Ok(is_equal.into())
    }
}

impl fmt::Debug for ForeignHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignHash")
    }
}

fn argon2(text: &str) -> Result<ForeignHash, ForeignHashError> {
    let unknown = ForeignHashError::Unknown;
    let phc = Phc::new(text).map_err(|_| unknown)?;
    let params = Params::try_from(&phc).map_err(|_| unknown)?;
    if !params.keyid().is_empty() {
        return Err(ForeignHashError::Peppered);
    }
    let (Some(salt), Some(output)) = (&phc.salt, &phc.hash) else {
        return Err(unknown);
    };
    let filled = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if params.m_cost() > MOST_MEMORY_KIB || filled > MOST_FILLED_KIB || params.p_cost() > MOST_LANES {
        return Err(ForeignHashError::TooCostly);
    }
    Ok(ForeignHash(Kind::Argon2 {
        algorithm: Algorithm::new(phc.algorithm).map_err(|_| unknown)?,
        // Before there was a second version, none was written.
        version: match phc.version {
            None => Version::V0x10,
            Some(version) => Version::try_from(version).map_err(|_| unknown)?,
        },
        params: Box::new(params),
        salt: bounded(salt.as_ref().to_vec())?,
        output: bounded(output.as_ref().to_vec()).and_then(long_enough)?,
    }))
}

fn bcrypt(text: &str) -> Result<ForeignHash, ForeignHashError> {
    let unknown = ForeignHashError::Unknown;
    let mut parts = text.split('$').skip(2);
    let (Some(cost), Some(rest), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(unknown);
    };
    let cost: u32 = cost
        .parse()
        .ok()
        .filter(|_| cost.len() == 2 && cost.bytes().all(|digit| digit.is_ascii_digit()))
        .ok_or(unknown)?;
    let (salt, output) = rest.split_at_checked(22).ok_or(unknown)?;
    let alphabet = bcrypt_base64()?;
    let decode = |text: &str| alphabet.decode(text.as_bytes()).map_err(|_| unknown);
    let (salt, output) = (decode(salt)?, decode(output)?);
    match cost {
        4..=MOST_COST => Ok(ForeignHash(Kind::Bcrypt {
            cost,
            salt: salt.try_into().map_err(|_| unknown)?,
            output: output.try_into().map_err(|_| unknown)?,
        })),
        0..4 => Err(unknown),
        _ => Err(ForeignHashError::TooCostly),
    }
}

/// bcrypt's own alphabet. Old implementations left bits at the end of a salt that say nothing.
fn bcrypt_base64() -> Result<Encoding, ForeignHashError> {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    specification.check_trailing_bits = false;
    specification.encoding().map_err(|_| ForeignHashError::Unknown)
}

fn pbkdf2(text: &str, algorithm: pbkdf2::Algorithm) -> Result<ForeignHash, ForeignHashError> {
    let unknown = ForeignHashError::Unknown;
    let mut parts = text.split('$').skip(2);
    let (Some(params), Some(salt), Some(output), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(unknown);
    };
    let (rounds, length) = match params.strip_prefix("i=") {
        Some(phc) => match phc.split_once(",l=") {
            Some((rounds, length)) => (rounds, Some(length)),
            None => (phc, None),
        },
        None => (params, None),
    };
    let number = |digits: &str| digits.parse::<u32>().ok().filter(|_| !digits.starts_with('+'));
    let rounds = number(rounds).ok_or(unknown)?;
    if rounds > MOST_ROUNDS {
        return Err(ForeignHashError::TooCostly);
    }
    // passlib writes a full stop for the plus sign.
    let decode = |text: &str| {
        BASE64_NOPAD
            .decode(text.replace('.', "+").as_bytes())
            .map_err(|_| unknown)
    };
    let output = bounded(decode(output)?).and_then(long_enough)?;
    if length.is_some_and(|length| number(length).and_then(|length| usize::try_from(length).ok()) != Some(output.len()))
    {
        return Err(unknown);
    }
    Ok(ForeignHash(Kind::Pbkdf2 {
        algorithm,
        rounds: NonZeroU32::new(rounds).ok_or(unknown)?,
        salt: bounded(decode(salt)?)?,
        output,
    }))
}

fn bounded(bytes: Vec<u8>) -> Result<Vec<u8>, ForeignHashError> {
    Some(bytes)
        .filter(|bytes| bytes.len() <= LONGEST)
        .ok_or(ForeignHashError::Unknown)
}

/// A hash of a few bytes is met by many passwords.
fn long_enough(output: Vec<u8>) -> Result<Vec<u8>, ForeignHashError> {
    Some(output)
        .filter(|output| output.len() >= SHORTEST_OUTPUT)
        .ok_or(ForeignHashError::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::frozen::{legacy, list, text};

    fn refused(text: &str) -> ForeignHashError {
        ForeignHash::parse(text).expect_err(text)
    }

    #[test]
    fn what_python_hashed_is_checked() {
        let (vectors, memory) = (legacy(), HashMemory::default());
        let hashes = list(&vectors["password_hashes"]);
        assert_eq!(hashes.len(), 14);
        for vector in hashes {
            let (kind, password) = (text(&vector["kind"]), text(&vector["password"]));
            let hash = ForeignHash::parse(text(&vector["hash"])).unwrap_or_else(|error| panic!("{kind} {error}"));
            assert_eq!(hash.is_of(password.as_bytes(), &memory), Ok(true), "{kind}");
            let other = password.to_uppercase();
            assert_eq!(hash.is_of(other.as_bytes(), &memory), Ok(false), "{kind}");
            assert_eq!(hash.is_of(b"", &memory), Ok(false), "{kind}");
        }
    }

    /// Vectors of the first version of Argon2 by its reference implementation, and of `jBCrypt`.
    #[test]
    fn vectors_of_others() {
        for (password, hash) in [
            (
                "password",
                "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            ),
            ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
            ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ] {
            let hash = ForeignHash::parse(hash).expect("known");
            assert_eq!(
                hash.is_of(password.as_bytes(), &HashMemory::default()),
                Ok(true),
                "{password}"
            );
        }
    }

    #[test]
    fn bcrypt_looks_at_72_bytes() {
        let vectors = legacy();
        let of_long = |vector: &&serde_json::Value| text(&vector["kind"]).contains("104 bytes");
        let vector = list(&vectors["password_hashes"]).iter().find(of_long).expect("there");
        let (hash, password) = (
            ForeignHash::parse(text(&vector["hash"])).expect("known"),
            text(&vector["password"]),
        );
        let check = |bytes: &[u8]| hash.is_of(bytes, &HashMemory::default());
        assert_eq!(check(&password.as_bytes()[..72]), Ok(true), "as its maker did");
        assert_eq!(check(&password.as_bytes()[..71]), Ok(false));
    }

    #[test]
    fn what_is_garbled_unknown_or_too_costly_is_refused() {
        let salt_and_hash = "c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ";
        for text in [
            "",
            "$",
            "plain",
            "$6$rounds=5000$salt$hash",
            "$2x$10$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            "$2b$3$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            "$2b$03$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.",
            "$2b$10$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s",
            "$2b$10$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s!",
            "$2b$10$\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "$pbkdf2-sha256$0$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            "$pbkdf2-sha256$i=1000,l=31$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            "$pbkdf2-sha256$1000$c29tZXNhbHQ$9sTbSl",
            "$pbkdf2-md5$1000$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
        ] {
            assert_eq!(refused(text), ForeignHashError::Unknown, "{text}");
        }
        for params in [
            "$argon2id$v=19$m=262145,t=1,p=1$",
            "$argon2id$v=19$m=65536,t=17,p=1$",
            "$argon2id$v=19$m=1024,t=1,p=65$",
            "$pbkdf2-sha256$4000001$",
        ] {
            assert_eq!(
                refused(&format!("{params}{salt_and_hash}")),
                ForeignHashError::TooCostly,
                "{params}"
            );
        }
        let costly = "$2b$16$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";
        assert_eq!(refused(costly), ForeignHashError::TooCostly);
        let ours = format!("$argon2id$v=19$m=64,t=1,p=1,keyid=AAE${salt_and_hash}");
        assert_eq!(refused(&ours), ForeignHashError::Peppered);
    }
}
