//! Sign in, refresh, sign out.

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, payload::Json};

use crate::{
    crypto::token_signer::CLIENT_ID,
    http::{
        body::Body,
        caller::{Presented, SignedIn},
        device,
        dto::{Login, Message, Refresh, Tokens, token::TokenClaims},
        error_code::{Codes, ErrorCode, codes},
        middleware::rate_limit::Identity,
        population::Population,
        refusals::{BODY, Refused, SIGNED_IN},
    },
    service::{
        authenticate::verify_token,
        refresh::{family, refresh},
        sessions::Started,
        sign_in::{SignIn, sign_in},
        sign_out::sign_out,
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct SessionsApi;

const LOGIN: Codes = codes([
    ErrorCode::InvalidCredentials,
    ErrorCode::EmailNotVerified,
    ErrorCode::MfaRequired,
    ErrorCode::MfaEnrolmentRequired,
    ErrorCode::TooManyTries,
]);
const TOKEN: Codes = codes([ErrorCode::MissingToken, ErrorCode::InvalidToken]);
const REFRESH: Codes = codes([ErrorCode::InvalidRefreshToken, ErrorCode::RefreshTokenReused]);

/// Signed in.
#[derive(ApiResponse)]
pub(in crate::http) enum LoginResponse {
    /// A pair of tokens, and what makes the device known.
    #[oai(status = 200)]
    SignedIn(
        Json<Tokens>,
        /// Send it along at the next sign-in from this device. Not there where the request had none, and the account knows
        /// the same program from the same network already: such a device is known without.
        #[oai(header = "X-Device-Token")]
        Option<String>,
    ),
}

impl From<Started> for LoginResponse {
    fn from(started: Started) -> Self {
        let device = started.device.map(|token| token.expose().to_owned());
        Self::SignedIn(Json(started.pair.into()), device)
    }
}

#[OpenApi]
impl SessionsApi {
    /// Sign in
    ///
    /// With address or username and password, as OAuth 2's password form or the same members in JSON. An unknown
    /// address and a wrong password get the same answer in the same time; the right password of a registration that
    /// still waits for its link is 403 `email_not_verified`. Where the account has a second factor it is 403 `mfa_required`
    /// with an `mfa_token` for `/mfa/verify`; where it needs one and has none, 403 `mfa_enrolment_required` with one for
    /// `/mfa/totp`. The answer's `X-Device-Token`, kept and sent along the next time, makes the device known: it is not held
    /// up by other people's wrong passwords, and the owner is not mailed about a new device.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        population: Population,
        device: device::From,
        body: Body<Login>,
    ) -> Result<LoginResponse, Refused<{ BODY | LOGIN }>> {
        let Population { core, user_type } = &population;
        let Login {
            identifier,
            password,
            remember,
        } = body.0;
        let attempt = SignIn {
            identifier,
            password,
            remember,
            device: device.0,
        };
        Ok(sign_in(core, user_type, attempt).await?.into())
    }

    /// Renew the tokens
    ///
    /// Uses the refresh token up and answers a new pair. The token before the current one gets the same pair again for
    /// a minute, for tabs that refresh together; any older one ends the session: 401 `refresh_token_reused`.
    #[oai(path = "/refresh-token", method = "post", operation_id = "refresh_token")]
    async fn refresh_token(
        &self,
        request: &Request,
        population: Population,
        body: Body<Refresh>,
    ) -> Result<Json<Tokens>, Refused<{ BODY | REFRESH }>> {
        if let Some(family) = family(&population.core, body.0.0.expose()) {
            Identity::spend(request, &population, family.as_str()).await?;
        }
        Ok(Json(
            refresh(&population.core, &population.user_type, body.0.0.expose())
                .await?
                .into(),
        ))
    }

    /// Check a token
    ///
    /// For other services: the claims of an access token that is good right now. Its session was not ended and its account
    /// not locked, deleted or given another password since; whether that is checked by the token's signature alone, they
    /// can do themselves.
    #[oai(path = "/verify-token", method = "get", operation_id = "verify_token")]
    async fn verify_token(&self, presented: Presented) -> Result<Json<TokenClaims>, Refused<TOKEN>> {
        let Population { core, user_type, .. } = &presented.population;
        let claims = verify_token(core, user_type, presented.token.expose()).await?;
        Ok(Json(TokenClaims::new(
            core.signer.issuer(user_type),
            CLIENT_ID,
            &claims,
        )))
    }

    /// Sign out
    ///
    /// Ends the session at once; its tokens are refused from then on, also after a restart.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, signed_in: SignedIn) -> Result<Json<Message>, Refused<SIGNED_IN>> {
        end(&signed_in).await
    }

    /// Sign out (GET)
    ///
    /// The same by GET.
    #[oai(path = "/logout", method = "get", operation_id = "logout_get")]
    async fn logout_get(&self, signed_in: SignedIn) -> Result<Json<Message>, Refused<SIGNED_IN>> {
        end(&signed_in).await
    }
}

async fn end(signed_in: &SignedIn) -> Result<Json<Message>, Refused<SIGNED_IN>> {
    sign_out(&signed_in.population.core, &signed_in.caller).await?;
    Ok(Json(Message {
        message: "You are signed out.".to_owned(),
    }))
}
