//! Where spans are exported to: OpenTelemetry's own variables, those that `.env.example` lists.

use std::{fmt, sync::Arc, time::Duration};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{
    config::{sms::is_loopback, source::Reader},
    domain::private::Private,
};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
const QUEUE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";

/// Settings of traces.
#[derive(Clone, Debug)]
pub struct TracesConfig {
    /// Who has spans; nobody without it, and then there are none.
    pub exporter: Option<ExporterConfig>,
}

/// A collector that speaks OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct ExporterConfig {
    /// Where spans are posted to.
    pub url: Url,
    /// Sent with each post; mostly a token.
    pub headers: Headers,
    /// How the process is called, if not as its binary.
    pub service_name: Option<String>,
    /// What else is said about where it runs.
    pub attributes: Vec<(String, String)>,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// How long spans wait for others.
    pub delay: Duration,
    /// How many wait; past that they are dropped.
    pub queue: usize,
}

/// Names and values that are never shown.
#[derive(Clone)]
pub struct Headers(Arc<[(String, Private)]>);

impl Headers {
    /// Each.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// The share of those that begin here.
    pub share: f64,
    /// Whether the caller's decision counts where there is one.
    pub is_parent_based: bool,
}

impl TracesConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let is_disabled = reader.switch("OTEL_SDK_DISABLED", false);
        let exporter = exporter(reader);
        Self {
            exporter: exporter.filter(|_| !is_disabled),
        }
    }
}

fn exporter(reader: &mut Reader<'_>) -> Option<ExporterConfig> {
    let headers = reader.secret(HEADERS);
    let text = reader.text(ENDPOINT)?;
    let url = Url::parse(text.trim()).ok().and_then(traces_of);
    if url.is_none() {
        let mend = "Write an http:// or https:// URL without a password in it, for example `http://127.0.0.1:4318`";
        reader.report(ENDPOINT, "is not a URL of a collector", mend);
    }
    let headers = headers.map_or(Some(Vec::new()), |text| pairs(text.expose()));
    if headers.is_none() {
        let mend = "Write `name=value,name=value`, special characters of values percent-encoded";
        reader.report(HEADERS, "can't be read", mend);
    }
    let is_open = |url: &Url| url.scheme() == "http" && !is_loopback(url);
    if url.as_ref().is_some_and(is_open) && headers.as_ref().is_some_and(|headers| !headers.is_empty()) {
        let mend = "Use https://; http:// with headers is for a collector on this machine";
        reader.report(ENDPOINT, "would carry OTEL_EXPORTER_OTLP_HEADERS in the clear", mend);
    }
    if reader.text(PROTOCOL).is_some_and(|text| text.trim() != "http/protobuf") {
        let mend = "Write `http/protobuf`, or nothing; collectors take it on port 4318";
        reader.report(PROTOCOL, "is not spoken", mend);
    }
    let attributes = reader.text(ATTRIBUTES).map_or(Some(Vec::new()), pairs);
    if attributes.is_none() {
        let mend = "Write `key=value,key=value`, special characters of values percent-encoded";
        reader.report(ATTRIBUTES, "can't be read", mend);
    }
    let sampler = sampler(reader);
    let mend = "Write a number of milliseconds, for example `5000`";
    let delay = Duration::from_millis(reader.parse(DELAY, 5000, mend));
    let queue = reader.parse(QUEUE, 2048, "Write a number of spans, for example `2048`");
    let mut attributes = attributes?;
    // Their own variable counts for more.
    let named = attributes.iter().position(|(key, _)| key == "service.name");
    let named = named.map(|at| attributes.remove(at).1);
    let service_name = reader.text("OTEL_SERVICE_NAME").map(|name| name.trim().to_owned());
    let headers = headers?.into_iter();
    Some(ExporterConfig {
        url: url?,
        headers: Headers(headers.map(|(name, value)| (name, Private::new(value))).collect()),
        service_name: service_name.or(named),
        attributes,
        sampler,
        delay,
        queue,
    })
}

/// Where spans go, under the collector's base.
fn traces_of(mut base: Url) -> Option<Url> {
    let is_private = base.username().is_empty() && base.password().is_none();
    if !is_private || !["http", "https"].contains(&base.scheme()) {
        return None;
    }
    base.path_segments_mut().ok()?.pop_if_empty().extend(["v1", "traces"]);
    Some(base)
}

fn sampler(reader: &mut Reader<'_>) -> Sampler {
    let name = reader.text(SAMPLER).map_or("parentbased_always_on", str::trim);
    let (is_parent_based, own) = match name.strip_prefix("parentbased_") {
        Some(own) => (true, own),
        None => (false, name),
    };
    let share = match own {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => {
            let mend = "Write a share between 0 and 1, for example `0.1`";
            let share: f64 = reader.parse(SHARE, 1.0, mend);
            if !(0.0..=1.0).contains(&share) {
                reader.report(SHARE, "is no share", mend);
            }
            share
        }
        _ => {
            let mend = "Write `always_on`, `always_off` or `traceidratio`, with or without `parentbased_` before it";
            reader.report(SAMPLER, "is not a sampler", mend);
            1.0
        }
    };
    Sampler { share, is_parent_based }
}

