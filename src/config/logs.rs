//! How the service speaks to its operator.

use std::net::SocketAddr;

use crate::config::{source::Reader, traces::TracesConfig};

/// Settings of logs.
#[derive(Clone, Debug)]
pub struct LogsConfig {
    /// One JSON object a line, instead of text.
    pub is_json: bool,
    /// A filter as `tracing` reads it, for example `info` or `sealgate=debug,info`.
    pub level: String,
    /// Where metrics are served; nowhere without it.
    pub metrics_address: Option<SocketAddr>,
    /// Where spans go.
    pub traces: TracesConfig,
}

impl LogsConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let is_json = match reader.text("LOG_FORMAT").map(str::trim) {
            None | Some("text") => false,
            Some("json") => true,
            Some(_) => {
                reader.report("LOG_FORMAT", "is not a format", "Write `text` or `json`");
                false
            }
        };
        let default = if reader.switch("DEBUG", false) {
            "sealgate=debug,info"
        } else {
            "info"
        };
        let level = reader.text("LOG_LEVEL").unwrap_or(default).trim().to_owned();
        if tracing_subscriber::EnvFilter::try_new(&level).is_err() {
            reader.report(
                "LOG_LEVEL",
                "is not a filter",
                "Write `info`, or for example `sealgate=debug,info`",
            );
        }
        Self {
            is_json,
            level,
            metrics_address: metrics_address(reader),
            traces: TracesConfig::read(reader),
        }
    }
}

fn metrics_address(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let text = reader.text("METRICS_ADDR")?;
    let parsed = text.trim().parse();
    if parsed.is_err() {
        let mend = "Write an address and a port, for example `127.0.0.1:9464`";
        reader.report("METRICS_ADDR", "is no address with a port", mend);
    }
    parsed.ok()
}
