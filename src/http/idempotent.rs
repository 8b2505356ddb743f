//! `Idempotency-Key` on routes that take it: the answer is made again from an id, never stored.

use poem::{FromRequest, Request, RequestBody};

use crate::{
    domain::ids::AccountId,
    http::{error_code::ErrorCode, population::Population, problem::Problem},
    service::idempotency::{self, IdempotencyError, Request as Guarded},
};

/// The client's key, and the body it goes with.
#[derive(Debug)]
pub struct IdempotencyHeader {
    key: Option<String>,
    body: zeroize::Zeroizing<Vec<u8>>,
}

impl<'a> FromRequest<'a> for IdempotencyHeader {
    /// Reads the body and puts it back; to be taken before the body itself.
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let key = match request.header("idempotency-key") {
            None => None,
            Some(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
                Some(key.to_owned())
            }
            Some(_) => {
                return Err(Problem::new(ErrorCode::IdempotencyKeyInvalid).into());
            }
        };
        let bytes = zeroize::Zeroizing::new(body.take()?.into_vec().await?);
        *body = RequestBody::new(bytes.to_vec().into());
        Ok(Self { key, body: bytes })
    }
}

impl IdempotencyHeader {
    /// Begins the request: `Ok(Some)` is the id of an answer that was given before.
    pub async fn begin(
        &self,
        population: &Population,
        route: &str,
        caller: Option<&AccountId>,
    ) -> Result<(Guarded, Option<String>), Problem> {
        let Some(key) = &self.key else {
            return Ok((Guarded::Unguarded, None));
        };
        let begun = idempotency::begin(&population.core, &population.user_type, route, caller, key, &self.body).await?;
        match begun {
            Guarded::Done(answer) => Ok((Guarded::Unguarded, Some(answer))),
            Guarded::Refused(IdempotencyError::OtherBody) => Err(Problem::new(ErrorCode::IdempotencyKeyReused)),
            Guarded::Refused(IdempotencyError::InProgress) => {
                Err(Problem::new(ErrorCode::RequestInProgress).with_header("retry-after", "1"))
            }
            guarded => Ok((guarded, None)),
        }
    }

    /// Ends it.
    pub async fn end(population: &Population, guarded: &Guarded, answer: Option<&str>) {
        idempotency::end(&population.core, guarded, answer).await;
    }
}
