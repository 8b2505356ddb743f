//! Examples that the document shows, by operation: what may be sent beside the type's own example, and what comes back
//! when all goes well. What is refused is made from [`crate::http::error_code`].

use serde_json::{Value, json};

use crate::http::document::factor_examples;

/// The id of a request, an account and a challenge.
pub const REQUEST_ID: &str = "req_06gvr51mvlsmn414vkm4i9n4u4";
pub(super) const ACCOUNT_ID: &str = "usr_06gvr51mvlsmn414vkm4i9n4u4";
/// What a mailed link carries.
pub const LINK_TOKEN: &str = "dXNyXzA2Z3ZyNTFtdmxzbW40MTR2a200aTluNHU0";
const SESSION_ID: &str = "ses_06gvr51mvlsmn414vkm4i9n4u4";
const CHALLENGE_ID: &str = "chl_06gvr51mvlsmn414vkm4i9n4u4";
/// A page, as far as an example shows it.
pub const PAGE: &str = "<!doctype html><html lang=\"en\">…</html>";

/// A body that may be sent.
pub struct Sent {
    /// Its name in the document.
    pub name: &'static str,
    /// When one sends it.
    pub summary: &'static str,
    /// The body.
    pub body: Value,
}

/// Other bodies of the operation than its type's own example.
#[must_use]
pub fn others(operation: &str) -> Vec<Sent> {
    let sent = |name, summary, body| Sent { name, summary, body };
    match operation {
        "create" => vec![sent(
            "least",
            "Only what is needed",
            json!({
                "first_name": "Grace",
                "last_name": "Hopper",
                "email": "grace@example.com",
                "password": "An0ther-SecureP@ssw0rd",
            }),
        )],
        "login" => vec![sent(
            "username",
            "By username, for a day",
            json!({ "username": "ada", "password": "SecureP@ssw0rd123!", "remember_me": false }),
        )],
        "otp_phone" => vec![sent(
            "another",
            "Another number, which becomes the profile's",
            json!({ "phone": "+12025550123" }),
        )],
        "delete" => vec![sent("fresh", "Within five minutes of signing in", json!({}))],
        _ => factor_examples::others(operation),
    }
}

/// What the operation answers when all goes well: what that is, and an example.
#[must_use]
pub fn answer(operation: &str) -> Option<(&'static str, Value)> {
    let message = |text: &str| json!({ "message": text });
    Some(match operation {
        "create" => (
            "The registration waits for its link. The same for every address, taken or not.",
            json!({
                "message": "Almost there: open the link in the mail that we sent you.",
                "id": ACCOUNT_ID,
                "email": "[ENCRYPTED]",
            }),
        ),
        "verify" | "verify_link" => (
            "The address is confirmed (a program), or a page: with a button that confirms it, or that says so (a person).",
            message("Your address is confirmed. You can sign in now."),
        ),
        "resend_verification" => (
            "The same for every address, known or not.",
            message("If a registration waits for this address, a new mail is on its way."),
        ),
        "login" | "refresh_token" | "mfa_verify" | "email_sign_in_verify" => ("A pair of tokens.", tokens()),
        "verify_token" => (
            "The token is good; what it says.",
            json!({
                "iss": "https://id.example.com/User1",
                "aud": "https://id.example.com/User1",
                "sub": ACCOUNT_ID,
                "client_id": "sealgate",
                "iat": 1_764_000_000,
                "exp": 1_764_001_800,
                "jti": "jti_06gvr51mvlsmn414vkm4i9n4u4",
                "sid": SESSION_ID,
                "auth_time": 1_764_000_000,
                "amr": ["pwd"],
                "ut": "User1",
                "role": "user",
                "scope": "",
            }),
        ),
        "logout" | "logout_get" => ("The session has ended.", message("You are signed out.")),
        "profile" => ("One's own profile.", profile()),
        "update" => ("The profile as it is now.", profile()),
        "export" => ("What is kept of the account, to be saved as a file.", export()),
        "delete" => (
            "The account is erased.",
            json!({
                "message": "Your account and everything in it is deleted.",
                "receipt": "eyJ0eXAiOiJlcmFzdXJlK2p3dCIsImFsZyI6IkVkRFNBIiwia2lkIjoiMDEifQ.e30.c2ln",
            }),
        ),
        "otp_phone" => (
            "The code is on its way.",
            json!({
                "message": "A code is on its way to your phone.",
                "otp": CHALLENGE_ID,
                "expires_in": 300,
            }),
        ),
        "verify_otp_phone" | "verify_otp_phone_get" => ("The phone is verified.", message("Your phone is verified.")),
        "forget_password" | "forget_password_get" => (
            "The same for every address, known or not.",
            message("If this address has an account, a mail is on its way."),
        ),
        "reset_password_form" | "forget_password_form" => ("The page with the form.", PAGE.into()),
        "jwks" | "issuers" | "issuer_metadata" | "security_txt" | "change_password_page" => return public(operation),
        "reset_password" => (
            "The password is set; a program is told so, a person gets a page.",
            message("Your new password is set. Everybody who was signed in has been signed out."),
        ),
        _ => return of_sessions(operation).or_else(|| factor_examples::answer(operation)),
    })
}

