//! Password hashing on a bounded pool.
//!
//! Argon2id (RFC 9106) with the pepper as its secret input; the pepper's version stands in the hash as `keyid`. At
//! most as many hashes run as there are cores, a bounded number waits, and beyond that the answer is
//! [`HashError::Busy`] at once, so that every other route stays quick.
//!
//! Every check costs one hash, also where there is nothing to check: [`PasswordHasher::verify_decoy`].

use std::{fmt, sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, PasswordHash as Phc, PasswordHasher as _, PasswordVerifier as _,
    Version,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        keyring::{KeyUse, Keyring, MissingKey, RootKey, SharedKeyring},
        system_entropy,
    },
    domain::password::Password,
};

/// A PHC string. Not a secret, but not for answers and logs either: prints as its type's name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a stored string. What a person types in never gets here: it is a [`Password`].
    #[must_use]
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Cost of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl HashCost {
    /// The least that is accepted, and the default: the OWASP cheat sheet's first choice for Argon2id.
    pub const MINIMUM: Self = Self {
        memory_kib: 19_456,
        passes: 2,
        lanes: 1,
    };

    /// Whether it is at least the minimum in every respect.
    #[must_use]
    pub const fn is_enough(self) -> bool {
        self.memory_kib >= Self::MINIMUM.memory_kib && self.passes >= Self::MINIMUM.passes && self.lanes >= 1
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The password is right.
    Match {
        /// The hash is weaker than today's parameters or has an older pepper: replace it.
        is_outdated: bool,
    },
    /// It is not.
    Mismatch,
}

/// Why no hash was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The queue is full; come back later.
    #[error("too many passwords are being checked")]
    Busy,
    /// No pepper.
    #[error(transparent)]
    MissingKey(#[from] MissingKey),
    /// The parameters or a stored hash are unusable.
    #[error("a password hash can't be made or read")]
    Unusable,
}

/// How long a client that met [`HashError::Busy`] should wait.
pub const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct PasswordHasher {
    keyring: SharedKeyring,
    cost: HashCost,
    /// One permit per hash that runs.
    running: Arc<Semaphore>,
    /// One permit per hash that runs or waits.
    admitted: Arc<Semaphore>,
    /// Of no password: what is checked where there is no account.
    decoy: PasswordHash,
}

impl PasswordHasher {
    /// With `parallel` hashes at a time and `waiting` more in the queue. Makes the decoy, which takes one hash.
    pub fn new(keyring: SharedKeyring, cost: HashCost, parallel: usize, waiting: usize) -> Result<Self, HashError> {
        let random = Zeroizing::new(system_entropy::make_key().to_vec());
        let decoy = hash(&random, &keyring.current(), cost)?;
        Ok(Self {
            keyring,
            cost,
            running: Arc::new(Semaphore::new(parallel)),
            admitted: Arc::new(Semaphore::new(parallel + waiting)),
            decoy,
        })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Arc<Password>) -> Result<PasswordHash, HashError> {
        let (keyring, cost) = (self.keyring.current(), self.cost);
        self.run(move || hash(password.expose().as_bytes(), &keyring, cost))
            .await
    }

    /// Checks `password` against `stored`.
    pub async fn verify(&self, password: Arc<Password>, stored: PasswordHash) -> Result<Check, HashError> {
        let (keyring, cost) = (self.keyring.current(), self.cost);
        self.run(move || verify(password.expose().as_bytes(), &stored, &keyring, cost))
            .await
    }

    /// Spends what [`Self::verify`] spends and never matches.
    pub async fn verify_decoy(&self, password: Arc<Password>) -> Result<(), HashError> {
        self.verify(password, self.decoy.clone()).await.map(drop)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| HashError::Busy)?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| HashError::Busy)?;
        // The permits go into the thread: a client that hangs up must not let another hash start beside this one.
        let done = tokio::task::spawn_blocking(move || {
            let _permits = (admitted, running);
            work()
        });
        done.await.map_err(|_| HashError::Unusable)?
    }
}

fn hash(password: &[u8], keyring: &Keyring, cost: HashCost) -> Result<PasswordHash, HashError> {
    let pepper = keyring.active(&KeyUse::Pepper)?;
    let params = ParamsBuilder::new()
        .m_cost(cost.memory_kib)
        .t_cost(cost.passes)
        .p_cost(cost.lanes)
        .keyid(KeyId::new(&pepper.version.to_be_bytes()).map_err(|_| HashError::Unusable)?)
        .build()
        .map_err(|_| HashError::Unusable)?;
    let mut salt = [0; 16];
    system_entropy::fill(&mut salt);
    let phc = argon2(pepper, params)?
        .hash_password_with_salt(password, &salt)
        .map_err(|_| HashError::Unusable)?;
    Ok(PasswordHash(phc.to_string()))
}

