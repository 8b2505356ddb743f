//! Public documents for verifiers, security researchers and password managers (RFC 8615). The same for everybody: any page
//! may read them, and any cache may keep them for as long as a new key waits before it signs.

use std::sync::Arc;

use poem::{
    Endpoint, EndpointExt as _, Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, OpenApi, Tags,
    param::Path,
    payload::{Json, PlainText},
};

use crate::{
    config::{Config, public_documents::SecurityConfig},
    domain::user_type::UserType,
    http::{
        dto::well_known::{IssuerMetadata, Issuers, KeySet},
        error_code::{Codes, ErrorCode, codes},
        problem::Problem,
        refusals::{Refused, internal},
    },
    service::Core,
};

/// Half of the time that a new key is published before it signs: whoever keeps the set for so long knows the key when its first
/// token comes.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=60");
/// Where they lie.
pub const PREFIX: &str = "/.well-known";
/// Of an issuer, before what stands in its path (RFC 8414 section 3.1).
const METADATA: &str = "/.well-known/oauth-authorization-server";
const NOT_FOUND: Codes = codes([ErrorCode::NotFound]);

/// What the documents say.
#[derive(Clone, Debug)]
pub struct PublicDocuments(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    /// What issuers begin with; no slash at its end.
    base: String,
    user_types: Vec<UserType>,
    has_docs: bool,
    change_password: String,
    security: Option<String>,
}

