//! The transit secrets engine of Vault and OpenBao: "Transit secrets engine (API)" of either's documentation.
//!
//! One named key of theirs is the provider, each of its versions one key-encryption key. Of a version the id is known
//! without asking (`crypto/transit_names.rs`); what is wrapped is the engine's text `vault:v<version>:…`, whose version has
//! to be that of the id, with the id as associated data, so that nothing passes for what another version or another
//! installation wrapped.
//!
//! Encrypting under a name that is gone makes a new key, where the token's policy grants `create`: it is to grant `update`
//! alone (`docs/OPERATIONS.md`), and whether the version is there is asked before.

mod client;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use async_trait::async_trait;
use data_encoding::BASE64;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    crypto::{
        kek::{KekError, KekProvider, WrappedKey},
        transit_names::{TransitNames, associated_data, version_of},
    },
    domain::{ids::KekId, private::Private},
    kms::transit::client::Client,
};

/// Ciphers that take associated data and have a key of 256 bits.
const TYPES: [&str; 2] = ["aes256-gcm96", "chacha20-poly1305"];

/// Where the engine is, and how it is spoken to.
pub struct TransitOptions {
    /// Of the server, without `/v1`.
    pub url: Url,
    /// Where the engine is mounted.
    pub mount: String,
    /// What the key is called.
    pub key: String,
    /// Of the operator's own: a policy for this key alone.
    pub token: Private,
    /// Where the token was read from, to be read again when it is refused.
    pub token_file: Option<PathBuf>,
    /// Of those that have namespaces.
    pub namespace: Option<String>,
    /// The certificate authority, as PEM, in place of those of the system.
    pub authority: Option<Vec<u8>>,
    /// How long one request may take, connecting included.
    pub patience: Duration,
}

/// One key of a transit engine.
pub struct Transit {
    client: Client,
    names: TransitNames,
    key: String,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
    key_version: u32,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
}

/// Borrowed: the answer is wiped where it lies, and no copy made of it.
#[derive(Deserialize)]
struct Decrypted<'a> {
    plaintext: &'a str,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Configure {
    min_decryption_version: u32,
    min_encryption_version: u32,
}

#[derive(Serialize)]
struct Trim {
    min_available_version: u32,
}

/// What it says of a key.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    derived: bool,
    /// Of each version when it was made.
    #[expect(
        clippy::zero_sized_map_values,
        reason = "an object of the answer, of which the names alone are read"
    )]
    keys: BTreeMap<String, IgnoredAny>,
    min_decryption_version: u32,
    #[serde(default)]
    min_encryption_version: u32,
    /// Those before it are removed.
    #[serde(default)]
    min_available_version: u32,
}

impl Described {
    /// The versions that still decrypt, oldest first.
    fn versions(&self) -> Result<Vec<u32>, KekError> {
        let versions = self.keys.keys().map(|version| version.parse());
        let mut versions: Vec<u32> = versions.collect::<Result<_, _>>().map_err(|_| KekError::Unavailable)?;
        versions.retain(|version| *version >= self.min_decryption_version);
        versions.sort_unstable();
        Ok(versions)
    }
}

impl Transit {
    /// Connects to nothing yet.
    pub fn new(options: TransitOptions) -> anyhow::Result<Self> {
        Ok(Self {
            names: TransitNames::new(&options.mount, &options.key),
            key: options.key.clone(),
            client: Client::new(options)?,
        })
    }

    /// Nothing where there is no such key.
    async fn described(&self) -> Result<Option<Described>, KekError> {
        let answer = self.client.get(&["keys", &self.key]).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let described: Described = answer.data()?;
        if !TYPES.contains(&described.kind.as_str()) || described.derived {
            return Err(KekError::Unusable(format!(
                "TRANSIT_KEY has to be of the type {}, and not derived",
                TYPES.join(" or ")
            )));
        }
        Ok(Some(described))
    }

    /// A key that has to be there.
    async fn existing(&self) -> Result<Described, KekError> {
        self.described().await?.ok_or_else(|| {
            KekError::Unusable(
                "there is no key of that name under TRANSIT_MOUNT: put it back, or, for an installation that is new, make it \
                 as docs/OPERATIONS.md says"
                    .to_owned(),
            )
        })
    }

    /// Whether a version is there and decrypts.
    async fn has(&self, version: u32) -> Result<bool, KekError> {
        match self.described().await? {
            Some(described) => Ok(described.versions()?.contains(&version)),
            None => Ok(false),
        }
    }

    /// A step of a removal up to `next`.
    async fn cut(&self, step: &str, body: &impl Serialize, next: u32) -> Result<(), KekError> {
        let answer = self.client.post(&["keys", &self.key, step], body).await?;
        if answer.status == StatusCode::FORBIDDEN {
            return Err(KekError::Unusable(format!(
                "the token may not remove versions; whoever may sets min_decryption_version and min_encryption_version of \
                 `{}` to {next}, and trims it to min_available_version {next}",
                self.key
            )));
        }
        answer.succeeded()
    }