fn verify(password: &[u8], stored: &PasswordHash, keyring: &Keyring, cost: HashCost) -> Result<Check, HashError> {
    let phc = Phc::new(&stored.0).map_err(|_| HashError::Unusable)?;
    let params = Params::try_from(&phc).map_err(|_| HashError::Unusable)?;
    let version: [u8; 2] = params.keyid().try_into().map_err(|_| HashError::Unusable)?;
    let pepper = keyring.readable(&KeyUse::Pepper, u16::from_be_bytes(version))?;
    let is_outdated = pepper.version != keyring.active(&KeyUse::Pepper)?.version
        || params.m_cost() < cost.memory_kib
        || params.t_cost() < cost.passes;
    match argon2(pepper, params)?.verify_password(password, &phc) {
        Ok(()) => Ok(Check::Match { is_outdated }),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Check::Mismatch),
        Err(_) => Err(HashError::Unusable),
    }
}

fn argon2(pepper: &RootKey, params: Params) -> Result<Argon2<'_>, HashError> {
    Argon2::new_with_secret(&pepper.material, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|_| HashError::Unusable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, number, text},
        keyring::KeyState,
    };

    const CHEAP: HashCost = HashCost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    fn keyring(versions: &[(u16, KeyState)]) -> Keyring {
        let mut keyring = Keyring::default();
        for &(version, state) in versions {
            let material = Zeroizing::new(vec![u8::try_from(version).expect("small"); 32]);
            keyring.insert(
                KeyUse::Pepper,
                RootKey {
                    version,
                    state,
                    material,
                },
            );
        }
        keyring
    }

    fn password(text: &str) -> Arc<Password> {
        Arc::new(Password::for_check(text.to_owned()).expect("short enough"))
    }

    #[test]
    fn an_older_pepper_still_checks_and_asks_for_a_new_hash() {
        let stored = hash(b"pw", &keyring(&[(1, KeyState::Active)]), CHEAP).expect("hash");
        assert!(
            stored.as_str().contains("keyid="),
            "the pepper's version stands in the hash"
        );
        let later = keyring(&[(1, KeyState::VerifyOnly), (2, KeyState::Active)]);
        assert_eq!(
            verify(b"pw", &stored, &later, CHEAP),
            Ok(Check::Match { is_outdated: true })
        );
        assert_eq!(verify(b"no", &stored, &later, CHEAP), Ok(Check::Mismatch));
    }

    #[test]
    fn frozen_vector() {
        let frozen = Frozen::read().0;
        let vector = &frozen["password_hash"];
        let mut keyring = Keyring::default();
        let pepper = RootKey {
            version: number(&vector["pepper_version"]),
            state: KeyState::Active,
            material: Zeroizing::new(bytes(&vector["pepper"])),
        };
        keyring.insert(KeyUse::Pepper, pepper);
        let stored = PasswordHash::from_stored(text(&vector["phc"]).to_owned());
        let check = |password: &str| verify(password.as_bytes(), &stored, &keyring, HashCost::MINIMUM);
        assert_eq!(
            check(text(&vector["password"])),
            Ok(Check::Match { is_outdated: false })
        );
        assert_eq!(check("Zwölf Boxkämpfer 13!"), Ok(Check::Mismatch));

        // What is written today has the same shape: everything but salt and output is equal, and those are as long.
        let fresh = hash(b"pw", &keyring, HashCost::MINIMUM).expect("hash");
        let [fresh, frozen] = [&fresh, &stored].map(|hash| hash.as_str().split('$').collect::<Vec<_>>());
        assert_eq!(fresh[..4], frozen[..4]);
        assert_eq!([fresh[4], fresh[5]].map(str::len), [frozen[4], frozen[5]].map(str::len));
        assert_eq!(fresh.len(), 6);
    }

    #[test]
    fn without_its_pepper_nothing_matches() {
        let stored = hash(b"pw", &keyring(&[(1, KeyState::Active)]), CHEAP).expect("hash");
        let other = keyring(&[(2, KeyState::Active)]);
        assert!(matches!(
            verify(b"pw", &stored, &other, CHEAP),
            Err(HashError::MissingKey(_))
        ));
    }

    #[tokio::test]
    async fn past_the_queue_the_answer_is_busy_at_once() {
        let shared = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
        let hasher = PasswordHasher::new(shared, CHEAP, 1, 0).expect("hasher");
        let held = Arc::clone(&hasher.running).acquire_owned().await.expect("open");
        let waiting = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.hash(password("first")).await }
        });
        while hasher.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.hash(password("second")).await, Err(HashError::Busy));
        drop(held);
        assert!(waiting.await.expect("joined").is_ok(), "who waited is served");
    }

    #[tokio::test]
    async fn the_decoy_matches_nothing() {
        let shared = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
        let hasher = PasswordHasher::new(shared, CHEAP, 1, 1).expect("hasher");
        let check = hasher.verify(password(""), hasher.decoy.clone()).await;
        assert_eq!(check, Ok(Check::Mismatch));
    }
}
