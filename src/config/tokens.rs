//! How access tokens are signed.

use std::{sync::Arc, time::Duration};

use zeroize::Zeroizing;

use crate::{
    config::source::Reader,
    crypto::{
        key_pair::KeyPair,
        public_key::{PairAlgorithm, PublicKey},
        rsa_pem,
        token_signer::{SigningMethod, VerifyingKey},
    },
};

/// The least a shared secret may have: as many bytes as HMAC-SHA-256 gives (RFC 7518 section 3.2).
const SHORTEST_SECRET: usize = 32;

/// Settings of access tokens.
#[derive(Debug)]
pub struct TokensConfig {
    /// What signs them.
    pub method: SigningMethod,
    /// With what the service's own keys sign, from the next one that it makes.
    pub algorithm: PairAlgorithm,
    /// Configured keys that verify beside that.
    pub also: Vec<VerifyingKey>,
    /// How often every process reads the service's own keys again.
    pub reread: Duration,
}

impl TokensConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let pair = configured_pair(reader);
        let public = public_keys(reader, pair.as_deref());
        let chosen = reader.text("JWT_ALGORITHM").map(str::trim);
        let mut algorithm = PairAlgorithm::EdDsa;
        let mut method = match (chosen, pair) {
            (None | Some("RS256"), Some(pair)) => SigningMethod::Rs256(pair),
            (None | Some("EdDSA" | "ES256" | "RS256"), None) => SigningMethod::Keyring,
            (Some("HS256"), None) => shared_secret(reader).map_or(SigningMethod::Keyring, SigningMethod::Hs256),
            (Some("HS256" | "EdDSA" | "ES256"), Some(_)) => {
                reader.report(
                    "JWT_ALGORITHM",
                    "is another algorithm than JWT_PRIVATE_KEY signs with",
                    "Write `RS256`, or unset JWT_PRIVATE_KEY",
                );
                SigningMethod::Keyring
            }
            (Some(_), _) => {
                reader.report(
                    "JWT_ALGORITHM",
                    "is not one that tokens are signed with",
                    "Write `EdDSA`, `ES256`, `RS256` or `HS256`",
                );
                SigningMethod::Keyring
            }
        };
        match chosen {
            Some("ES256") => algorithm = PairAlgorithm::Es256,
            Some("RS256") => algorithm = PairAlgorithm::Rs256,
            _ => {}
        }
        let mut also: Vec<_> = public.into_iter().map(VerifyingKey::Rs256).collect();
        also.extend(also_verified(reader, &mut method));
        Self {
            method,
            algorithm,
            also,
            reread: Duration::from_secs(30),
        }
    }
}

fn configured_pair(reader: &mut Reader<'_>) -> Option<Arc<KeyPair>> {
    let text = reader.secret("JWT_PRIVATE_KEY")?;
    match rsa_pem::private_key(text.expose()) {
        Ok(pair) => Some(Arc::new(pair)),
        Err(error) => {
            let mend = "Make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`, or unset it: the \
                        service makes keys of its own";
            reader.report("JWT_PRIVATE_KEY", error.to_string(), mend);
            None
        }
    }
}

fn public_keys(reader: &mut Reader<'_>, pair: Option<&KeyPair>) -> Vec<PublicKey> {
    const NAME: &str = "JWT_PUBLIC_KEY";
    const MEND: &str = "Write it with `openssl pkey -in KEY -pubout`, several one after the other";
    let Some(text) = reader.secret(NAME) else {
        return Vec::new();
    };
    let keys = rsa_pem::public_keys(text.expose()).unwrap_or_else(|error| {
        reader.report(NAME, error.to_string(), MEND);
        Vec::new()
    });
    let own = pair.and_then(KeyPair::public);
    if !keys.is_empty() && own.is_some_and(|own| !keys.contains(&own)) {
        reader.report(NAME, "is not the public half of JWT_PRIVATE_KEY", MEND);
    }
    keys
}

fn shared_secret(reader: &mut Reader<'_>) -> Option<Arc<Zeroizing<Vec<u8>>>> {
    let name = if reader.text("JWT_SECRET_KEY").is_some() {
        "JWT_SECRET_KEY"
    } else {
        "JWT_SECRET"
    };
    let secret = reader.secret(name);
    if let Some(secret) = &secret
        && secret.expose().len() >= SHORTEST_SECRET
    {
        return Some(Arc::new(Zeroizing::new(secret.expose().as_bytes().to_vec())));
    }
    let says = format!("must have at least {SHORTEST_SECRET} characters for HS256");
    reader.report(
        name,
        says,
        "Make one with `openssl rand -base64 48`, or do without HS256",
    );
    None
}

