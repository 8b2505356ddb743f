//! One's own account: shown, changed, deleted.

use poem::Request;
use poem_openapi::{OpenApi, payload::Json};

use crate::{
    domain::limits::Limit,
    http::{
        body::Body,
        caller::{SignedIn, not_own_account},
        dto::profile::{Delete, Deleted, ProfileSchema, ProfileUpdate},
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::{client, spend},
        problem::Problem,
        refusals::{BODY, Refused, SIGNED_IN},
    },
    service::{
        authenticate::Caller,
        erase_account::{erase_account, prove_owner},
        profile::profile,
        update_profile::update_profile,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct ProfileApi;

const UPDATE: Codes = codes([
    ErrorCode::ReadOnly,
    ErrorCode::VersionConflict,
    ErrorCode::UsernameTaken,
    ErrorCode::PhoneIsSecondFactor,
    ErrorCode::InsufficientUserAuthentication,
]);
const DELETE: Codes = codes([
    ErrorCode::WrongPassword,
    ErrorCode::InsufficientUserAuthentication,
    ErrorCode::TooManyTries,
]);

#[OpenApi]
impl ProfileApi {
    /// One's own profile
    ///
    /// Opened for its owner alone.
    #[oai(path = "/", method = "get", operation_id = "profile")]
    async fn profile(&self, signed_in: SignedIn) -> Result<Json<ProfileSchema>, Refused<SIGNED_IN>> {
        Ok(Json(
            profile(&signed_in.population.core, &signed_in.caller).await?.into(),
        ))
    }

    /// Change one's own profile
    ///
    /// Any of its fields; `null` removes an optional one, and what only the service changes may be sent back as it is.
    /// Another address takes effect when the link mailed to it is confirmed; another number is unverified at once. Both
    /// need a sign-in of the last five minutes.
    #[oai(path = "/update", method = "put", operation_id = "update")]
    async fn update(
        &self,
        signed_in: SignedIn,
        body: Body<ProfileUpdate>,
    ) -> Result<Json<ProfileSchema>, Refused<{ SIGNED_IN | BODY | UPDATE }>> {
        let (core, caller) = (&signed_in.population.core, &signed_in.caller);
        let shown: ProfileSchema = profile(core, caller).await?.into();
        let changed = body.0.changed_read_only(&shown);
        if !changed.is_empty() {
            return Err(Problem::new(ErrorCode::ReadOnly).with_errors(changed).into());
        }
        let (account, security) = update_profile(core, caller, &body.0.update).await?;
        let session_id = caller.session_id.clone();
        let now = Caller {
            account,
            security,
            session_id,
            session_epoch: caller.session_epoch,
            authenticated_at: caller.authenticated_at,
        };
        Ok(Json(profile(core, &now).await?.into()))
    }

    /// Delete one's own account
    ///
    /// Proven by the password, or by a sign-in of the last five minutes. The account's keys are destroyed: no copy of the
    /// database opens its data any more. The receipt says what was erased, and when.
    #[oai(path = "/delete", method = "delete", operation_id = "delete")]
    async fn delete(
        &self,
        request: &Request,
        signed_in: SignedIn,
        body: Body<Delete>,
    ) -> Result<Json<Deleted>, Refused<{ SIGNED_IN | BODY | DELETE }>> {
        let is_own_id = body
            .0
            .id
            .as_ref()
            .is_none_or(|id| *id == signed_in.caller.account.id.as_str());
        let is_own_email = body.0.email.as_ref().is_none_or(|email| signed_in.is_own_email(email));
        if !is_own_id || !is_own_email {
            return Err(not_own_account().into());
        }
        let (population, caller) = (&signed_in.population, &signed_in.caller);
        prove_owner(&population.core, caller, body.0.password).await?;
        // Refused ones don't count.
        let client = client(request);
        spend(request, population, "/delete, accepted", &client, Limit::Delete).await?;
        let receipt = erase_account(&population.core, caller).await?;
        Ok(Json(Deleted {
            message: "Your account and everything in it is deleted.".to_owned(),
            receipt,
        }))
    }
}
