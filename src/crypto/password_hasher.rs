//! Password hashing on a bounded pool.
//!
//! At most as many hashes run as there are cores, a bounded number waits, and beyond that the answer is
//! [`HashError::Busy`] at once, so that every other route stays quick.
//!
//! Every check costs one hash, also where there is nothing to check: [`PasswordHasher::verify_decoy`].

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::{
    crypto::{
        argon2id::{self, decoy, hash},
        foreign_hash::{ForeignHash, ForeignHashError},
        hash_memory::HashMemory,
        hash_threads::HashThreads,
        keyring::{Keyring, MissingKey, SharedKeyring},
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

/// Checks one of ours, or one that was imported: that is always outdated.
fn verify(
    password: &[u8],
    stored: &PasswordHash,
    keyring: &Keyring,
    cost: HashCost,
    memory: &HashMemory,
) -> Result<Check, HashError> {
    match ForeignHash::parse(stored.as_str()) {
        Ok(foreign) if foreign.is_of(password, memory)? => Ok(Check::Match { is_outdated: true }),
        Ok(_) => Ok(Check::Mismatch),
        Err(ForeignHashError::Peppered) => argon2id::verify(password, stored, keyring, cost, memory),
        Err(_) => Err(HashError::Unusable),
    }
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
    memory: HashMemory,
    threads: HashThreads,
    /// How many began.
    begun: Arc<AtomicU64>,
}

impl PasswordHasher {
    /// With `parallel` hashes at a time and `waiting` more in the queue.
    #[must_use]
    pub fn new(keyring: SharedKeyring, cost: HashCost, parallel: usize, waiting: usize) -> Self {
        Self {
            keyring,
            cost,
            running: Arc::new(Semaphore::new(parallel)),
            admitted: Arc::new(Semaphore::new(parallel + waiting)),
            memory: HashMemory::default(),
            threads: HashThreads::new(parallel),
            begun: Arc::default(),
        }
    }

    /// How many hashes were begun so far, checks included.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Arc<Password>) -> Result<PasswordHash, HashError> {
        let (keyring, cost, memory) = (self.keyring.current(), self.cost, self.memory.clone());
        self.run(move || hash(password.expose().as_bytes(), &keyring, cost, &memory))
            .await
    }

    /// Checks `password` against `stored`.
    pub async fn verify(&self, password: Arc<Password>, stored: PasswordHash) -> Result<Check, HashError> {
        let (keyring, cost, memory) = (self.keyring.current(), self.cost, self.memory.clone());
        self.run(move || verify(password.expose().as_bytes(), &stored, &keyring, cost, &memory))
            .await
    }

    /// Spends what [`Self::verify`] spends and never matches.
    pub async fn verify_decoy(&self, password: Arc<Password>) -> Result<(), HashError> {
        let decoy = decoy(&self.keyring.current(), self.cost)?;
        self.verify(password, decoy).await.map(drop)
    }

    /// Does other work on passwords in the same queue, on the same cores.
    pub async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        self.run(move || Ok(work())).await
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
        self.begun.fetch_add(1, Ordering::Relaxed);
        // The permits go into the thread: a client that hangs up must not let another hash start beside this one.
        let done = self.threads.run(move || {
            let _permits = (admitted, running);
            work()
        });
        done.await.map_err(|_| HashError::Unusable)?
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::keyring::{KeyState, KeyUse, Keyring, RootKey};

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

    #[tokio::test]
    async fn past_the_queue_the_answer_is_busy_at_once() {
        let shared = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
        let hasher = PasswordHasher::new(shared, CHEAP, 1, 0);
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

    /// A pepper that was retired since the start must not tell unknown addresses from known ones.
    #[tokio::test]
    async fn the_decoy_follows_the_pepper() {
        let shared = SharedKeyring::new(keyring(&[(1, KeyState::Active)]));
        let hasher = PasswordHasher::new(shared.clone(), CHEAP, 1, 1);
        assert_eq!(hasher.verify_decoy(password("")).await, Ok(()));
        shared.replace(keyring(&[(2, KeyState::Active)]));
        assert_eq!(hasher.verify_decoy(password("")).await, Ok(()));
    }
}
