//! A forgotten password.

use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Query,
    payload::{Html, Json},
};

use crate::{
    domain::{email::Email, limits::Limit, password::PasswordPolicy},
    http::{
        body::Body,
        device,
        dto::{Address, Message, recovery::Reset},
        error_code::{ErrorCode, codes},
        middleware::rate_limit::{client, spend},
        negotiate::prefers_html,
        pages::Pages,
        population::Population,
        problem::{FieldProblem, Problem},
        refusals::{BODY, LINK, Refused, internal},
    },
    service::{
        forget_password::forget_password,
        reset_password::{check_link, reset_password},
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct RecoveryApi;

/// Done, or will be.
#[derive(ApiResponse)]
enum AskedResponse {
    /// The same for every address, known or not.
    #[oai(status = 202)]
    Accepted(Json<Message>),
    /// The same as a page.
    #[oai(status = 202)]
    Page(Html<String>),
}

/// A page for a person, a message for a program.
#[derive(ApiResponse)]
enum ResetResponse {
    /// The password is set.
    #[oai(status = 200)]
    Message(Json<Message>),
    /// The same as a page.
    #[oai(status = 200)]
    Page(Html<String>),
}

#[OpenApi]
impl RecoveryApi {
    /// Ask for a new password
    ///
    /// The same answer for every address. Where it has an account, a link is mailed that works once, for 30 minutes; a mailbox
    /// that others had links mailed to lately gets no more for a while, and the last one stays good.
    #[oai(path = "/forget_password", method = "post", operation_id = "forget_password")]
    async fn forget_password(
        &self,
        request: &Request,
        population: Population,
        body: Body<Address>,
    ) -> Result<AskedResponse, Refused<BODY>> {
        Ok(ask(request, &population, &body.0.0).await?)
    }

    /// Ask for a new password (GET)
    ///
    /// The same by GET.
    #[oai(
        path = "/forget_password",
        method = "get",
        operation_id = "forget_password_get",
        deprecated
    )]
    async fn forget_password_get(
        &self,
        request: &Request,
        population: Population,
        /// The address, known or not.
        email: Query<Option<String>>,
    ) -> Result<AskedResponse, Refused<{ codes([ErrorCode::ValidationFailed]) }>> {
        let email =
            Email::parse(email.0.as_deref().unwrap_or_default()).map_err(|refusal| invalid("email", &refusal))?;
        Ok(ask(request, &population, &email).await?)
    }

    /// The form for a new password
    ///
    /// A page; the link's token is not used up. A link that would not be taken is refused at once.
    #[oai(path = "/reset_password_form", method = "get", operation_id = "reset_password_form")]
    async fn reset_password_form(
        &self,
        request: &Request,
        population: Population,
        /// What the mailed link carries.
        token: Query<Option<String>>,
    ) -> Result<Html<String>, Refused<LINK>> {
        let token = token.0.unwrap_or_default();
        check_link(&population.core, &population.user_type, &token).await?;
        let pages = request.data::<Pages>().ok_or_else(internal)?;
        let rules = match population.core.settings(&population.user_type).password_rules.policy {
            PasswordPolicy::Default => {
                "8 to 128 characters, with an upper-case and a lower-case letter, a digit and something else."
            }
            PasswordPolicy::Nist { .. } => "15 to 128 characters. Several words make a good password.",
        };
        // Relative: a proxy may serve the page under a path of its own.
        let action = "reset_password";
        let values = minijinja::context! { token, action, rules };
        Ok(Html(pages.render(
            Some(&population.user_type),
            "pages/reset.html",
            values,
        )?))
    }

    /// Set a new password
    ///
    /// Uses the token of a mailed link up, sets the password and ends every session.
    #[oai(path = "/reset_password", method = "post", operation_id = "reset_password")]
    async fn reset_password(
        &self,
        request: &Request,
        population: Population,
        device: device::From,
        /// The link's token, if it does not stand in the body.
        token: Query<Option<String>>,
        body: Body<Reset>,
    ) -> Result<ResetResponse, Refused<{ BODY | LINK }>> {
        let token = body
            .0
            .token
            .as_ref()
            .map(|token| token.expose().to_owned())
            .or(token.0)
            .unwrap_or_default();
        if body.0.is_robot {
            population.flag_robot().await;
        } else {
            let Population { core, user_type } = &population;
            reset_password(core, user_type, &token, &body.0.password, &device.0).await?;
        }
        let message = "Your new password is set. Everybody who was signed in has been signed out.";
        match request.data::<Pages>() {
            Some(pages) if prefers_html(request) => Ok(ResetResponse::Page(Html(pages.success(
                &population.user_type,
                "Password set",
                message,
            )?))),
            _ => Ok(ResetResponse::Message(Json(Message {
                message: message.to_owned(),
            }))),
        }
    }
}

async fn ask(request: &Request, population: &Population, email: &Email) -> Result<AskedResponse, Problem> {
    let subject = format!("{} {}", email.index_form(), client(request));
    let route = "/forget_password of an address by a client";
    spend(request, population, route, &subject, Limit::ResetLinksOfClient).await?;
    forget_password(&population.core, &population.user_type, email).await?;
    let message = "If this address has an account, a mail is on its way.";
    match request.data::<Pages>() {
        Some(pages) if prefers_html(request) => Ok(AskedResponse::Page(Html(pages.success(
            &population.user_type,
            "Look into your mailbox",
            message,
        )?))),
        _ => Ok(AskedResponse::Accepted(Json(Message {
            message: message.to_owned(),
        }))),
    }
}

fn invalid(field: &str, refusal: &dyn crate::domain::private::Refusal) -> Problem {
    Problem::of_fields(vec![FieldProblem::of(field, refusal)])
}
