//! The second factor: set up, confirmed, shown, replaced, turned off.

use poem::{Request, web::Data};
use poem_openapi::{ApiResponse, OpenApi, payload::Json};

use crate::{
    domain::private::Private,
    http::{
        body::Body,
        caller::{MaybeSignedIn, SignedIn},
        device,
        dto::{
            Message,
            second_factor::{ConfirmTotp, EnrolTotp, RecoveryCodes, TotpConfirmed, TotpEnrolment, VerifyMfa},
        },
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::Identity,
        pages::Pages,
        population::Population,
        problem::Problem,
        refusals::{BODY, Refused, SIGNED_IN, missing_token},
        sessions_api::LoginResponse,
    },
    service::second_factor::{
        confirm::{Confirmed, confirm},
        disable::disable,
        due::read_token,
        enrol::{EnrolError, Enroller, enrol},
        recovery_codes::replace_recovery_codes,
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
const MANDATORY: Codes = codes([ErrorCode::MfaMandatory]);

/// The second factor is on.
#[derive(ApiResponse)]
enum ConfirmResponse {
    /// Recovery codes, and the session where a sign-in waited for it.
    #[oai(status = 200)]
    On(
        Json<TotpConfirmed>,
        /// Where a sign-in waited: makes the device known, as after `/login`.
        #[oai(header = "X-Device-Token")]
        Option<String>,
    ),
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
        let Confirmed {
            recovery_codes,
            started,
        } = confirm(&population.core, &who, &code, &device.0).await?;
        let (tokens, device) = match started {
            Some(started) => (Some(started.pair.into()), started.device),
            None => (None, None),
        };
        let confirmed = TotpConfirmed {
            message:
                "From now on signing in takes a code of your app, too. Keep the recovery codes safe: each lets you in \
                      once without it."
                    .to_owned(),
            recovery_codes: shown(&recovery_codes),
            tokens,
        };
        Ok(ConfirmResponse::On(
            Json(confirmed),
            device.map(|token| token.expose().to_owned()),
        ))
    }

    /// Sign in: the second half
    ///
    /// With the `mfa_token` that `/login` answered and a code of the authenticator app, or one of the recovery codes. Each is
    /// good once; ten wrong ones in an hour are all that is compared.
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
        Ok(verify(core, user_type, token.expose(), &proof, &device.0).await?.into())
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
    /// All other sessions end, the recovery codes are worth nothing any more, and the owner gets a mail. Needs a sign-in of
    /// the last five minutes; 409 `mfa_mandatory` where the user type wants a second factor.
    #[oai(path = "/mfa/totp", method = "delete", operation_id = "mfa_disable_totp")]
    async fn disable_totp(
        &self,
        signed_in: SignedIn,
    ) -> Result<Json<Message>, Refused<{ SIGNED_IN | FRESH | NOT_ENABLED | MANDATORY }>> {
        disable(&signed_in.population.core, &signed_in.caller).await?;
        Ok(Json(Message {
            message: "From now on signing in takes your password alone.".to_owned(),
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

fn shown(codes: &[Private]) -> Vec<String> {
    codes.iter().map(|code| code.expose().to_owned()).collect()
}
