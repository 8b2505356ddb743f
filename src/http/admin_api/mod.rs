//! Administration. Every handler takes an [`Admin`] of the grant that its use case asks for; there is no other way to call
//! one.

mod account;
mod accounts;
mod actions;
mod trail;

pub use account::AdminAccountApi;
pub use accounts::AdminAccountsApi;
pub use actions::AdminActionsApi;
pub use trail::AdminTrailApi;

use poem::{Request, RequestBody};
use poem_openapi::{ApiExtractor, ExtractParamOptions};

use crate::{
    domain::ids::AccountId,
    http::{
        caller::{bearer, takes_bearer},
        dto::admin::AccountSummarySchema,
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::Identity,
        population::Population,
        problem::{FieldProblem, Problem},
        refusals::missing_token,
    },
    service::{
        admin::{Authorized, Denial, authorize::read_admin_token, grants::Grant, summary::AccountSummary},
        authenticate::{find_caller, note_if_forged},
    },
};

/// Somebody who may do `P` to the accounts of the route's user type, by the record of their own account.
#[derive(Debug)]
pub struct Admin<P> {
    /// The proof, which the use case takes.
    pub proof: Authorized<P>,
    /// The population and the service.
    pub population: Population,
}

impl<'a, P: Grant> ApiExtractor<'a> for Admin<P> {
    takes_bearer!();

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let population = Population::of(request)?;
        let token = bearer(request).ok_or_else(missing_token)?;
        let (core, user_type) = (&population.core, &population.user_type);
        let claims = match read_admin_token(core, user_type, token).await {
            Ok(claims) => claims,
            Err(refused) => {
                note_if_forged(core, user_type, token).await;
                return Err(Problem::from(refused).into());
            }
        };
        let own_type = claims.user_type.clone();
        let subject = format!("{own_type}/{}", claims.account_id);
        Identity::spend(request, &population, &subject).await?;
        let caller = find_caller(core, &own_type, claims).await.map_err(Problem::from)?;
        let proof = Authorized::prove(core, caller, user_type)
            .await
            .map_err(Problem::from)?;
        Ok(Self { proof, population })
    }
}

/// Of every route of the administration.
const ADMIN: Codes = codes([ErrorCode::MissingToken, ErrorCode::InvalidToken, ErrorCode::Forbidden]);
/// Of those about one account.
const ONE: Codes = codes([ErrorCode::AccountNotFound]);
/// Of those that change one.
const CHANGE: Codes = codes([ErrorCode::AccountNotFound, ErrorCode::OwnAccount]);
/// Of those that can't be undone.
const FRESH: Codes = codes([ErrorCode::InsufficientUserAuthentication]);
/// Of lists.
const LIST: Codes = codes([
    ErrorCode::MalformedParameter,
    ErrorCode::ValidationFailed,
    ErrorCode::CursorInvalid,
]);

/// The account that a path names. What is no id names none.
fn account_id(text: &str) -> Result<AccountId, Problem> {
    text.parse().map_err(|_| Denial::NotFound.into())
}

/// A parameter that is there and can't be what it should.
fn refused_parameter(field: &str, detail: &str) -> Problem {
    Problem::of_fields(vec![FieldProblem {
        field: field.to_owned(),
        code: "invalid".to_owned(),
        detail: detail.to_owned(),
    }])
}

fn shown(summary: AccountSummary) -> poem_openapi::payload::Json<AccountSummarySchema> {
    poem_openapi::payload::Json(summary.into())
}