    fn version(&self, id: &KekId) -> Result<u32, KekError> {
        self.names.version(id).ok_or_else(|| KekError::Unknown(id.clone()))
    }

    /// What a refusal of `id` means: whether it is there at all tells.
    async fn refused(&self, id: &KekId, version: u32) -> KekError {
        match self.has(version).await {
            Ok(true) => KekError::Damaged,
            Ok(false) => KekError::Unknown(id.clone()),
            Err(error) => error,
        }
    }
}

#[async_trait]
impl KekProvider for Transit {
    async fn known(&self) -> Result<Vec<KekId>, KekError> {
        let versions = self.existing().await?.versions()?;
        Ok(versions.into_iter().map(|version| self.names.id(version)).collect())
    }

    async fn make(&self) -> Result<KekId, KekError> {
        self.existing().await?;
        let answer = self.client.post(&["keys", &self.key, "rotate"], &Nothing {}).await?;
        if answer.status == StatusCode::FORBIDDEN {
            return Err(KekError::CannotMake(format!(
                "the token may not; whoever may runs `vault write -f MOUNT/keys/{0}/rotate` or `bao write -f MOUNT/keys/{0}/rotate`",
                self.key
            )));
        }
        answer.succeeded()?;
        let newest = self.existing().await?.versions()?.pop().ok_or(KekError::Unavailable)?;
        Ok(self.names.id(newest))
    }

    async fn destroy(&self, id: &KekId) -> Result<(), KekError> {
        // Another provider's, from before: not here.
        let Some(version) = self.names.version(id) else {
            return Ok(());
        };
        let described = self.existing().await?;
        let versions = described.versions()?;
        let next = version.saturating_add(1);
        if described.min_available_version >= next || versions.last().is_none_or(|newest| *newest < version) {
            return Ok(());
        }
        if versions.last() == Some(&version) {
            return Err(KekError::Unusable("its newest key can't be removed".to_owned()));
        }
        // The engine cuts off all up to a version. One that no longer decrypts is there until then: a removal that was
        // broken off goes on here.
        if versions.first().is_some_and(|oldest| *oldest < version) {
            return Err(KekError::Unusable(
                "transit removes the oldest version first: remove those before it".to_owned(),
            ));
        }
        let floor = Configure {
            min_decryption_version: described.min_decryption_version.max(next),
            min_encryption_version: described.min_encryption_version.max(next),
        };
        self.cut("config", &floor, next).await?;
        let trim = Trim {
            min_available_version: next,
        };
        self.cut("trim", &trim, next).await
    }

    async fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError> {
        let version = self.version(under)?;
        if key.is_empty() {
            return Err(KekError::Damaged);
        }
        // Asked each time, which is once for each account: the engine would make a key of that name where there is none.
        if !self.has(version).await? {
            return Err(KekError::Unknown(under.clone()));
        }
        let encoded = Zeroizing::new(BASE64.encode(key));
        let request = Encrypt {
            plaintext: &encoded,
            associated_data: &bound_to(under),
            key_version: version,
        };
        let answer = self.client.post(&["encrypt", &self.key], &request).await?;
        if answer.status == StatusCode::BAD_REQUEST || answer.status == StatusCode::NOT_FOUND {
            return Err(self.refused(under, version).await);
        }
        let Encrypted { ciphertext } = answer.data()?;
        // A key that was put in the place of this one begins anew.
        if version_of(&ciphertext) != Some(version) {
            return Err(KekError::Unavailable);
        }
        Ok(WrappedKey {
            kek_id: under.clone(),
            wrapped: ciphertext.into_bytes(),
        })
    }

    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let id = &wrapped.kek_id;
        let version = self.version(id)?;
        let ciphertext = std::str::from_utf8(&wrapped.wrapped).map_err(|_| KekError::Damaged)?;
        if version_of(ciphertext) != Some(version) {
            return Err(KekError::Damaged);
        }
        let request = Decrypt {
            ciphertext,
            associated_data: &bound_to(id),
        };
        let answer = self.client.post(&["decrypt", &self.key], &request).await?;
        if answer.status == StatusCode::BAD_REQUEST || answer.status == StatusCode::NOT_FOUND {
            return Err(self.refused(id, version).await);
        }
        let Decrypted { plaintext } = answer.data()?;
        let key = BASE64.decode(plaintext.as_bytes()).map(Zeroizing::new);
        match key {
            Ok(key) if !key.is_empty() => Ok(key),
            _ => Err(KekError::Damaged),
        }
    }

    fn is_own(&self, id: &KekId) -> Option<bool> {
        Some(self.names.version(id).is_some())
    }
}

/// In base64, as the API takes it.
fn bound_to(id: &KekId) -> String {
    BASE64.encode(&associated_data(id))
}

impl std::fmt::Debug for Transit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transit")
    }
}

#[cfg(test)]
mod tests;
