//! Takes spans to the collector: in batches, on a thread of its own. A request never waits for it: past so many spans the
//! next are dropped, and a collector that is away is told of at once and then rarely.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    resource::TelemetryResourceDetector,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::time::Instant;
use tracing_subscriber::{Layer as _, Registry, filter::filter_fn};

use crate::{
    config::traces::{ExporterConfig, TracesConfig},
    logs::BoxedLayer,
    traces::SPANS,
};

/// How long one batch may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last ones may take at the end.
const LAST: Duration = Duration::from_secs(3);
/// How often is said that the collector is still away.
const PERIOD: Duration = Duration::from_mins(10);

/// Exports what waits when it goes.
#[derive(Debug)]
pub struct TraceGuard(SdkTracerProvider);

impl TraceGuard {
    #[cfg(test)]
    pub(super) fn of(provider: SdkTracerProvider) -> Self {
        Self(provider)
    }
}

impl Drop for TraceGuard {
    fn drop(&mut self) {
        // What could not be exported is said by then.
        let _ = self.0.shutdown_with_timeout(LAST);
    }
}

/// Starts to export, where an exporter is configured. `service_name` is the process's own.
pub(crate) fn start(config: &TracesConfig, service_name: &'static str) -> anyhow::Result<Option<TraceGuard>> {
    let Some(config) = &config.exporter else {
        return Ok(None);
    };
    let headers = config.headers.pairs();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(config.url.as_str())
        .with_timeout(PATIENCE)
        .with_headers(
            headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
        .build()?;
    let provider = provider(config, service_name, exporter);
    Ok(Some(TraceGuard(provider)))
}

fn provider(
    config: &ExporterConfig,
    service_name: &'static str,
    exporter: impl SpanExporter + 'static,
) -> SdkTracerProvider {
    let exporter = Reported {
        exporter,
        away: Mutex::default(),
    };
    let batches = BatchConfigBuilder::default()
        .with_scheduled_delay(config.delay)
        .with_max_queue_size(config.queue);
    let batches = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches.build())
        .build();
    let attributes = config.attributes.iter();
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(attributes.map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .with_service_name(config.service_name.clone().unwrap_or_else(|| service_name.to_owned()))
        .build();
    SdkTracerProvider::builder()
        .with_span_processor(batches)
        .with_sampler(sampler(config))
        .with_resource(resource)
        .build()
}

fn sampler(config: &ExporterConfig) -> Sampler {
    let own = Sampler::TraceIdRatioBased(config.sampler.share);
    if config.sampler.is_parent_based {
        Sampler::ParentBased(Box::new(own))
    } else {
        own
    }
}

/// What makes spans of ours the collector's, and of nobody else.
pub(crate) fn layer(guard: &TraceGuard) -> BoxedLayer {
    let tracer = guard.0.tracer("sealgate");
    tracing_opentelemetry::layer::<Registry>()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == SPANS))
        .boxed()
}

/// Says in the log when the collector is away, and when it is back.
#[derive(Debug)]
struct Reported<E> {
    exporter: E,
    away: Mutex<Option<Away>>,
}

/// For how long the collector has been away.
#[derive(Debug)]
struct Away {
    said: Instant,
    lost: usize,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Away { lost: usize },
    Back { lost: usize },
}

impl<E> Reported<E> {
    fn note(&self, spans: usize, is_exported: bool, now: Instant) -> Option<News> {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if is_exported {
            return away.take().map(|Away { lost, .. }| News::Back { lost });
        }
        match &mut *away {
            Some(away) => {
                away.lost += spans;
                let is_due = now.saturating_duration_since(away.said) >= PERIOD;
                is_due.then(|| {
                    away.said = now;
                    News::Away { lost: away.lost }
                })
            }
            None => {
                *away = Some(Away { said: now, lost: spans });
                Some(News::Away { lost: spans })
            }
        }
    }
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        match self.note(spans, exported.is_ok(), Instant::now()) {
            Some(News::Away { lost }) => tracing::warn!(
                lost,
                "the collector takes no spans: see OTEL_EXPORTER_OTLP_ENDPOINT and its headers; they are dropped meanwhile"
            ),
            Some(News::Back { lost }) => tracing::info!(lost, "the collector takes spans again"),
            None => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_is_away_is_told_of_rarely() {
        let reported = Reported {
            exporter: (),
            away: Mutex::default(),
        };
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(reported.note(3, true, began), None, "nothing to say");
        assert_eq!(reported.note(3, false, began), Some(News::Away { lost: 3 }));
        for second in 1..600 {
            assert_eq!(reported.note(1, false, after(second)), None, "{second}");
        }
        assert_eq!(reported.note(1, false, after(600)), Some(News::Away { lost: 603 }));
        assert_eq!(reported.note(1, false, after(601)), None);
        assert_eq!(reported.note(5, true, after(602)), Some(News::Back { lost: 604 }));
        assert_eq!(reported.note(5, true, after(603)), None);
    }
}
