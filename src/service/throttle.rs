//! The one limiter that everything goes through which compares a secret that somebody may be guessing: sign-in, change of
//! password, re-authentication, deletion. A try is charged before the comparison, and taken back when it succeeds.
//!
//! Nobody is locked out by a stranger's guesses. A stranger, who is whoever calls from a device that the account does not
//! know, has [`OWN`] for their network and shares [`STRANGERS`] with all others, for the same name. A device that the account
//! knows, and a session, have [`OWN`] for themselves and share nothing. A name that nobody has is counted like any other.
//! A mailed reset link compares nothing that can be guessed, works meanwhile, and makes the place it was used from known. What
//! was counted of the account's names before is forgotten (`forget`) with it.

use std::time::Duration;

use crate::{
    crypto::keyring::MissingKey,
    domain::{network::Network, token::TokenDigest, user_type::UserType},
    service::{authenticate::Caller, core::Core, failure::Failure, limits::limit_key},
    storage::{
        limits::LimitKey,
        throttle::{Charged, Pace},
    },
};

/// Of one network, device or session.
pub const OWN: Pace = Pace {
    free: 5,
    first_pause: Duration::from_secs(5),
    longest_pause: Duration::from_mins(15),
    memory: Duration::from_hours(1),
};

/// Of all strangers together.
pub const STRANGERS: Pace = Pace {
    free: 20,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_mins(15),
    memory: Duration::from_hours(1),
};

/// Who tries.
#[derive(Debug)]
pub enum Trier<'t> {
    /// Somebody who is not known, from a network that may not be known either.
    Stranger {
        /// The name that is signed in with, in the form it is indexed by.
        name: &'t str,
        /// Where from.
        network: Option<&'t Network>,
    },
    /// A device that somebody signed in from with this name.
    KnownDevice {
        /// The name.
        name: &'t str,
        /// What tells the device.
        digest: &'t TokenDigest,
    },
    /// Somebody who is signed in.
    Session(&'t Caller),
}

/// Why the secret is not compared.
#[derive(Debug, thiserror::Error)]
pub enum ThrottleError {
    /// Too many wrong ones lately.
    #[error("too many tries")]
    TooManyTries {
        /// When one more may come.
        retry_after: Duration,
    },
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// A try that was charged.
#[derive(Debug, Default)]
#[must_use]
pub struct Try {
    forgotten: Vec<LimitKey>,
    refunded: Vec<LimitKey>,
}

/// Charges a try. With limits switched off everything is admitted.
pub async fn charge(core: &Core, user_type: &UserType, trier: &Trier<'_>) -> Result<Try, ThrottleError> {
    let Some(throttle) = core.throttle() else {
        return Ok(Try::default());
    };
    let charged = charged(core, user_type, trier).map_err(Failure::from)?;
    let keys: Vec<(LimitKey, Pace)> = charged
        .forgotten
        .iter()
        .map(|key| (*key, OWN))
        .chain(charged.refunded.iter().map(|key| (*key, STRANGERS)))
        .collect();
    let verdict = throttle.charge(&keys, core.clock.now()).await.map_err(Failure::from)?;
    match verdict {
        Charged::Admitted => Ok(charged),
        Charged::Refused { retry_after } => Err(ThrottleError::TooManyTries { retry_after }),
    }
}

impl Try {
    /// The secret was right.
    pub async fn succeeded(self, core: &Core) {
        let Some(throttle) = core.throttle() else { return };
        if let Err(error) = throttle.succeed(&self.forgotten, &self.refunded).await {
            tracing::debug!(%error, "a try that succeeded stays counted");
        }
    }
}

/// Forgets the tries of whoever set a new password by a mailed link: with each of their `names`, those of all strangers, of
/// their network, and of the device that the link was used from. Who guessed the old password begins anew against one that
/// was just chosen; who has no access to the mailbox can't ask for it. Who counts along may notice that it was done.
pub(in crate::service) async fn forget(
    core: &Core,
    user_type: &UserType,
    names: &[&str],
    network: Option<&Network>,
    device: &[TokenDigest],
) {
    let Some(throttle) = core.throttle() else { return };
    let mut forgotten = Vec::new();
    for name in names {
        let strangers = Trier::Stranger { name, network };
        let known = device.iter().map(|digest| Trier::KnownDevice { name, digest });
        for trier in known.chain([strangers]) {
            match charged(core, user_type, &trier) {
                Ok(tries) => forgotten.extend(tries.forgotten.into_iter().chain(tries.refunded)),
                Err(error) => tracing::debug!(%error, "tries stay counted"),
            }
        }
    }
    if let Err(error) = throttle.succeed(&forgotten, &[]).await {
        tracing::debug!(%error, "tries from before a reset stay counted");
    }
}

fn charged(core: &Core, user_type: &UserType, trier: &Trier<'_>) -> Result<Try, MissingKey> {
    let key =
        |kind: &str, parts: &[&[u8]]| limit_key(core, user_type.as_str(), kind, &crate::crypto::encoding::join(parts));
    Ok(match trier {
        Trier::Stranger { name, network } => {
            let network = network.map_or("-", Network::as_str);
            Try {
                forgotten: vec![key("a network's tries", &[name.as_bytes(), network.as_bytes()])?],
                refunded: vec![key("strangers' tries", &[name.as_bytes()])?],
            }
        }
        Trier::KnownDevice { name, digest } => Try {
            forgotten: vec![key("a device's tries", &[name.as_bytes(), digest.as_bytes()])?],
            refunded: Vec::new(),
        },
        Trier::Session(caller) => Try {
            forgotten: vec![key("a session's tries", &[caller.session_id.as_str().as_bytes()])?],
            refunded: Vec::new(),
        },
    })
}