/// A pair of tokens.
pub(super) fn tokens() -> Value {
    json!({
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6IjAxIn0.e30.c2ln",
        "token_type": "bearer",
        "expires_in": 1800,
        "refresh_token": "rt1.c2VzXzA2Z3ZyNTFtdmxzbW40MTR2a200aTluNHU0",
        "refresh_expires_in": 2_592_000,
    })
}

/// Of what one does with one's own sessions.
fn of_sessions(operation: &str) -> Option<(&'static str, Value)> {
    let message = |text: &str| json!({ "message": text });
    Some(match operation {
        "sessions" => (
            "The sessions that are on.",
            json!({
                "sessions": [{
                    "id": SESSION_ID,
                    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                    "network": "203.0.113.0/24",
                    "first_seen_at": "2026-01-02T03:04:05.678Z",
                    "last_seen_at": "2026-01-02T05:04:05.678Z",
                    "authenticated_at": "2026-01-02T03:04:05.678Z",
                    "expires_at": "2026-01-16T05:04:05.678Z",
                    "is_current": true,
                }],
            }),
        ),
        "end_session" => ("The session is over.", message("The session is over.")),
        "end_other_sessions" => (
            "All others are over.",
            json!({ "message": "All other sessions are over.", "ended": 2 }),
        ),
        "end_session_form" => ("The page with the button.", PAGE.into()),
        "end_linked_session" => (
            "The session is over; a program is told so, a person gets a page.",
            message("That session is over. If it was not you who signed in, set a new password now."),
        ),
        "change_password" => (
            "The new password is set.",
            message("Your new password is set. All other sessions are over."),
        ),
        "reauthenticate" => (
            "You have just proven who you are.",
            json!({
                "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6IjAxIn0.e30.c2ln",
                "token_type": "bearer",
                "expires_in": 1800,
                "auth_time": 1_764_000_000,
            }),
        ),
        "twilio_status" => ("Noted, if there was anything to be.", message("Thank you.")),
        _ => return super::admin_examples::answer(operation),
    })
}

/// Public documents.
fn public(operation: &str) -> Option<(&'static str, Value)> {
    const JWKS: &str = "https://id.example.com/.well-known/jwks.json";
    Some(match operation {
        "jwks" => (
            "The keys.",
            json!({
                "keys": [{
                    "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                    "use": "sig",
                    "alg": "EdDSA",
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                }],
            }),
        ),
        "issuers" => (
            "The issuers.",
            json!({
                "authorization_servers": ["https://id.example.com/User1", "https://id.example.com/User2"],
                "jwks_uri": JWKS,
            }),
        ),
        "issuer_metadata" => (
            "The issuer of that user type.",
            json!({
                "issuer": "https://id.example.com/User1",
                "token_endpoint": "https://id.example.com/User1/login",
                "jwks_uri": JWKS,
                "response_types_supported": [],
                "grant_types_supported": ["password"],
                "token_endpoint_auth_methods_supported": ["none"],
                "service_documentation": "https://id.example.com/docs",
            }),
        ),
        "security_txt" => (
            "The document.",
            "Contact: mailto:security@example.com\nExpires: 2027-06-30T00:00:00Z\n".into(),
        ),
        "change_password_page" => ("The page is there.", Value::Null),
        _ => return None,
    })
}

