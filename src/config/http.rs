//! Where the service listens, what its links begin with, and who may call it from a browser.

use std::net::{Ipv4Addr, SocketAddr};

use url::Url;

use crate::{
    config::{source::Reader, tls::TlsConfig},
    domain::limits::{Limit, Quotas},
};

/// Settings of the HTTP edge.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it speaks TLS with; without it a proxy does, or nobody.
    pub tls: Option<TlsConfig>,
    /// What people reach it by: links, issuers and audiences begin with it. Its path ends with `/`.
    pub public_url: Url,
    /// Its name in mails and pages.
    pub app_name: String,
    /// Origins of browser apps that may call it.
    pub cors_origins: Vec<String>,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<String>,
    /// Clients whose address is not counted, as networks.
    pub limit_exempt: Vec<String>,
    /// Whether requests are counted; off for load tests.
    pub rate_limits: bool,
    /// How often what may be done.
    pub quotas: Quotas,
    /// Whether `/docs`, `/redoc`, `/scalar` and the document are served.
    pub docs: bool,
}

impl HttpConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let address = reader.parse(
            "HTTP_ADDR",
            SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            "Write an address and a port, for example `127.0.0.1:8000`",
        );
        let tls = TlsConfig::read(reader);
        Self {
            address,
            public_url: public_url(reader, address, tls.is_some()),
            tls,
            app_name: reader.text("APP_NAME").unwrap_or("Sealgate").trim().to_owned(),
            cors_origins: cors_origins(reader),
            trusted_proxies: networks(reader, "TRUSTED_PROXIES"),
            limit_exempt: limit_exempt(reader),
            rate_limits: reader.switch("RATE_LIMITS", true),
            quotas: quotas(reader),
            docs: reader.switch("DOCS", true),
        }
    }
}

fn quotas(reader: &mut Reader<'_>) -> Quotas {
    let mut quotas = Quotas::default();
    // A mistyped limit would silently stay at its default.
    let unknown = reader
        .names()
        .filter(|name| {
            name.starts_with("LIMIT_") && *name != EXEMPT && Limit::ALL.iter().all(|limit| limit.variable() != *name)
        })
        .map(str::to_owned)
        .collect::<Vec<_>>();
    for name in unknown {
        reader.report(&name, "is no limit", "See .env.example for those there are");
    }
    for limit in Limit::ALL {
        let mend = "Write a number from 1 and a period, for example `5/min`, `100/h` or `1/day`";
        let quota = reader.parse(limit.variable(), quotas.of(*limit), mend);
        quotas.set(*limit, quota);
    }
    quotas
}

fn public_url(reader: &mut Reader<'_>, address: SocketAddr, has_tls: bool) -> Url {
    let scheme = if has_tls { "https" } else { "http" };
    let (name, text) = match (reader.text("PUBLIC_URL"), reader.text("APP_DOMAIN")) {
        (Some(url), _) => ("PUBLIC_URL", url.trim().to_owned()),
        // The old name holds a bare domain.
        (None, Some(domain)) if !domain.contains("://") => ("APP_DOMAIN", format!("https://{}", domain.trim())),
        (None, Some(url)) => ("APP_DOMAIN", url.trim().to_owned()),
        (None, None) => ("HTTP_ADDR", format!("{scheme}://{address}")),
    };
    match Url::parse(&text) {
        Ok(mut url) if is_base(&url) => {
            if has_tls && url.scheme() != "https" {
                let says = "begins with http://, and TLS_CERT_FILE has the service speak TLS";
                reader.report(name, says, "Write https://, or unset TLS_CERT_FILE and TLS_KEY_FILE");
            }
            // What is appended to it must not run into its last word.
            if !url.path().ends_with('/') {
                url.set_path(&format!("{}/", url.path()));
            }
            url
        }
        _ => {
            reader.report(
                name,
                "is not a web address",
                "Write, for example, `https://id.example.com`",
            );
            #[expect(clippy::unwrap_used, reason = "a constant")]
            Url::parse("http://127.0.0.1").unwrap()
        }
    }
}

const EXEMPT: &str = "LIMIT_EXEMPT";

/// Everybody is not an exemption.
fn limit_exempt(reader: &mut Reader<'_>) -> Vec<String> {
    let exempt = networks(reader, EXEMPT);
    if exempt.iter().any(|entry| entry.ends_with("/0")) {
        reader.report(
            EXEMPT,
            "exempts everybody",
            "List the networks of your own monitoring or gateways",
        );
    }
    exempt
}

/// Addresses and networks, in text: the HTTP edge reads them again.
fn networks(reader: &mut Reader<'_>, name: &str) -> Vec<String> {
    let list = reader.text(name).unwrap_or_default();
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let networks: Vec<String> = entries.map(with_prefix_length).collect();
    if !networks.iter().all(|entry| is_network(entry)) {
        let mend = "List addresses or networks such as `10.0.0.0/8`, separated by commas";
        reader.report(name, "has an entry that is neither an address nor a network", mend);
    }
    networks
}

fn with_prefix_length(entry: &str) -> String {
    match entry.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => format!("{entry}/32"),
        Ok(std::net::IpAddr::V6(_)) => format!("{entry}/128"),
        Err(_) => entry.to_owned(),
    }
}

fn is_network(entry: &str) -> bool {
    entry
        .split_once('/')
        .is_some_and(|(address, length)| match address.parse::<std::net::IpAddr>() {
            Ok(address) => length
                .parse::<u8>()
                .is_ok_and(|length| length <= if address.is_ipv4() { 32 } else { 128 }),
            Err(_) => false,
        })
}

fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
}

fn cors_origins(reader: &mut Reader<'_>) -> Vec<String> {
    let list = reader.text("CORS_ORIGINS").unwrap_or_default();
    let origins: Vec<String> = list
        .split(',')
        .map(|origin| origin.trim().trim_end_matches('/').to_owned())
        .filter(|o| !o.is_empty())
        .collect();
    let is_origin = |text: &String| {
        Url::parse(text).is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == *text)
    };
    if !origins.iter().all(is_origin) {
        let mend = "List origins such as `https://app.example.com`, separated by commas; `*` is not accepted";
        reader.report("CORS_ORIGINS", "has an entry that is not an origin", mend);
    }
    origins
}
