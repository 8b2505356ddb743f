//! Digests of link tokens: what is stored instead of the token, bound to the purpose it is good for.

use sha2::{Digest as _, Sha256};

use crate::{
    crypto::encoding::join,
    domain::{
        challenge::Purpose,
        token::{LinkToken, TokenDigest},
        user_type::UserType,
    },
};

/// SHA-256 over domain, user type, purpose, account id and the token's 32 random bytes. A token has 256 bits of
/// entropy, so that a keyed digest would add nothing; the binding makes one of another user type or purpose useless.
#[must_use]
pub fn link_digest(user_type: &UserType, purpose: Purpose, token: &LinkToken) -> TokenDigest {
    let message = join(&[
        b"sealgate/link/v1",
        user_type.as_str().as_bytes(),
        purpose.as_str().as_bytes(),
        token.account_id().as_str().as_bytes(),
        token.expose_random(),
    ]);
    TokenDigest::new(Sha256::digest(&message).into())
}
