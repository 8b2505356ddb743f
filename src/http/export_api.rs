//! Everything that is kept of one's own account.

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query, payload::Json};

use crate::{
    domain::{ids::AuditId, limits::Limit},
    http::{
        caller::SignedIn,
        dto::export::ExportSchema,
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::spend,
        problem::{FieldProblem, Problem},
        refusals::{Refused, SIGNED_IN, stale_sign_in},
    },
    service::{export_account::export_account, fresh::is_fresh},
};

/// The routes.
#[derive(Clone, Debug)]
pub struct ExportApi;

const EXPORT: Codes = codes([ErrorCode::InsufficientUserAuthentication, ErrorCode::ValidationFailed]);

/// A document to be kept.
#[derive(ApiResponse)]
enum ExportResponse {
    /// What is kept of the account.
    #[oai(status = 200)]
    Exported(
        Json<ExportSchema>,
        /// A file's name, for browsers.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

#[OpenApi]
impl ExportApi {
    /// Everything that is kept of one's own account
    ///
    /// The account's data and its audit trail, to read and to take along (GDPR, articles 15 and 20). Needs a sign-in of the
    /// last five minutes. Nothing in it lets anybody in. The audit comes in parts of 10,000 events: `audit_next` goes back as
    /// `audit_after`.
    #[oai(path = "/export", method = "get", operation_id = "export")]
    async fn export(
        &self,
        request: &Request,
        signed_in: SignedIn,
        /// `audit_next` of the export before: the audit begins after that event.
        audit_after: Query<Option<String>>,
    ) -> Result<ExportResponse, Refused<{ SIGNED_IN | EXPORT }>> {
        let (population, caller) = (&signed_in.population, &signed_in.caller);
        let after = audit_after.0.map(|text| text.parse::<AuditId>()).transpose();
        let after = after.map_err(|_| {
            Problem::of_fields(vec![FieldProblem {
                field: "audit_after".to_owned(),
                code: "invalid".to_owned(),
                detail: "Send `audit_next` of the export before.".to_owned(),
            }])
        })?;
        if !is_fresh(&population.core, caller).await? {
            return Err(stale_sign_in().into());
        }
        // Refused ones don't count.
        let account = caller.account.id.as_str();
        spend(request, population, "/export, given out", account, Limit::Export).await?;
        let export = export_account(&population.core, caller, after.as_ref()).await?;
        let name = format!("attachment; filename=\"account-{account}.json\"");
        // As every answer, it says that nobody else is to keep it.
        Ok(ExportResponse::Exported(Json(export.into()), name))
    }
}
