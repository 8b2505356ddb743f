//! Create, verify, resend.

use poem::{IntoResponse as _, Request, Response, http::StatusCode};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Query,
    payload::{Html, Json},
};

use crate::{
    http::{
        body::Body,
        dto::{Address, Create, Created, Message, Verify},
        error_code::{ErrorCode, codes},
        idempotent::IdempotencyHeader,
        middleware::request_id::WasHead,
        negotiate::{is_api_client, prefers_html},
        pages::Pages,
        population::Population,
        problem::Problem,
        refusals::{BODY, IDEMPOTENT, LINK, Refused},
    },
    service::{
        Failure,
        confirm::{Confirmed, confirm},
        register::register,
        resend_confirmation::resend_confirmation,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct AccountsApi;

/// The registration waits for its link; the same for every address.
#[derive(ApiResponse)]
enum CreateResponse {
    /// The registration waits for its link. The same for every address, taken or not.
    #[oai(status = 201)]
    Created(Json<Created>),
}

/// Done, or will be.
#[derive(ApiResponse)]
enum AcceptedResponse {
    /// The same for every address, known or not.
    #[oai(status = 202)]
    Accepted(Json<Message>),
}

/// A page for a person, a message for a program.
#[derive(ApiResponse)]
enum LinkResponse {
    /// Done (a program), or a page with a button that does it (a person).
    #[oai(status = 200)]
    Message(Json<Message>),
    /// The page.
    #[oai(status = 200)]
    Page(Html<String>),
}

#[OpenApi]
impl AccountsApi {
    /// Register
    ///
    /// Makes a pending registration and mails its link. Until the link is used there is no account, and the answer is
    /// the same for an address that has one: its owner gets a mail, and the id leads nowhere.
    #[oai(path = "/create", method = "post", operation_id = "create")]
    async fn create(
        &self,
        population: Population,
        idempotency: IdempotencyHeader,
        body: Body<Create>,
    ) -> Result<CreateResponse, Refused<{ BODY | IDEMPOTENT | codes([ErrorCode::UsernameTaken]) }>> {
        let (guarded, done) = idempotency.begin(&population, "/create", None).await?;
        let id = match done {
            Some(id) => id,
            None => {
                let Create { person, password } = body.0;
                let registered = register(&population.core, &population.user_type, person, password).await;
                let id = registered.as_ref().ok().map(ToString::to_string);
                IdempotencyHeader::end(&population, &guarded, id.as_deref()).await;
                registered?.to_string()
            }
        };
        Ok(CreateResponse::Created(Json(Created {
            message: "Almost there: open the link in the mail that we sent you.".to_owned(),
            id,
            email: "[ENCRYPTED]".to_owned(),
        })))
    }

    /// Open a mailed link
    ///
    /// Confirms the address only for a client that asks for `application/json` and not for HTML; everything else,
    /// mail scanners included, gets a page with a button that posts the token.
    #[oai(path = "/verify", method = "get", operation_id = "verify_link")]
    async fn open_link(
        &self,
        request: &Request,
        population: Population,
        /// What the mailed link carries.
        token: Query<Option<String>>,
    ) -> Result<LinkResponse, Refused<LINK>> {
        let token = token.0.unwrap_or_default();
        if is_api_client(request) && request.data::<WasHead>().is_none() {
            return Ok(LinkResponse::Message(Json(use_link(&population, &token).await?)));
        }
        let pages = request
            .data::<Pages>()
            .ok_or(Failure::Hash)
            .map_err(|_| crate::http::refusals::internal())?;
        // Relative: a proxy may serve the page under a path of its own.
        Ok(LinkResponse::Page(Html(pages.verify(
            &population.user_type,
            &token,
            "verify",
        )?)))
    }

    /// Confirm an address
    ///
    /// Uses the token of a mailed link up and makes the account. Other registrations of the address are discarded.
    #[oai(path = "/verify", method = "post", operation_id = "verify")]
    async fn verify(
        &self,
        request: &Request,
        population: Population,
        body: Body<Verify>,
    ) -> Result<LinkResponse, Refused<{ BODY | LINK }>> {
        // Who fills in what people don't see is told that it worked.
        let message = if body.0.is_robot {
            population.flag_robot().await;
            Message {
                message: CONFIRMED.to_owned(),
            }
        } else {
            use_link(&population, body.0.token.expose()).await?
        };
        match request.data::<Pages>() {
            Some(pages) if prefers_html(request) => Ok(LinkResponse::Page(Html(pages.success(
                &population.user_type,
                "Address confirmed",
                &message.message,
            )?))),
            _ => Ok(LinkResponse::Message(Json(message))),
        }
    }

    /// Ask for the confirmation again
    ///
    /// The same answer for every address. Where a registration waits, its newest gets a new link, and the one mailed
    /// before stops working.
    #[oai(path = "/resend-verification", method = "post", operation_id = "resend_verification")]
    async fn resend_verification(
        &self,
        population: Population,
        body: Body<Address>,
    ) -> Result<AcceptedResponse, Refused<BODY>> {
        resend_confirmation(&population.core, &population.user_type, &body.0.0).await?;
        Ok(AcceptedResponse::Accepted(Json(Message {
            message: "If a registration waits for this address, a new mail is on its way.".to_owned(),
        })))
    }
}

const CONFIRMED: &str = "Your address is confirmed. You can sign in now.";

async fn use_link(population: &Population, token: &str) -> Result<Message, Problem> {
    let message = match confirm(&population.core, &population.user_type, token).await? {
        Confirmed::Now => CONFIRMED,
        Confirmed::Already => "This address is confirmed already. Sign in, or reset your password.",
    };
    Ok(Message {
        message: message.to_owned(),
    })
}

/// A problem of a link route as a page, where the client prefers one; the same status.
#[must_use]
pub fn problem_page(pages: &Pages, problem: &Problem) -> Response {
    match pages.problem(problem) {
        Ok(html) => problem.decorate(Html(html).into_response()),
        Err(_) => Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).finish(),
    }
}