/// `key=value,key=value`, values percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    let pair = |member: &str| {
        let (key, value) = member.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), value))
    };
    members.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};

    fn load(pairs: &[(&str, &str)]) -> Result<Option<ExporterConfig>, Vec<String>> {
        let pairs = pairs.iter();
        let source = Source::from_pairs(pairs.map(|&(name, value)| (name.to_owned(), value.to_owned())));
        match Config::load(&source) {
            Ok(config) => Ok(config.logs.traces.exporter),
            Err(problems) => Err(problems.into_iter().map(|problem| problem.name).collect()),
        }
    }

    fn exporter(pairs: &[(&str, &str)]) -> ExporterConfig {
        load(pairs).expect("valid").expect("an exporter")
    }

    #[test]
    fn without_an_endpoint_or_disabled_nothing_is_exported() {
        assert!(load(&[]).expect("valid").is_none());
        assert!(load(&[(ENDPOINT, "  ")]).expect("valid").is_none());
        let disabled = [(ENDPOINT, "http://127.0.0.1:4318"), ("OTEL_SDK_DISABLED", "true")];
        assert!(load(&disabled).expect("valid").is_none());
    }

    #[test]
    fn spans_go_under_the_collectors_base() {
        for (base, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otel.example.com/", "https://otel.example.com/v1/traces"),
            ("https://example.com/otlp/", "https://example.com/otlp/v1/traces"),
        ] {
            assert_eq!(exporter(&[(ENDPOINT, base)]).url.as_str(), url);
        }
    }

    #[test]
    fn what_is_said_about_the_process_is_read() {
        let said = exporter(&[
            (ENDPOINT, "http://127.0.0.1:4318"),
            (
                ATTRIBUTES,
                "service.name=of-attributes, deployment.environment.name=a%2Cb",
            ),
        ]);
        assert_eq!(said.service_name.as_deref(), Some("of-attributes"));
        let one = ("deployment.environment.name".to_owned(), "a,b".to_owned());
        assert_eq!(said.attributes, [one]);
        let said = exporter(&[
            (ENDPOINT, "http://127.0.0.1:4318"),
            (ATTRIBUTES, "service.name=of-attributes"),
            ("OTEL_SERVICE_NAME", "own"),
        ]);
        assert_eq!(said.service_name.as_deref(), Some("own"));
    }

    #[test]
    fn samplers_are_told_apart() {
        for (name, share, expected) in [
            (None, None, (1.0, true)),
            (Some("always_off"), None, (0.0, false)),
            (Some("parentbased_traceidratio"), Some("0.25"), (0.25, true)),
            (Some("traceidratio"), None, (1.0, false)),
        ] {
            let mut pairs = vec![(ENDPOINT, "http://127.0.0.1:4318")];
            pairs.extend(name.map(|name| (SAMPLER, name)));
            pairs.extend(share.map(|share| (SHARE, share)));
            let sampler = exporter(&pairs).sampler;
            let (share, is_parent_based) = expected;
            assert_eq!(sampler, Sampler { share, is_parent_based }, "{name:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (pair, name) in [
            ((ENDPOINT, "collector:4318"), ENDPOINT),
            ((ENDPOINT, "ftp://collector"), ENDPOINT),
            ((ENDPOINT, "http://ada:secret@collector"), ENDPOINT),
            ((PROTOCOL, "grpc"), PROTOCOL),
            ((SAMPLER, "jaeger_remote"), SAMPLER),
            ((ATTRIBUTES, "nothing"), ATTRIBUTES),
            ((HEADERS, "nothing"), HEADERS),
            ((DELAY, "soon"), DELAY),
        ] {
            let mut pairs = vec![(ENDPOINT, "http://127.0.0.1:4318")];
            pairs.retain(|(name, _)| *name != pair.0);
            pairs.push(pair);
            assert_eq!(load(&pairs).expect_err("refused"), [name], "{pair:?}");
        }
        let share = [(ENDPOINT, "http://[::1]:4318"), (SAMPLER, "traceidratio"), (SHARE, "2")];
        assert_eq!(load(&share).expect_err("refused"), [SHARE]);
    }

    #[test]
    fn a_token_does_not_leave_the_machine_in_the_clear_and_is_never_shown() {
        let token = (HEADERS, "authorization=Bearer%20token-of-the-collector");
        assert_eq!(
            load(&[(ENDPOINT, "http://collector:4318"), token]).expect_err("refused"),
            [ENDPOINT]
        );
        let config = exporter(&[(ENDPOINT, "https://collector:4318"), token]);
        let headers: Vec<_> = config.headers.pairs().collect();
        assert_eq!(headers, [("authorization", "Bearer token-of-the-collector")]);
        let shown = format!("{config:?}");
        assert!(
            shown.contains("authorization") && !shown.contains("token-of"),
            "{shown}"
        );
    }
}