fn export() -> Value {
    const AT: &str = "2026-01-02T03:04:05.678Z";
    const LATER: &str = "2026-01-02T05:04:05.678Z";
    json!({
        "format": 1,
        "exported_at": LATER,
        "user_type": "User1",
        "profile": profile(),
        "email_pending": null,
        "status": "active",
        "sessions": [{
            "id": SESSION_ID,
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "network": "203.0.113.0/24",
            "methods": ["pwd"],
            "first_seen_at": AT,
            "last_seen_at": LATER,
            "authenticated_at": LATER,
            "expires_at": "2026-01-16T05:04:05.678Z",
            "ended_at": null,
            "is_live": true,
        }],
        "devices": [{ "last_seen_at": AT }],
        "challenges": [{ "purpose": "reset_password", "made_at": LATER, "expires_at": "2026-01-02T05:34:05.678Z" }],
        "messages": [{
            "kind": "reset_password",
            "made_at": LATER,
            "expires_at": "2026-01-02T05:34:05.678Z",
            "state": "pending",
        }],
        "keys": { "data_keys": ["1"], "wrapped_by": ["kek_06gvr51mvlsmn414vkm4i9n4u4"] },
        "audit": [{
            "id": "aud_06gvr51mvlsmn414vkm4i9n4u4",
            "at": AT,
            "event": "signed_in",
            "outcome": "success",
            "network": "203.0.113.0/24",
            "request_id": REQUEST_ID,
            "details": {},
        }],
        "audit_next": null,
    })
}

pub(super) fn profile() -> Value {
    json!({
        "id": ACCOUNT_ID,
        "username": "ada",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "phone": "+1234567890",
        "country_code": "US",
        "country": "United States of America",
        "attributes": null,
        "is_email_verified": true,
        "is_phone_verified": false,
        "mfa_enabled": false,
        "role": "user",
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
        "version": 1,
    })
}

/// Where an answer leads.
pub struct Link {
    /// The operation.
    pub operation: &'static str,
    /// What of the answer goes there.
    pub description: &'static str,
    /// How: its `requestBody` or `parameters`.
    pub takes: (&'static str, Value),
}

impl Link {
    /// As the document has it, within the user type of that tag.
    #[must_use]
    pub fn to_json(&self, tag: &str) -> Value {
        let (part, value) = &self.takes;
        let mut link = json!({
            "operationId": format!("{tag}_{}", self.operation),
            "description": self.description,
        });
        link[*part] = value.clone();
        link
    }
}

/// Where the operation's answer leads.
#[must_use]
pub fn links(operation: &str) -> Vec<Link> {
    let link = |operation, description, takes| Link {
        operation,
        description,
        takes,
    };
    match operation {
        "login" | "refresh_token" => vec![link(
            "refresh_token",
            "The refresh token, once.",
            (
                "requestBody",
                json!({ "refresh_token": "$response.body#/refresh_token" }),
            ),
        )],
        "otp_phone" => vec![
            link(
                "verify_otp_phone",
                "`otp` goes back as `token`, with the six digits of the text.",
                (
                    "requestBody",
                    json!({ "token": "$response.body#/otp", "otp": "042042" }),
                ),
            ),
            link(
                "verify_otp_phone_get",
                "`otp` goes back as `token`, with the six digits of the text.",
                ("parameters", json!({ "token": "$response.body#/otp" })),
            ),
        ],
        _ => Vec::new(),
    }
}

/// An example of a parameter of the operation.
#[must_use]
pub fn parameter(operation: &str, name: &str) -> Option<&'static str> {
    Some(match name {
        "id" if operation.starts_with("admin_") => ACCOUNT_ID,
        "cursor" => super::admin_examples::CURSOR,
        "phone" => "+12025550123",
        "account_id" => ACCOUNT_ID,
        "event" => "signed_in",
        "since" => "2026-01-02T00:00:00Z",
        "token" => LINK_TOKEN,
        "otp" => "042042",
        "email" => "ada@example.com",
        "id" => SESSION_ID,
        "audit_after" => "aud_06gvr51mvlsmn414vkm4i9n4u4",
        "message_id" => "msg_06gvr51mvlsmn414vkm4i9n4u4",
        "X-Twilio-Signature" => "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        "user_type" => "User1",
        _ => return None,
    })
}
