//! A caller who proved who they are: the only way to routes that need one is to take a [`SignedIn`].

use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ExtractParamOptions,
    registry::{MetaOAuthFlow, MetaOAuthFlows, MetaSecurityScheme},
};

use crate::{
    crypto::blind_index::BlindIndexer,
    domain::{email::Email, phone::Phone, private::Private},
    http::{
        error_code::ErrorCode, middleware::rate_limit::Identity, population::Population, problem::Problem,
        refusals::missing_token,
    },
    service::authenticate::{Caller, find_caller, note_if_forged, read_token},
};

/// The scheme's name before it is made one per user type.
pub const SCHEME: &str = "Token";

/// What every extractor of a bearer token tells the document of itself.
macro_rules! takes_bearer {
    () => {
        const TYPES: &'static [poem_openapi::ApiExtractorType] = &[poem_openapi::ApiExtractorType::SecurityScheme];
        type ParamType = ();
        type ParamRawType = ();

        fn security_schemes() -> Vec<&'static str> {
            vec![$crate::http::caller::SCHEME]
        }

        fn register(registry: &mut poem_openapi::registry::Registry) {
            registry.create_security_scheme(
                $crate::http::caller::SCHEME,
                $crate::http::caller::scheme("login"),
            );
        }
    };
}
pub(in crate::http) use takes_bearer;

/// The caller, and the population they belong to.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub caller: Caller,
    /// Of which population.
    pub population: Population,
}

impl<'a> ApiExtractor<'a> for SignedIn {
    takes_bearer!();

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let population = Population::of(request)?;
        let token = bearer(request).ok_or_else(missing_token)?;
        let (core, user_type) = (&population.core, &population.user_type);
        let claims = match read_token(core, user_type, token).await {
            Ok(claims) => claims,
            Err(refused) => {
                note_if_forged(core, user_type, token).await;
                return Err(Problem::from(refused).into());
            }
        };
        Identity::spend(request, &population, claims.account_id.as_str()).await?;
        let caller = find_caller(core, user_type, claims).await.map_err(Problem::from)?;
        let signed_in = Self { caller, population };
        signed_in.refuse_others(request)?;
        Ok(signed_in)
    }
}

/// The caller where a bearer token came, for a route that takes another proof in the body as well.
#[derive(Debug)]
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl<'a> ApiExtractor<'a> for MaybeSignedIn {
    takes_bearer!();

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        // Two of them, or one of another scheme, is no token, and refused as such.
        if request.headers().contains_key(header::AUTHORIZATION) {
            return Ok(Self(Some(SignedIn::from_request(request, body, options).await?)));
        }
        Ok(Self(None))
    }
}

impl SignedIn {
    /// Old clients name an account in the query: theirs is accepted, another's is 403.
    fn refuse_others(&self, request: &Request) -> Result<(), Problem> {
        let query = request.uri().query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_own = match name.as_ref() {
                "id" => value == self.caller.account.id.as_str(),
                "email" => Email::parse(&value).is_ok_and(|email| self.is_own_email(&email)),
                "phone" => Phone::parse(&value, None).is_ok_and(|phone| self.is_own_phone(&phone)),
                _ => true,
            };
            if !is_own {
                return Err(not_own_account());
            }
        }
        Ok(())
    }

    /// Whether it is the caller's own address.
    #[must_use]
    pub fn is_own_email(&self, email: &Email) -> bool {
        let (keyring, slots) = (
            self.population.core.keyring.current(),
            self.caller.security.slots.email_candidates(),
        );
        BlindIndexer::new(&keyring, &self.population.user_type)
            .find_email(email)
            .is_ok_and(|candidates| candidates.iter().any(|candidate| slots.contains(candidate)))
    }

    fn is_own_phone(&self, phone: &Phone) -> bool {
        let (keyring, slots) = (
            self.population.core.keyring.current(),
            self.caller.security.slots.phone_candidates(),
        );
        BlindIndexer::new(&keyring, &self.population.user_type)
            .find_phone(phone)
            .is_ok_and(|candidates| candidates.iter().any(|candidate| slots.contains(candidate)))
    }
}

/// The request names an account that is not the caller's.
#[must_use]
pub fn not_own_account() -> Problem {
    Problem::new(ErrorCode::NotOwnAccount)
}

/// A token that somebody presented and nobody checked yet, for a route that needs nothing of its account.
#[derive(Debug)]
pub struct Presented {
    /// As it came.
    pub token: Private,
    /// Of which population.
    pub population: Population,
}

impl<'a> ApiExtractor<'a> for Presented {
    takes_bearer!();

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let population = Population::of(request)?;
        let token = bearer(request).ok_or_else(missing_token)?;
        Ok(Self {
            token: Private::new(token.to_owned()),
            population,
        })
    }
}

/// The password flow of OAuth 2, so that Swagger UI can sign in.
#[must_use]
pub fn scheme(token_url: &'static str) -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "oauth2",
        description: Some("Sign in with address (or username) and password; the token goes into `Authorization`."),
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: Some(MetaOAuthFlows {
            implicit: None,
            password: Some(MetaOAuthFlow {
                authorization_url: None,
                token_url: Some(token_url),
                refresh_url: None,
                scopes: Vec::new(),
            }),
            client_credentials: None,
            authorization_code: None,
        }),
        openid_connect_url: None,
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1), the scheme in any case; nothing where it is sent twice.
pub(in crate::http) fn bearer(request: &Request) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}
