//! Signing in by mail: asked for, its link, its end. No cookie: what binds it to the device that asked is the challenge that
//! the device was answered, so that an app of any origin, or of none, keeps it where it keeps its tokens.

use minijinja::context;
use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Query,
    payload::{Html, Json},
};

use crate::{
    domain::{challenge::Purpose, email_sign_in::SignInCode, limits::Limit},
    http::{
        body::Body,
        device,
        dto::{
            Address, Verify,
            email_sign_in::{EmailSignInAsked, EmailSignInCode, VerifyEmailSignIn},
        },
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::{client, spend},
        negotiate::prefers_html,
        pages::Pages,
        population::Population,
        problem::Problem,
        refusals::{BODY, LINK, Refused, internal},
        sessions_api::LoginResponse,
    },
    service::email_sign_in::{
        ask::ask_email_sign_in,
        link::{ShownCode, check_link, show_code},
        verify::{EmailSignInAttempt, verify_email_sign_in},
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct EmailSignInApi;

/// What who asked is told.
pub const ASKED: &str =
    "If this address has an account, a mail is on its way. What it brings works on this device alone.";
/// What stands beside a code that a link shows.
pub const SHOWN: &str =
    "Type this code in where you asked to sign in, and nowhere else. Nobody of ours ever asks you for it.";

/// Where the user type has no sign-in by mail.
const OFF: Codes = codes([ErrorCode::NotFound]);
const CODE: Codes = codes([
    ErrorCode::CodeInvalid,
    ErrorCode::MfaRequired,
    ErrorCode::MfaEnrolmentRequired,
]);

/// Done, or will be.
#[derive(ApiResponse)]
enum AskedResponse {
    /// The same for every address, known or not.
    #[oai(status = 202)]
    Accepted(Json<EmailSignInAsked>),
}

/// A page for a person, the code for a program.
#[derive(ApiResponse)]
enum ShownResponse {
    /// The code.
    #[oai(status = 200)]
    Code(Json<EmailSignInCode>),
    /// The same as a page.
    #[oai(status = 200)]
    Page(Html<String>),
}

#[OpenApi]
impl EmailSignInApi {
    /// Ask for a mail to sign in with
    ///
    /// The same answer for every address, and nobody is looked up for it. Where the address has an account that is in use, a
    /// mail brings a code, a link, or both, as the user type is set; it works once, for ten minutes, for who holds the
    /// `challenge` of this answer, and the mail before it works no more. A mailbox gets so many in an hour. 404 where
    /// the user type has no sign-in by mail, which is so unless it was turned on.
    #[oai(path = "/login/email", method = "post", operation_id = "email_sign_in")]
    async fn ask(
        &self,
        request: &Request,
        population: Population,
        body: Body<Address>,
    ) -> Result<AskedResponse, Refused<{ BODY | OFF }>> {
        there(&population)?;
        let email = body.0.0;
        let subject = format!("{} {}", email.index_form(), client(request));
        let route = "/login/email of an address by a client";
        spend(request, &population, route, &subject, Limit::SignInMailsOfClient).await?;
        let challenge = ask_email_sign_in(&population.core, &population.user_type, &email).await?;
        Ok(AskedResponse::Accepted(Json(EmailSignInAsked {
            message: ASKED.to_owned(),
            challenge: challenge.expose().to_owned(),
            expires_in: Purpose::EmailSignIn.lifetime().as_secs(),
        })))
    }

    /// Sign in by what was mailed
    ///
    /// With the `challenge` of the device that asked, and the `code` of the mail or of its link's page; an app that its own
    /// links open in sends the link's `token` in place of the code. Answers what `/login` answers: a second factor that is on, or
    /// needed, is due after it just as after the password. The token's `amr` is `otp` (RFC 8176: a password for one time), one
    /// factor, never `pwd`. Of one challenge five codes are compared; wrong, late, used or replaced, and another device's, all are 400
    /// `code_invalid`. It is a sign-in, and no password: `/reauthenticate` and changing the password ask for that as ever.
    #[oai(path = "/login/email/verify", method = "post", operation_id = "email_sign_in_verify")]
    async fn verify(
        &self,
        population: Population,
        device: device::From,
        body: Body<VerifyEmailSignIn>,
    ) -> Result<LoginResponse, Refused<{ BODY | OFF | CODE }>> {
        there(&population)?;
        let Population { core, user_type } = &population;
        let VerifyEmailSignIn {
            challenge,
            shown,
            remember,
        } = body.0;
        let attempt = EmailSignInAttempt {
            challenge,
            shown,
            remember,
            device: device.0,
        };
        Ok(verify_email_sign_in(core, user_type, attempt).await?.into())
    }

    /// Open the link of a sign-in
    ///
    /// A page with a button that posts the token; nothing is used up by opening it, and nobody is signed in. A link that would
    /// not be taken is refused at once.
    #[oai(path = "/login/email/link", method = "get", operation_id = "email_sign_in_page")]
    async fn open_link(
        &self,
        request: &Request,
        population: Population,
        /// What the mailed link carries.
        token: Query<Option<String>>,
    ) -> Result<Html<String>, Refused<{ LINK | OFF }>> {
        there(&population)?;
        let token = token.0.unwrap_or_default();
        check_link(&population.core, &population.user_type, &token).await?;
        let pages = request.data::<Pages>().ok_or_else(internal)?;
        // Relative: a proxy may serve the page under a path of its own.
        let values = context! { token, action => "link" };
        Ok(Html(pages.render(
            Some(&population.user_type),
            "pages/sign_in_link.html",
            values,
        )?))
    }

    /// Show the code of a link
    ///
    /// Uses the link up and answers its code, to be typed in where the sign-in was asked for. Signs nobody in: without that
    /// device's `challenge` the code is worth nothing.
    #[oai(path = "/login/email/link", method = "post", operation_id = "email_sign_in_link")]
    async fn use_link(
        &self,
        request: &Request,
        population: Population,
        body: Body<Verify>,
    ) -> Result<ShownResponse, Refused<{ BODY | LINK | OFF }>> {
        there(&population)?;
        let Population { core, user_type } = &population;
        // Who fills in what people don't see is shown a code, and it is nobody's.
        let shown = if body.0.is_robot {
            population.flag_robot().await;
            ShownCode {
                code: SignInCode::make(&*core.entropy),
                expires_in: Purpose::EmailSignIn.lifetime(),
            }
        } else {
            show_code(core, user_type, body.0.token.expose()).await?
        };
        let code = shown.code.expose();
        match request.data::<Pages>() {
            Some(pages) if prefers_html(request) => Ok(ShownResponse::Page(Html(pages.render(
                Some(user_type),
                "pages/sign_in_code.html",
                context! { code, message => SHOWN },
            )?))),
            _ => Ok(ShownResponse::Code(Json(EmailSignInCode {
                message: SHOWN.to_owned(),
                code: code.to_owned(),
                expires_in: shown.expires_in.as_secs(),
            }))),
        }
    }
}

/// Whether the user type has it.
fn there(population: &Population) -> Result<(), Problem> {
    if population.core.settings(&population.user_type).email_sign_in.is_on() {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::NotFound).with_detail("One does not sign in by mail here."))
}