impl PublicDocuments {
    /// Of this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let base = config.http.public_url.as_str().trim_end_matches('/').to_owned();
        let user_types = config.user_types.order.clone();
        let own_page = || match user_types.first() {
            Some(user_type) => format!("{base}/{user_type}/forget_password_form"),
            None => base.clone(),
        };
        let documents = &config.public_documents;
        let change_password = documents
            .change_password
            .as_ref()
            .map_or_else(own_page, ToString::to_string);
        let security = documents
            .security
            .as_ref()
            .map(|security| security_txt(security, &base));
        Self(Arc::new(Contents {
            base,
            user_types,
            has_docs: config.http.docs,
            change_password,
            security,
        }))
    }

    /// The populations, in the order of the configuration.
    #[must_use]
    pub fn user_types(&self) -> &[UserType] {
        &self.0.user_types
    }

    /// Where RFC 8414 looks for an issuer's metadata, where the public URL has a path of its own.
    #[must_use]
    pub fn beside_the_path(&self) -> Vec<(String, UserType)> {
        let path = url::Url::parse(&self.0.base).map(|url| url.path().trim_end_matches('/').to_owned());
        match path {
            Ok(path) if !path.is_empty() => {
                let user_types = self.0.user_types.iter();
                user_types
                    .map(|user_type| (format!("{METADATA}{path}/{user_type}"), user_type.clone()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn of(request: &Request) -> Result<&Self, Problem> {
        request.data().ok_or_else(internal)
    }

    fn jwks_uri(&self) -> String {
        format!("{}{PREFIX}/jwks.json", self.0.base)
    }

    fn issuer(&self, user_type: &UserType) -> String {
        format!("{}/{user_type}", self.0.base)
    }

    fn metadata(&self, user_type: &UserType) -> IssuerMetadata {
        let issuer = self.issuer(user_type);
        IssuerMetadata {
            token_endpoint: format!("{issuer}/login"),
            issuer,
            jwks_uri: self.jwks_uri(),
            response_types_supported: Vec::new(),
            grant_types_supported: vec!["password".to_owned()],
            token_endpoint_auth_methods_supported: vec!["none".to_owned()],
            service_documentation: self.0.has_docs.then(|| format!("{}/docs", self.0.base)),
        }
    }
}

fn security_txt(security: &SecurityConfig, base: &str) -> String {
    let mut lines: Vec<_> = security
        .contacts
        .iter()
        .map(|contact| format!("Contact: {contact}"))
        .collect();
    lines.push(format!("Expires: {}", security.expires));
    lines.extend(
        security
            .languages
            .iter()
            .map(|tags| format!("Preferred-Languages: {tags}")),
    );
    lines.extend(security.policy.iter().map(|policy| format!("Policy: {policy}")));
    // It must be one that is fetched by https (RFC 9116 section 2.5.2).
    if base.starts_with("https:") {
        lines.push(format!("Canonical: {base}{PREFIX}/security.txt"));
    }
    lines.join("\n") + "\n"
}

/// The routes.
#[derive(Clone, Debug)]
pub struct WellKnownApi;

#[derive(Tags)]
enum Tag {
    /// Public documents for verifiers, security researchers and password managers.
    #[oai(rename = "Well-known")]
    WellKnown,
}

/// Elsewhere.
#[derive(ApiResponse)]
enum Redirected {
    /// The page where a forgotten password is replaced.
    #[oai(status = 303)]
    There(#[oai(header = "Location")] String),
}

#[expect(clippy::unused_async, reason = "handlers are asynchronous")]
#[OpenApi(prefix_path = "/.well-known", tag = "Tag::WellKnown")]
impl WellKnownApi {
    /// Keys that verify access tokens
    ///
    /// Public keys alone: a shared secret (HS256) is never here. Look for a token's `kid`, take no algorithm but the key's
    /// `alg`, and check `typ`, `iss`, `aud`, `exp` too. Fetch the set again when a `kid` is unknown.
    #[oai(path = "/jwks.json", method = "get", operation_id = "jwks")]
    async fn jwks(&self, request: &Request) -> Result<Json<KeySet>, Refused<0>> {
        let core = request.data::<Arc<Core>>().ok_or_else(internal)?;
        // A key that another process made just now is published by this one, too.
        core.keys.refresh(core).await;
        let keys = core.signer.published().into_iter().map(Into::into).collect();
        Ok(Json(KeySet { keys }))
    }

    /// Which issuers there are
    ///
    /// Every user type is an issuer of its own, and none is the service as a whole: what RFC 8414 describes stands at this
    /// path and a user type.
    #[oai(path = "/oauth-authorization-server", method = "get", operation_id = "issuers")]
    async fn issuers(&self, request: &Request) -> Result<Json<Issuers>, Refused<0>> {
        let documents = PublicDocuments::of(request)?;
        let user_types = documents.user_types().iter();
        Ok(Json(Issuers {
            authorization_servers: user_types.map(|user_type| documents.issuer(user_type)).collect(),
            jwks_uri: documents.jwks_uri(),
        }))
    }

    /// What an issuer is and has
    ///
    /// RFC 8414, for the issuer of one user type: where the service's public URL has a path, also with that path before the
    /// user type, as section 3.1 has it.
    #[oai(
        path = "/oauth-authorization-server/:user_type",
        method = "get",
        operation_id = "issuer_metadata"
    )]
    async fn issuer_metadata(
        &self,
        request: &Request,
        /// One of the service's user types.
        user_type: Path<String>,
    ) -> Result<Json<IssuerMetadata>, Refused<NOT_FOUND>> {
        let documents = PublicDocuments::of(request)?;
        let mut user_types = documents.user_types().iter();
        let user_type = user_types.find(|known| known.as_str() == user_type.0);
        let user_type = user_type.ok_or_else(|| Problem::new(ErrorCode::NotFound))?;
        Ok(Json(documents.metadata(user_type)))
    }

    /// Where a password is changed
    ///
    /// Leads password managers to the page (W3C, "A Well-Known URL for Changing Passwords"): the one that `CHANGE_PASSWORD_URL`
    /// names, else the service's own for forgotten passwords.
    #[oai(path = "/change-password", method = "get", operation_id = "change_password_page")]
    async fn change_password_page(&self, request: &Request) -> Result<Redirected, Refused<0>> {
        let documents = PublicDocuments::of(request)?;
        Ok(Redirected::There(documents.0.change_password.clone()))
    }

    /// Where to report a weakness
    ///
    /// `security.txt` (RFC 9116), where `SECURITY_CONTACT` is set.
    #[oai(path = "/security.txt", method = "get", operation_id = "security_txt")]
    async fn security_txt(&self, request: &Request) -> Result<PlainText<String>, Refused<NOT_FOUND>> {
        let documents = PublicDocuments::of(request)?;
        let text = documents.0.security.clone();
        Ok(PlainText(text.ok_or_else(|| Problem::new(ErrorCode::NotFound))?))
    }
}

/// The metadata of an issuer where RFC 8414 looks for it, beside the public URL's path.
pub fn metadata_of(documents: &PublicDocuments, user_type: &UserType) -> impl Endpoint<Output = Response> + use<> {
    let metadata = documents.metadata(user_type);
    let text = poem_openapi::types::ToJSON::to_json_string(&metadata);
    poem::endpoint::make_sync(move |_| Response::builder().content_type("application/json").body(text.clone()))
        .after(open)
}

/// What all of them have in common, where they are found.
pub async fn open(answered: poem::Result<impl poem::IntoResponse>) -> poem::Result<Response> {
    let mut response = answered?.into_response();
    if response.status() == StatusCode::OK {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, CACHED);
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            header::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    Ok(response)
}
