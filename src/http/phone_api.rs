//! Codes to one's phone.

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query, payload::Json};

use crate::{
    domain::challenge::Purpose,
    http::{
        body::Body,
        caller::SignedIn,
        dto::{
            Message,
            phone::{CodeSent, OtpPhone, VerifyOtp},
        },
        error_code::{Codes, ErrorCode, codes},
        idempotent::IdempotencyHeader,
        middleware::rate_limit::{client, note},
        problem::Problem,
        refusals::{BODY, IDEMPOTENT, Refused, SIGNED_IN},
    },
    service::phone_codes::{VerifyCodeError, send_code, verify_code},
};

/// The routes.
#[derive(Clone, Debug)]
pub struct PhoneApi;

/// The code is on its way.
#[derive(ApiResponse)]
enum CodeSentResponse {
    /// The code is on its way.
    #[oai(status = 202)]
    Accepted(Json<CodeSent>),
}

const SEND_CODE: Codes = codes([
    ErrorCode::PhoneMissing,
    ErrorCode::PhoneNotTextable,
    ErrorCode::PhoneIsSecondFactor,
    ErrorCode::CodeSentRecently,
    ErrorCode::TextsPaused,
    ErrorCode::InsufficientUserAuthentication,
]);
const VERIFY_CODE: Codes = codes([ErrorCode::CodeInvalid]);

#[OpenApi]
impl PhoneApi {
    /// Send a code to one's phone
    ///
    /// To the profile's number, or to another that becomes the profile's, unverified. The answer names the code and never
    /// holds it. Codes are spaced out: a minute after the first, then twice as long each time.
    #[oai(path = "/otp_phone", method = "post", operation_id = "otp_phone")]
    async fn otp_phone(
        &self,
        request: &Request,
        signed_in: SignedIn,
        idempotency: IdempotencyHeader,
        body: Body<OtpPhone>,
    ) -> Result<CodeSentResponse, Refused<{ SIGNED_IN | BODY | IDEMPOTENT | SEND_CODE }>> {
        let (core, caller) = (&signed_in.population.core, &signed_in.caller);
        let population = &signed_in.population;
        let (guarded, done) = idempotency
            .begin(population, "/otp_phone", Some(caller.account.id.as_str()))
            .await?;
        let challenge = match done {
            Some(id) => id,
            None => {
                let sent = send_code(core, caller, &client(request), body.0.0.as_ref()).await;
                let id = sent.as_ref().ok().map(|sent| sent.challenge.to_string());
                IdempotencyHeader::end(population, &guarded, id.as_deref()).await;
                let sent = sent?;
                for (quota, spent) in sent.limits {
                    note(request, quota, spent);
                }
                sent.challenge.to_string()
            }
        };
        Ok(CodeSentResponse::Accepted(Json(CodeSent {
            message: "A code is on its way to your phone.".to_owned(),
            otp: challenge,
            expires_in: Purpose::VerifyPhone.lifetime().as_secs(),
        })))
    }

    /// Verify one's phone
    ///
    /// Five tries a code, ten an hour.
    #[oai(path = "/verify_otp_phone", method = "post", operation_id = "verify_otp_phone")]
    async fn verify_otp_phone(
        &self,
        signed_in: SignedIn,
        body: Body<VerifyOtp>,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | BODY | VERIFY_CODE }>> {
        Ok(verify(&signed_in, &body.0).await?)
    }

    /// Verify one's phone (GET)
    ///
    /// The same by GET.
    #[oai(
        path = "/verify_otp_phone",
        method = "get",
        operation_id = "verify_otp_phone_get",
        deprecated
    )]
    async fn verify_otp_phone_get(
        &self,
        signed_in: SignedIn,
        /// What `otp_phone` answered as `otp`.
        token: Query<Option<String>>,
        /// The six digits of the text.
        otp: Query<Option<String>>,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | VERIFY_CODE }>> {
        Ok(verify(&signed_in, &VerifyOtp::from_query(token.0.as_deref(), otp.0.as_deref())).await?)
    }
}

async fn verify(signed_in: &SignedIn, sent: &VerifyOtp) -> Result<Json<Message>, Problem> {
    let (Some(challenge), Some(code)) = (&sent.challenge, &sent.code) else {
        return Err(VerifyCodeError::Refused.into());
    };
    verify_code(&signed_in.population.core, &signed_in.caller, challenge, code).await?;
    Ok(Json(Message {
        message: "Your phone is verified.".to_owned(),
    }))
}
