//! Public documents: the keys that verify tokens, and what an issuer is.

use poem_openapi::Object;

use crate::crypto::public_key::Jwk;

/// Public keys (RFC 7517 section 5).
#[derive(Debug, Object)]
pub struct KeySet {
    /// Every key that verifies access tokens now: the one that signs, the one that will, those that did. Secrets that are
    /// shared stand in none.
    pub keys: Vec<JsonWebKey>,
}

/// A public key (RFC 7517 section 4).
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct JsonWebKey {
    /// What the header of a token names it by: its thumbprint (RFC 7638).
    pub kid: String,
    /// `sig`.
    #[oai(rename = "use")]
    pub usage: String,
    /// The one algorithm that it is good for: `EdDSA`, `ES256` or `RS256`.
    pub alg: Option<String>,
    /// `OKP`, `EC` or `RSA`.
    pub kty: String,
    /// The curve, of an elliptic one.
    pub crv: Option<String>,
    /// The point, or its first coordinate.
    pub x: Option<String>,
    /// Its second coordinate.
    pub y: Option<String>,
    /// RSA's modulus.
    pub n: Option<String>,
    /// RSA's exponent.
    pub e: Option<String>,
}

impl From<Jwk> for JsonWebKey {
    fn from(jwk: Jwk) -> Self {
        Self {
            kid: jwk.kid,
            usage: jwk.usage.to_owned(),
            alg: jwk.alg.map(str::to_owned),
            kty: jwk.key.kty,
            crv: jwk.key.crv,
            x: jwk.key.x,
            y: jwk.key.y,
            n: jwk.key.n,
            e: jwk.key.e,
        }
    }
}

/// What one issuer is and has (RFC 8414 section 2). Nothing stands here that does not exist.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct IssuerMetadata {
    /// `iss` and `aud` of its access tokens.
    pub issuer: String,
    /// Where one signs in, with the password form of OAuth 2.
    pub token_endpoint: String,
    /// The keys that verify its access tokens.
    pub jwks_uri: String,
    /// None: there is no authorization endpoint.
    pub response_types_supported: Vec<String>,
    /// `password`.
    pub grant_types_supported: Vec<String>,
    /// `none`: clients have no secrets.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Pages that explain the routes, where they are served.
    pub service_documentation: Option<String>,
}

/// Which issuers there are: one for each user type.
#[derive(Debug, Object)]
pub struct Issuers {
    /// The issuers; the metadata of each is at `/.well-known/oauth-authorization-server/` and its user type.
    pub authorization_servers: Vec<String>,
    /// The keys that verify their access tokens.
    pub jwks_uri: String,
}
