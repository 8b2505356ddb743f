//! Metrics for Prometheus, on a port of their own that no client of the API reaches.
//!
//! Where they are counted, they are counted by `metrics`' macros; here they are named and served. No label holds what a
//! client sent.

use std::net::SocketAddr;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusBuilder;

/// Serves them at `address`, at any path. To be called once in a process, inside the runtime.
pub fn listen(address: SocketAddr) -> anyhow::Result<()> {
    let in_use = || format!("METRICS_ADDR {address} is in use or not of this machine; choose another port");
    // The library binds later, where nobody is told.
    drop(std::net::TcpListener::bind(address).with_context(in_use)?);
    PrometheusBuilder::new()
        .with_http_listener(address)
        .install()
        .with_context(in_use)?;
    metrics::describe_counter!(
        "sealgate_email_filter_answers_total",
        "Sign-ins by address that the e-mail filter answered: `no` without the database, `maybe` with it"
    );
    metrics::describe_counter!(
        "sealgate_email_filter_false_positives_total",
        "Of those answered with `maybe`, those that the database knew nobody for"
    );
    metrics::describe_gauge!(
        "sealgate_email_filter_fill_ratio",
        "Share of the e-mail filter's bits that are set, as a worker saw it last; a half is full"
    );
    metrics::describe_gauge!(
        "sealgate_email_filter_items",
        "Addresses in the e-mail filter, about, as a worker saw it last"
    );
    metrics::describe_counter!(
        "sealgate_texts_total",
        "Texts that were asked for: `sent`, `limited` or `paused`"
    );
    metrics::describe_counter!("sealgate_text_codes_verified_total", "Codes that came back right");
    metrics::describe_counter!(
        "sealgate_text_alarms_total",
        "Alarms of texts: too few codes come back (`conversion`), none leaves any more (`pause`)"
    );
    metrics::describe_gauge!(
        "sealgate_tls_certificate_ends_seconds",
        "When the certificate ends that this server speaks TLS with, in seconds of Unix time"
    );
    metrics::describe_gauge!(
        "sealgate_key_age_days",
        "How old the key is that writes for this use, in days, as this worker sees it"
    );
    metrics::describe_gauge!(
        "sealgate_keys_overdue",
        "Keys that can be rotated and are older than KEY_PERIOD_DAYS, as this worker sees it"
    );
    Ok(())
}
