//! Where the key-encryption keys live: a file, the environment, or the transit engine of Vault or OpenBao.

use std::{fmt, num::NonZeroUsize, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use url::Url;

use crate::{
    config::{sms::is_loopback, source::Reader},
    crypto::local_keks::LocalKeks,
    domain::private::Private,
};

/// Settings of the key-encryption keys.
#[derive(Debug)]
pub struct KeksConfig {
    /// Who has them.
    pub provider: KekSource,
    /// Who had them before, and is still asked for what it wrapped.
    pub before: Option<KekSource>,
    /// Unwrapped data keys, where the provider is a service; none is not to remember them.
    pub dek_cache: Option<DekCacheConfig>,
}

/// Who has the key-encryption keys.
#[derive(Clone, Debug)]
pub enum KekSource {
    /// The file that `KEK_FILE` names.
    File,
    /// `KEK`.
    Environment(Arc<LocalKeks>),
    /// A transit engine.
    Transit(Box<TransitConfig>),
}

impl fmt::Display for KekSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "the key file",
            Self::Environment(_) => "KEK",
            Self::Transit(_) => "the transit engine",
        })
    }
}

/// Settings of a transit engine.
#[derive(Clone, Debug)]
pub struct TransitConfig {
    /// Of the server.
    pub url: Url,
    /// Where the engine is mounted.
    pub mount: String,
    /// What the key is called.
    pub key: String,
    /// The token.
    pub token: Arc<Private>,
    /// Where the token came from.
    pub token_file: Option<PathBuf>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The certificate authority, as PEM, in place of those of the system.
    pub authority: Option<Vec<u8>>,
    /// How long one request may take.
    pub patience: Duration,
}

/// How many unwrapped data keys are remembered, and how long.
#[derive(Clone, Copy, Debug)]
pub struct DekCacheConfig {
    /// How long each serves.
    pub lifetime: Duration,
    /// Of how many accounts at a time.
    pub owners: NonZeroUsize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    File,
    Environment,
    Transit,
}

impl FromStr for Kind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "file" => Ok(Self::File),
            "environment" => Ok(Self::Environment),
            "transit" => Ok(Self::Transit),
            _ => Err(()),
        }
    }
}

const DEFAULT_OWNERS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

impl KeksConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let dek_cache = dek_cache(reader);
        let (kind, before) = kinds(reader);
        let provider = source(reader, kind);
        let before = before.and_then(|before| source(reader, before));
        Self {
            // What is missing was reported.
            provider: provider.unwrap_or(KekSource::File),
            before,
            dek_cache,
        }
    }
}

fn source(reader: &mut Reader<'_>, kind: Kind) -> Option<KekSource> {
    match kind {
        Kind::File => Some(KekSource::File),
        Kind::Environment => environment(reader),
        Kind::Transit => transit(reader).map(Box::new).map(KekSource::Transit),
    }
}

/// The provider, and the one before it.
fn kinds(reader: &mut Reader<'_>) -> (Kind, Option<Kind>) {
    const BEFORE: &str = "KEK_PROVIDER_BEFORE";
    let Some(said) = reader.text(BEFORE).map(|text| text.trim().to_ascii_lowercase()) else {
        return (kind(reader), None);
    };
    let mend = "Write `file`, `environment` or `transit`";
    let before = reader.parse(BEFORE, Kind::File, mend);
    if reader.text("KEK_PROVIDER").is_none() {
        reader.report("KEK_PROVIDER", format!("must be set beside {BEFORE}"), mend);
    }
    let provider = reader.parse("KEK_PROVIDER", Kind::File, mend);
    let other = reader.text("KEK_PROVIDER").map(|text| text.trim().to_ascii_lowercase());
    if other.is_some_and(|other| other == said) {
        reader.report(BEFORE, "is the provider itself", "Name the other one, or unset it");
    }
    (provider, Some(before))
}

/// As it is said; else as what is set says, where that is one thing.
fn kind(reader: &mut Reader<'_>) -> Kind {
    let set = [
        ("KEK_FILE", Kind::File),
        ("KEK", Kind::Environment),
        ("TRANSIT_URL", Kind::Transit),
    ];
    let set = set.map(|(name, kind)| reader.text(name).map(|_| (name, kind)));
    if set[0].is_some() && set[1].is_some() {
        reader.report(
            "KEK",
            "is set twice, also by KEK_FILE",
            "Unset one of the two: KEK holds the lines themselves, KEK_FILE names the file that holds them",
        );
    }
    let mend = "Write `file`, `environment` or `transit`";
    if reader.text("KEK_PROVIDER").is_some() {
        return reader.parse("KEK_PROVIDER", Kind::File, mend);
    }
    let mut set = set.into_iter().flatten();
    match (set.next(), set.next()) {
        (None, _) => Kind::File,
        (Some((_, kind)), None) => kind,
        (Some((one, kind)), Some((other, _))) => {
            if other == "TRANSIT_URL" {
                let says = format!("must be set where both {one} and {other} are");
                reader.report("KEK_PROVIDER", says, mend);
            }
            kind
        }
    }
}

