//! Development, staging or production: how forgiving the rest of the configuration is.

use std::str::FromStr;

use crate::config::{http::HttpConfig, keks::KekSource, source::Reader, stores::StoresConfig};

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// On a laptop: loopback, the embedded store, mails in a directory, the development pages.
    Development,
    /// As production, but mails may go to a directory.
    Staging,
    /// Nothing that was made for trying out.
    Production,
}

impl FromStr for Environment {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "development" | "dev" => Ok(Self::Development),
            "staging" => Ok(Self::Staging),
            "production" | "prod" => Ok(Self::Production),
            _ => Err(()),
        }
    }
}

impl Environment {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, http: &HttpConfig, stores: &StoresConfig) -> Self {
        let is_said = reader.text("ENVIRONMENT").is_some();
        let environment = reader.parse(
            "ENVIRONMENT",
            Self::Development,
            "Write `development`, `staging` or `production`",
        );
        let is_reachable = !http.address.ip().is_loopback();
        if !is_said && (is_reachable || stores.production.is_some()) {
            let says = "must be set when the service listens beyond loopback or uses MONGO_URL";
            reader.report(
                "ENVIRONMENT",
                says,
                "Write `staging` or `production` (or `development`, if you mean it)",
            );
        }
        if environment == Self::Production {
            if !http.rate_limits {
                let says = "is off, which production does not take";
                reader.report("RATE_LIMITS", says, "Unset it; it is for load tests");
            }
            if http.public_url.scheme() != "https" {
                let says = "must begin with https:// in production: mailed links begin with it";
                reader.report("PUBLIC_URL", says, "Write the URL that people reach the service by");
            }
            let sources = [Some(&stores.keks.provider), stores.keks.before.as_ref()];
            let has_file = sources.iter().flatten().any(|source| matches!(source, KekSource::File));
            if has_file && stores.kek_file.starts_with(&stores.data_dir) {
                let says = "must not lie beside the data in production";
                reader.report(
                    "KEK_FILE",
                    says,
                    "Move the key file to a volume of its own and name it here",
                );
            }
        }
        environment
    }
}
