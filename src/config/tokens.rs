//! How access tokens are signed.

use crate::{config::source::Reader, domain::private::Private};

/// The least a shared secret may have: as many bytes as HMAC-SHA-256 gives (RFC 7518 section 3.2).
const SHORTEST_SECRET: usize = 32;

/// The algorithm, with its key where the key is configured.
#[derive(Debug)]
pub enum TokenMethod {
    /// Ed25519, from the keyring.
    EdDsa,
    /// HMAC-SHA-256 with a configured secret.
    Hs256(Private),
}

/// Settings of access tokens.
#[derive(Debug)]
pub struct TokensConfig {
    /// How they are signed.
    pub method: TokenMethod,
}

impl TokensConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let method = match reader.text("JWT_ALGORITHM").map(str::trim) {
            None | Some("EdDSA") => TokenMethod::EdDsa,
            Some("HS256") => shared_secret(reader),
            Some(_) => {
                reader.report(
                    "JWT_ALGORITHM",
                    "is not one this version signs with",
                    "Write `EdDSA` or `HS256`",
                );
                TokenMethod::EdDsa
            }
        };
        Self { method }
    }
}

fn shared_secret(reader: &mut Reader<'_>) -> TokenMethod {
    let name = if reader.text("JWT_SECRET_KEY").is_some() {
        "JWT_SECRET_KEY"
    } else {
        "JWT_SECRET"
    };
    let secret = reader.secret(name);
    match secret {
        Some(secret) if secret.expose().len() >= SHORTEST_SECRET => TokenMethod::Hs256(secret),
        _ => {
            let says = format!("must have at least {SHORTEST_SECRET} characters for HS256");
            reader.report(
                name,
                says,
                "Make one with `openssl rand -base64 48`, or unset JWT_ALGORITHM to use EdDSA",
            );
            TokenMethod::EdDsa
        }
    }
}