fn environment(reader: &mut Reader<'_>) -> Option<KekSource> {
    let Some(text) = reader.text("KEK") else {
        let mend = "Set it to the line that `sealgate keys new --print` prints, and keep a copy";
        reader.report("KEK", "is missing beside KEK_PROVIDER=environment", mend);
        return None;
    };
    match LocalKeks::parse(text.split(['\n', ';'])) {
        Ok(keks) => Some(KekSource::Environment(Arc::new(keks))),
        Err(error) => {
            let mend = "Write `kek_… <base64 of 32 bytes>`, with `;` or a new line between several, oldest first";
            reader.report("KEK", format!("can't be read: {error}"), mend);
            None
        }
    }
}

fn transit(reader: &mut Reader<'_>) -> Option<TransitConfig> {
    let url = url(reader);
    let mount = name(reader, "TRANSIT_MOUNT", true).unwrap_or_else(|| "transit".to_owned());
    let key = name(reader, "TRANSIT_KEY", false);
    if key.is_none() {
        let mend = "Name the key that was made for this installation";
        reader.report("TRANSIT_KEY", "is missing beside the transit provider", mend);
    }
    let token = reader.secret("TRANSIT_TOKEN");
    if token.is_none() {
        let mend = "Set it, or better TRANSIT_TOKEN_FILE, which an agent renews";
        reader.report("TRANSIT_TOKEN", "is missing beside the transit provider", mend);
    }
    let authority = reader.text("TRANSIT_CA_FILE").map(|path| std::fs::read(path.trim()));
    let authority = authority.and_then(|read| {
        let mend = "Name a PEM file with the authority's certificate";
        let failed = |error: std::io::Error| {
            let says = format!("names a file that can't be read ({})", error.kind());
            reader.report("TRANSIT_CA_FILE", says, mend);
        };
        read.map_err(failed).ok()
    });
    Some(TransitConfig {
        url: url?,
        mount,
        key: key?,
        token: Arc::new(Private::new(token?.expose().trim().to_owned())),
        token_file: reader.text("TRANSIT_TOKEN_FILE").map(PathBuf::from),
        namespace: reader.text("TRANSIT_NAMESPACE").map(|name| name.trim().to_owned()),
        authority,
        patience: Duration::from_secs(2),
    })
}

fn url(reader: &mut Reader<'_>) -> Option<Url> {
    let mend = "Write an https:// URL without a password in it; http:// is for a server or agent on this machine";
    let Some(text) = reader.text("TRANSIT_URL") else {
        reader.report("TRANSIT_URL", "is missing beside the transit provider", mend);
        return None;
    };
    let url = Url::parse(text.trim()).ok().filter(|url| {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        is_plain && (url.scheme() == "https" || url.scheme() == "http" && is_loopback(url))
    });
    if url.is_none() {
        reader.report("TRANSIT_URL", "is not an https URL", mend);
    }
    url
}

/// A name of the engine's.
fn name(reader: &mut Reader<'_>, variable: &str, may_be_path: bool) -> Option<String> {
    let name = reader.text(variable)?.trim().trim_matches('/').to_owned();
    let is_word = |word: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !word.is_empty() && !word.starts_with('.') && word.bytes().all(is_plain)
    };
    if name.len() > 255 || !(is_word(&name) || may_be_path && name.split('/').all(is_word)) {
        reader.report(variable, "is no name", "Write letters, digits, `-`, `_` and `.`");
    }
    Some(name)
}

fn dek_cache(reader: &mut Reader<'_>) -> Option<DekCacheConfig> {
    let mend = "Write a number of seconds up to 300; 0 remembers none";
    let seconds: u64 = reader.parse("DEK_CACHE_SECONDS", 60, mend);
    if seconds > 300 {
        reader.report(
            "DEK_CACHE_SECONDS",
            "is longer than an erased key may lie in memory",
            mend,
        );
    }
    let mend = "Write how many accounts' keys may be remembered, from 1 to 1000000";
    let owners = reader.parse("DEK_CACHE_SIZE", DEFAULT_OWNERS, mend);
    if owners.get() > 1_000_000 {
        reader.report("DEK_CACHE_SIZE", "is out of range", mend);
    }
    (seconds > 0).then_some(DekCacheConfig {
        lifetime: Duration::from_secs(seconds),
        owners,
    })
}

#[cfg(test)]
mod tests;