/// A secret is taken for verifying only where that is said: one that stands there for something else lets nobody in.
fn also_verified(reader: &mut Reader<'_>, method: &mut SigningMethod) -> Option<VerifyingKey> {
    match reader.text("JWT_ALSO_VERIFY").map(str::trim)? {
        "HS256" if matches!(method, SigningMethod::Hs256(_)) => None,
        "HS256" => shared_secret(reader).map(VerifyingKey::Hs256),
        _ => {
            let mend = "Write `HS256`, or unset it: public keys that verify go into JWT_PUBLIC_KEY";
            reader.report("JWT_ALSO_VERIFY", "is not HS256", mend);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigProblem, Source};

    fn load(pairs: &[(&str, &str)]) -> Result<TokensConfig, Vec<ConfigProblem>> {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(&Source::from_pairs(pairs)).map(|config| config.tokens)
    }

    fn pem(name: &str) -> String {
        let frozen: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/frozen.json")).expect("JSON");
        frozen["rsa_pem"][name].as_str().expect("text").to_owned()
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_algorithm_is_that_of_the_next_key() {
        for (name, algorithm) in [
            ("EdDSA", PairAlgorithm::EdDsa),
            (" ES256 ", PairAlgorithm::Es256),
            ("RS256", PairAlgorithm::Rs256),
        ] {
            let config = load(&[("JWT_ALGORITHM", name)]).expect("valid");
            assert!(matches!(config.method, SigningMethod::Keyring), "{name}");
            assert_eq!(config.algorithm, algorithm, "{name}");
            assert!(config.also.is_empty());
        }
    }

    #[test]
    fn a_configured_pair_signs_with_rs256() {
        let (private, public, old) = (pem("pkcs1"), pem("public"), pem("other_public"));
        let one_line = private.replace('\n', "\\n");
        for (pairs, number) in [
            (&[("JWT_PRIVATE_KEY", private.as_str())][..], 0),
            (&[("JWT_PRIVATE_KEY", &one_line), ("JWT_PUBLIC_KEY", &public)], 1),
            (&[("JWT_PRIVATE_KEY", &private), ("JWT_ALGORITHM", "RS256")], 0),
            (
                &[
                    ("JWT_PRIVATE_KEY", &private),
                    ("JWT_PUBLIC_KEY", &format!("{old}{public}")),
                ],
                2,
            ),
        ] {
            let config = load(pairs).expect("valid");
            assert!(matches!(config.method, SigningMethod::Rs256(_)));
            assert_eq!(config.also.len(), number);
        }
        // Of a pair that signed before.
        let config = load(&[("JWT_PUBLIC_KEY", &old)]).expect("valid");
        assert!(matches!(config.method, SigningMethod::Keyring) && config.also.len() == 1);
    }

    #[test]
    fn a_pair_may_lie_in_files() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let [private, public] = [("pkcs8", "private"), ("public", "public")].map(|(form, name)| {
            let file = folder.path().join(name);
            std::fs::write(&file, pem(form)).expect("written");
            file.to_str().expect("plain").to_owned()
        });
        let files = [
            ("JWT_PRIVATE_KEY_FILE", private.as_str()),
            ("JWT_PUBLIC_KEY_FILE", &public),
        ];
        assert!(matches!(load(&files).expect("valid").method, SigningMethod::Rs256(_)));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_not_repeated() {
        let (private, public) = (pem("pkcs8"), pem("public"));
        for (pairs, name) in [
            (&[("JWT_ALGORITHM", "none")][..], "JWT_ALGORITHM"),
            (&[("JWT_ALGORITHM", "eddsa")], "JWT_ALGORITHM"),
            (
                &[("JWT_ALGORITHM", "ES256"), ("JWT_PRIVATE_KEY", &private)],
                "JWT_ALGORITHM",
            ),
            (&[("JWT_PRIVATE_KEY", &pem("weak"))], "JWT_PRIVATE_KEY"),
            (&[("JWT_PRIVATE_KEY", &public)], "JWT_PRIVATE_KEY"),
            (&[("JWT_PUBLIC_KEY", &pem("weak_public"))], "JWT_PUBLIC_KEY"),
            (
                &[("JWT_PRIVATE_KEY", &private), ("JWT_PUBLIC_KEY", &pem("other_public"))],
                "JWT_PUBLIC_KEY",
            ),
            (&[("JWT_ALSO_VERIFY", "HS256")], "JWT_SECRET"),
            (&[("JWT_ALSO_VERIFY", "HS256"), ("JWT_SECRET", "short")], "JWT_SECRET"),
            (&[("JWT_ALSO_VERIFY", "none")], "JWT_ALSO_VERIFY"),
        ] {
            let problems = load(pairs).expect_err(name);
            let names: Vec<_> = problems.iter().map(|problem| problem.name.as_str()).collect();
            assert_eq!(names, [name]);
            assert!(!problems[0].to_string().contains("MII"), "{problems:?}");
        }
    }

    #[test]
    fn a_secret_verifies_only_where_that_is_said() {
        let secret = ("JWT_SECRET", SECRET);
        assert!(load(&[secret]).expect("valid").also.is_empty());
        let config = load(&[secret, ("JWT_ALSO_VERIFY", "HS256")]).expect("valid");
        assert!(matches!(config.method, SigningMethod::Keyring) && config.also.len() == 1);
        let config = load(&[secret, ("JWT_ALSO_VERIFY", "HS256"), ("JWT_ALGORITHM", "HS256")]).expect("valid");
        assert!(matches!(config.method, SigningMethod::Hs256(_)) && config.also.is_empty());
    }
}
