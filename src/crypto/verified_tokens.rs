//! Access tokens whose signature was found good, so that a token that comes again costs a digest and not a signature.
//!
//! What is remembered is what never changes: these bytes were signed by that key, and say this. Whether the key is still
//! one of the keyring's, whether the token is for the user type that is asked for, and its times are judged at each use.
//! Tokens themselves are not kept, and one that is no token of ours leaves no trace.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::{crypto::token_signer::AccessClaims, domain::recent::Recent};

/// How many tokens are remembered; each takes some 400 bytes.
const BOUND: usize = 8192;

/// A token's name in the map: SHA-256 of all of its bytes, the signature among them.
pub(in crate::crypto) type TokenName = [u8; 32];

/// What a signature vouches for.
#[derive(Clone)]
pub(in crate::crypto) struct Verified {
    /// Of the key that signed.
    pub kid: String,
    /// What was signed.
    pub claims: AccessClaims,
}

/// The map.
pub(in crate::crypto) struct VerifiedTokens(Mutex<Recent<TokenName, Verified>>);

impl VerifiedTokens {
    pub(in crate::crypto) fn new() -> Self {
        Self(Mutex::new(Recent::new(BOUND)))
    }

    pub(in crate::crypto) fn name(token: &str) -> TokenName {
        Sha256::digest(token).into()
    }

    /// What that token says, if its key is one of those that `is_key` knows.
    pub(in crate::crypto) fn find(&self, name: &TokenName, is_key: impl Fn(&str) -> bool) -> Option<AccessClaims> {
        let mut known = self.known();
        let verified = known.get(name)?;
        is_key(&verified.kid).then(|| verified.claims.clone())
    }

    pub(in crate::crypto) fn remember(&self, name: TokenName, verified: Verified) {
        self.known().insert(name, verified);
    }

    fn known(&self) -> MutexGuard<'_, Recent<TokenName, Verified>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
