//! A caller who proved who they are: the only way to routes that need one is to take a [`SignedIn`].

use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaOAuthFlow, MetaOAuthFlows, MetaSecurityScheme, Registry},
};

use crate::{
    http::{population::Population, problem::Problem, refusals::missing_token},
    service::authenticate::{Caller, authenticate},
};

/// The scheme's name before it is made one per user type.
pub const SCHEME: &str = "Token";

/// The caller, and the population they belong to.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub caller: Caller,
    /// Of which population.
    pub population: Population,
}

impl<'a> ApiExtractor<'a> for SignedIn {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(SCHEME, scheme("login"));
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let population = Population::of(request)?;
        let token = bearer(request).ok_or_else(missing_token)?;
        let caller = authenticate(&population.core, &population.user_type, token)
            .await
            .map_err(Problem::from)?;
        Ok(Self { caller, population })
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
fn bearer(request: &Request) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}
