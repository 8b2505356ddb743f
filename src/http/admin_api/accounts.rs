//! All accounts: listed, and added to.

use poem_openapi::{ApiResponse, Enum, OpenApi, param::Query, payload::Json};

use super::{ADMIN, Admin, FRESH, LIST, account_id, refused_parameter};
use crate::{
    domain::{
        account::AccountStatus,
        email::Email,
        phone::Phone,
        private::{Private, Refusal},
    },
    http::{
        body::Body,
        dto::admin::{AccountList, AccountSummarySchema, Invite},
        error_code::{Codes, ErrorCode, codes},
        idempotent::IdempotencyHeader,
        problem::{FieldProblem, Problem},
        refusals::{BODY, IDEMPOTENT, Refused},
    },
    service::admin::{
        grants::{CreateAccount, ListAccounts},
        invite::{invite, invited},
        list::{Wanted, list_accounts},
        page::USUAL,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct AdminAccountsApi;

const INVITE: Codes = codes([ErrorCode::AddressTaken, ErrorCode::UsernameTaken]);

/// Which accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum StatusFilter {
    /// In use.
    Active,
    /// Closed until unlocked.
    Locked,
}

impl From<StatusFilter> for AccountStatus {
    fn from(filter: StatusFilter) -> Self {
        match filter {
            StatusFilter::Active => Self::Active,
            StatusFilter::Locked => Self::Locked,
        }
    }
}

/// The account waits for its owner.
#[derive(ApiResponse)]
enum InviteResponse {
    /// The account is made, and its invitation on its way.
    #[oai(status = 201)]
    Invited(Json<AccountSummarySchema>),
}

#[OpenApi]
impl AdminAccountsApi {
    /// List accounts
    ///
    /// In order of id, without personal data. An address or a number finds whose it is, exactly. Takes `accounts.list`.
    #[oai(path = "/admin/accounts", method = "get", operation_id = "admin_accounts")]
    async fn list(
        &self,
        admin: Admin<ListAccounts>,
        /// `next` of the page before, within an hour, with the same filters.
        cursor: Query<Option<String>>,
        /// Accounts of a page: 50 unless said.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// Of that status only.
        status: Query<Option<StatusFilter>>,
        /// Whose address that is.
        email: Query<Option<String>>,
        /// Whose number that is: `+` (written as `%2B`) and 7 to 15 digits.
        phone: Query<Option<String>>,
    ) -> Result<Json<AccountList>, Refused<{ ADMIN | LIST }>> {
        let wanted = Wanted {
            status: status.0.map(Into::into),
            email: parsed("email", email.0, Email::parse)?,
            phone: parsed("phone", phone.0, |text| Phone::parse(text, None))?,
        };
        let core = &admin.population.core;
        let limit = limit.0.unwrap_or(USUAL);
        let page = list_accounts(core, &admin.proof, &wanted, cursor.0.as_deref(), limit).await?;
        Ok(Json(page.into()))
    }

    /// Invite somebody
    ///
    /// Makes an account without a password and mails its owner the link that sets one, good for three days. Nobody signs in to
    /// it before. Takes `accounts.create`; another role than `user` also `roles.assign` and a sign-in of the last five minutes.
    #[oai(path = "/admin/accounts", method = "post", operation_id = "admin_invite")]
    async fn invite(
        &self,
        admin: Admin<CreateAccount>,
        idempotency: IdempotencyHeader,
        body: Body<Invite>,
    ) -> Result<InviteResponse, Refused<{ ADMIN | BODY | IDEMPOTENT | FRESH | INVITE }>> {
        let (core, population) = (&admin.population.core, &admin.population);
        let name = admin.proof.name();
        let (guarded, done) = idempotency.begin(population, "/admin/accounts", Some(&name)).await?;
        let summary = match done {
            Some(id) => invited(core, &admin.proof, &account_id(&id)?).await?,
            None => {
                let Invite { person, role } = body.0;
                let made = invite(core, &admin.proof, &person, role).await;
                let id = made.as_ref().ok().map(|summary| summary.id.as_str());
                IdempotencyHeader::end(population, &guarded, id).await;
                made?
            }
        };
        Ok(InviteResponse::Invited(Json(summary.into())))
    }
}

/// A parameter that may be there; what it holds is wiped.
fn parsed<T, E: Refusal>(
    name: &str,
    text: Option<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text.map(Private::new) else {
        return Ok(None);
    };
    if text.expose().is_empty() {
        return Err(refused_parameter(name, "Leave it out, or say whose."));
    }
    let parsed = parse(text.expose()).map(Some);
    parsed.map_err(|refusal| Problem::of_fields(vec![FieldProblem::of(name, &refusal)]))
}
