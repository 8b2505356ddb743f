//! The second factor: set up, confirmed, shown, replaced, turned off.

use poem::{Request, web::Data};
use poem_openapi::{ApiResponse, OpenApi, payload::Json};

use crate::{
    domain::{challenge::Purpose, private::Private, second_factor::SecondFactor},
    http::{
        body::Body,
        caller::{MaybeSignedIn, SignedIn},
        device,
        dto::{
            Message,
            second_factor::{
                ConfirmSms, ConfirmTotp, EnrolTotp, FactorConfirmed, RecoveryCodes, SendSms, SmsSent, TotpEnrolment,
                VerifyMfa,
            },
        },
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::{Identity, client, note},
        pages::Pages,
        population::Population,
        problem::Problem,
        refusals::{BODY, Refused, SIGNED_IN, missing_token},
        sessions_api::LoginResponse,
    },
    service::second_factor::{
        confirm::{Confirmed, confirm},
        confirm_text::confirm_text,
        disable::disable,
        due::read_token,
        enrol::{EnrolError, Enroller, enrol},
        recovery_codes::replace_recovery_codes,
        text::send_text,
        verify::{VerifyError, verify},
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct SecondFactorApi;

const FRESH: Codes = codes([ErrorCode::InsufficientUserAuthentication]);
const TOKEN: Codes = codes([ErrorCode::MfaTokenInvalid]);
const CODE: Codes = codes([ErrorCode::CodeInvalid, ErrorCode::TooManyCodes]);
const NOT_ENABLED: Codes = codes([ErrorCode::MfaNotEnabled]);
const TEXT_FACTOR: Codes = codes([ErrorCode::MfaSmsNotAllowed, ErrorCode::PhoneNotVerified]);
const TEXT: Codes = codes([
    ErrorCode::PhoneNotTextable,
    ErrorCode::CodeSentRecently,
    ErrorCode::TextsPaused,
]);
const MANDATORY: Codes = codes([ErrorCode::MfaMandatory]);

/// The second factor is on.
#[derive(ApiResponse)]
enum ConfirmResponse {
    /// Recovery codes, and the session where a sign-in waited for it.
    #[oai(status = 200)]
    On(
        Json<FactorConfirmed>,
        /// Where a sign-in waited: makes the device known, as after `/login`.
        #[oai(header = "X-Device-Token")]
        Option<String>,
    ),
}

/// The text is on its way.
#[derive(ApiResponse)]
enum SmsSentResponse {
    /// The text is on its way.
    #[oai(status = 202)]
    Accepted(Json<SmsSent>),
}

#[OpenApi]
impl SecondFactorApi {
    /// Set an authenticator app up
    ///
    /// Answers a secret for any app that knows RFC 6238. It counts for nothing until `/mfa/totp/confirm` has its first code;
    /// an app that is in use goes on until then. Needs a sign-in of the last five minutes, or the `mfa_token` of a sign-in
    /// that was answered 403 `mfa_enrolment_required`.
    #[oai(path = "/mfa/totp", method = "post", operation_id = "mfa_enrol_totp")]
    async fn enrol_totp(
        &self,
        request: &Request,
        population: Population,
        signed_in: MaybeSignedIn,
        pages: Data<&Pages>,
        body: Body<EnrolTotp>,
    ) -> Result<Json<TotpEnrolment>, Refused<{ SIGNED_IN | BODY | FRESH | TOKEN }>> {
        let who = enroller(request, &population, &signed_in, body.0.0).await?;
        Ok(Json(enrol(&population.core, &who, pages.app_name()).await?.into()))
    }

    /// Turn the authenticator app on
    ///
    /// By its first code. Answers ten recovery codes, this once. All other sessions end, and the owner gets a mail. A sign-in
    /// that waited for it goes on: `tokens` has its session.
    #[oai(path = "/mfa/totp/confirm", method = "post", operation_id = "mfa_confirm_totp")]
    async fn confirm_totp(
        &self,
        request: &Request,
        population: Population,
        signed_in: MaybeSignedIn,
        device: device::From,
        body: Body<ConfirmTotp>,
    ) -> Result<ConfirmResponse, Refused<{ SIGNED_IN | BODY | FRESH | TOKEN | CODE }>> {
        let ConfirmTotp { code, token } = body.0;
        let who = enroller(request, &population, &signed_in, token).await?;
        let confirmed = confirm(&population.core, &who, &code, &device.0).await?;
        Ok(on(
            "From now on signing in takes a code of your app, too. Keep the recovery codes safe: each lets you in once \
             without it.",
            confirmed,
        ))
    }

    /// Send a code by text
    ///
    /// To the account's verified phone: for the second half of a sign-in with its `mfa_token`; for `/reauthenticate`, or to
    /// turn codes by text on, with the bearer token. It works for five minutes, once, and for that sign-in or session alone;
    /// another one replaces it. Codes are spaced out: a minute after the first, then twice as long each time.
    #[oai(path = "/mfa/sms", method = "post", operation_id = "mfa_send_sms")]
    async fn send_sms(
        &self,
        request: &Request,
        population: Population,
        signed_in: MaybeSignedIn,
        body: Body<SendSms>,
    ) -> Result<SmsSentResponse, Refused<{ SIGNED_IN | BODY | FRESH | TOKEN | NOT_ENABLED | TEXT_FACTOR | TEXT }>> {
        let who = enroller(request, &population, &signed_in, body.0.0).await?;
        for (quota, spent) in send_text(&population.core, &who, &client(request)).await? {
            note(request, quota, spent);
        }
        Ok(SmsSentResponse::Accepted(Json(SmsSent {
            message: "A code is on its way to your phone.".to_owned(),
            expires_in: Purpose::SecondFactor.lifetime().as_secs(),
        })))
    }

    /// Turn codes by text on
    ///
    /// By a code that `/mfa/sms` sent, where the user type allows them. Answers ten recovery codes, this once; those before
    /// are worth nothing any more. All other sessions end, and the owner gets a mail. A sign-in that waited for it goes on:
    /// `tokens` has its session. The number stays as it is until codes by text are turned off.
    #[oai(path = "/mfa/sms/confirm", method = "post", operation_id = "mfa_confirm_sms")]
    async fn confirm_sms(
        &self,
        request: &Request,
        population: Population,
        signed_in: MaybeSignedIn,
        device: device::From,
        body: Body<ConfirmSms>,
    ) -> Result<ConfirmResponse, Refused<{ SIGNED_IN | BODY | FRESH | TOKEN | CODE | TEXT_FACTOR }>> {
        let ConfirmSms { code, token } = body.0;
        let who = enroller(request, &population, &signed_in, token).await?;
        let confirmed = confirm_text(&population.core, &who, &code, &device.0).await?;
        Ok(on(
            "From now on signing in takes a code by text, too. Keep the recovery codes safe: each lets you in once without \
             your phone.",
            confirmed,
        ))
    }

    /// Turn codes by text off
    ///
    /// All other sessions end, and the owner gets a mail; without another second factor the recovery codes are worth nothing
    /// any more. Needs a sign-in of the last five minutes; 409 `mfa_mandatory` where the user type wants a second factor and
    /// this is the last.
    #[oai(path = "/mfa/sms", method = "delete", operation_id = "mfa_disable_sms")]
    async fn disable_sms(
        &self,
        signed_in: SignedIn,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | FRESH | NOT_ENABLED | MANDATORY }>> {
        disable(&signed_in.population.core, &signed_in.caller, SecondFactor::Text).await?;
        Ok(Json(Message {
            message: "From now on signing in takes no code by text.".to_owned(),
        }))
    }

    /// Sign in: the second half
    ///
    /// With the `mfa_token` that `/login` answered and a code of the authenticator app (`code`), the code of a text that
    /// `/mfa/sms` sent (`sms_code`), or one of the recovery codes. Each is good once; ten wrong ones in an hour are all that
    /// is compared, five of one text.
    #[oai(path = "/mfa/verify", method = "post", operation_id = "mfa_verify")]
    async fn verify(
        &self,
        request: &Request,
        population: Population,
        device: device::From,
        body: Body<VerifyMfa>,
    ) -> Result<LoginResponse, Refused<{ BODY | TOKEN | CODE }>> {
        let (Population { core, user_type }, VerifyMfa { token, proof }) = (&population, body.0);
        let half = read_token(core, user_type, token.expose()).ok_or(VerifyError::TokenInvalid)?;
        Identity::spend(request, &population, half.account_id.as_str()).await?;
        Ok(verify(core, user_type, half, &proof, &device.0).await?.into())
    }

    /// Replace the recovery codes
    ///
    /// Answers ten new ones, this once; those before are worth nothing any more. All other sessions end, and the owner gets a
    /// mail. Needs a sign-in of the last five minutes.
    #[oai(path = "/mfa/recovery-codes", method = "post", operation_id = "mfa_recovery_codes")]
    async fn recovery_codes(
        &self,
        signed_in: SignedIn,
    ) -> Result<Json<RecoveryCodes>, Refused<{ SIGNED_IN | FRESH | NOT_ENABLED }>> {
        let codes = replace_recovery_codes(&signed_in.population.core, &signed_in.caller).await?;
        Ok(Json(RecoveryCodes {
            message: "Keep these codes safe. Those before are worth nothing any more.".to_owned(),
            recovery_codes: shown(&codes),
        }))
    }

    /// Turn the authenticator app off
    ///
    /// All other sessions end, and the owner gets a mail; without another second factor the recovery codes are worth nothing
    /// any more. Needs a sign-in of the last five minutes; 409 `mfa_mandatory` where the user type wants a second factor and
    /// this is the last.
    #[oai(path = "/mfa/totp", method = "delete", operation_id = "mfa_disable_totp")]
    async fn disable_totp(
        &self,
        signed_in: SignedIn,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | FRESH | NOT_ENABLED | MANDATORY }>> {
        disable(&signed_in.population.core, &signed_in.caller, SecondFactor::Totp).await?;
        Ok(Json(Message {
            message: "From now on signing in takes no code of an app.".to_owned(),
        }))
    }
}

/// Who is signed in, or else whose sign-in waits.
async fn enroller<'e>(
    request: &Request,
    population: &'e Population,
    signed_in: &'e MaybeSignedIn,
    token: Option<Private>,
) -> Result<Enroller<'e>, Problem> {
    if let Some(signed_in) = &signed_in.0 {
        return Ok(Enroller::SignedIn(&signed_in.caller));
    }
    let token = token.ok_or_else(missing_token)?;
    let half = read_token(&population.core, &population.user_type, token.expose()).ok_or(EnrolError::TokenInvalid)?;
    Identity::spend(request, population, half.account_id.as_str()).await?;
    Ok(Enroller::SigningIn(&population.user_type, half))
}

fn on(message: &str, confirmed: Confirmed) -> ConfirmResponse {
    let (tokens, device) = match confirmed.started {
        Some(started) => (Some(started.pair.into()), started.device),
        None => (None, None),
    };
    let shown = FactorConfirmed {
        message: message.to_owned(),
        recovery_codes: shown(&confirmed.recovery_codes),
        tokens,
    };
    ConfirmResponse::On(Json(shown), device.map(|token| token.expose().to_owned()))
}

fn shown(codes: &[Private]) -> Vec<String> {
    codes.iter().map(|code| code.expose().to_owned()).collect()
}
