//! `Idempotency-Key` on routes that take it: the answer is made again from an id, never stored.

use poem::{FromRequest, Request, RequestBody};

use crate::{
    http::{error_code::ErrorCode, population::Population, problem::Problem},
    service::idempotency::{self, IdempotencyError, Request as Guarded},
};

/// The client's key, and the body it goes with.
#[derive(Debug)]
pub struct IdempotencyHeader {
    key: Option<String>,
    body: zeroize::Zeroizing<Vec<u8>>,
}

fn is_key(key: &[u8]) -> bool {
    (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

impl<'a> FromRequest<'a> for IdempotencyHeader {
    /// Reads the body and puts it back; to be taken before the body itself.
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        // A key that can't be read is refused: ignored, it would look as if the request were guarded.
        let mut keys = request.headers().get_all("idempotency-key").iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(key), None) if is_key(key.as_bytes()) => key.to_str().ok().map(str::to_owned),
            _ => return Err(Problem::new(ErrorCode::IdempotencyKeyInvalid).into()),
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
        caller: Option<&str>,
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
