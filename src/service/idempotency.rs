//! One answer for a request that is sent twice under one `Idempotency-Key`: same key and body, same answer; another
//! body is refused; while the first still runs, so is the second.

use std::time::Duration;

use crate::{
    crypto::{
        encoding::{hmac_sha256, join},
        keyring::KeyUse,
    },
    domain::user_type::UserType,
    service::{core::Core, failure::Failure},
    storage::idempotency::{Begun, IdempotencyKey, Remembered},
};

/// For how long a request is remembered.
const LIFETIME: Duration = Duration::from_hours(24);

/// Why the request is neither done nor answered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdempotencyError {
    /// The key was used with another body.
    OtherBody,
    /// The first request under the key still runs.
    InProgress,
}

/// A request under a key.
#[derive(Debug)]
pub enum Request {
    /// Do it, then [`end`].
    First(IdempotencyKey),
    /// It was done: this is the id that its answer is made from.
    Done(String),
    /// Neither.
    Refused(IdempotencyError),
    /// The store is away: go on without.
    Unguarded,
}

/// Begins a request of `caller`, an id, or the name of an administrator (nobody, on open routes) on `route`.
pub async fn begin(
    core: &Core,
    user_type: &UserType,
    route: &str,
    caller: Option<&str>,
    client_key: &str,
    body: &[u8],
) -> Result<Request, Failure> {
    let keyring = core.keyring.current();
    let secret = &keyring.active(&KeyUse::Idempotency)?.material;
    let caller = caller.unwrap_or("-");
    let name = join(&[
        b"sealgate/idempotency/v1",
        user_type.as_str().as_bytes(),
        route.as_bytes(),
        caller.as_bytes(),
        client_key.as_bytes(),
    ]);
    let key = IdempotencyKey(hmac_sha256(secret, &name));
    let now = core.clock.now();
    let request = Remembered {
        body: hmac_sha256(secret, body),
        answer: None,
        expires_at: now.plus(LIFETIME),
    };
    Ok(match core.idempotency.begin(key, &request, now).await {
        Ok(Begun::First) => Request::First(key),
        Ok(Begun::Seen(seen)) if seen.body != request.body => Request::Refused(IdempotencyError::OtherBody),
        Ok(Begun::Seen(Remembered {
            answer: Some(answer), ..
        })) => Request::Done(answer),
        Ok(Begun::Seen(_)) => Request::Refused(IdempotencyError::InProgress),
        Err(error) => {
            tracing::warn!(%error, "a request goes on without its idempotency key");
            Request::Unguarded
        }
    })
}

/// Notes how a first request ended: with the id its answer is made from, or refused, so that it may come again.
pub async fn end(core: &Core, request: &Request, answer: Option<&str>) {
    let Request::First(key) = request else { return };
    let ended = match answer {
        Some(answer) => core.idempotency.finish(*key, answer).await,
        None => core.idempotency.forget(*key).await,
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "an idempotency record was not ended");
    }
}
