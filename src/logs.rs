//! Which lines are logged, in which form, and what each says of the work that it belongs to.
//!
//! What a line belongs to (a request, a message) is a span of the target [`WORK`]: it is there whatever the level, so that
//! a warning names its request where `LOG_LEVEL=warn`. Spans that are exported are others, of the target
//! [`traces::SPANS`], and no line shows them: neither the export nor the log takes over what was written for the other.
//!
//! The filter may be another while the process runs: [`set_filter`].

use std::sync::OnceLock;

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::Directive,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    reload,
    util::SubscriberInitExt as _,
};

use crate::{config::logs::LogsConfig, traces};

/// What takes lines or spans.
pub(crate) type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The target of spans that lines of the log show.
pub const WORK: &str = "sealgate::work";

static FILTER: OnceLock<LogFilter> = OnceLock::new();

/// Why the log goes on as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The text is no filter. It is not repeated.
    #[error("is not a filter: write `info`, or for example `sealgate=debug,info`")]
    NotAFilter,
    /// This process does not log.
    #[error("the log has not begun")]
    NotLogging,
}

/// Logs by another filter from the next line on: what `LOG_LEVEL` takes, for example `sealgate=debug,info`. What is wrong
/// changes nothing. Cheap enough to be called whenever settings are read again; never blocks on whoever reads the log.
///
/// ```
/// use sealgate::logs::{FilterError, set_filter};
///
/// // A test does not log.
/// assert_eq!(set_filter("sealgate=debug,info"), Err(FilterError::NotLogging));
/// ```
pub fn set_filter(level: &str) -> Result<(), FilterError> {
    let filter = parse(level)?;
    FILTER.get().ok_or(FilterError::NotLogging)?.set(filter)
}

/// Whether `level` is a filter: `Ok` is what [`set_filter`] would take.
pub fn check_filter(level: &str) -> Result<(), FilterError> {
    parse(level).map(drop)
}

/// The filter of one subscriber.
#[derive(Clone)]
struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    fn set(&self, filter: EnvFilter) -> Result<(), FilterError> {
        self.0.reload(filter).map_err(|_| FilterError::NotLogging)?;
        // Lines of libraries that know `log` alone are dropped before they get here, at the level of the start.
        log::set_max_level(log_level(tracing::level_filters::LevelFilter::current()));
        Ok(())
    }
}

/// Begins to log to `writer`, and to hand spans to `exported`. To be called once; a second call changes nothing.
pub(crate) fn install<W>(config: &LogsConfig, has_colour: bool, writer: W, exported: Option<BoxedLayer>)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = parse(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (subscriber, filter) = subscriber(config.is_json, has_colour, filter, writer, exported);
    if subscriber.try_init().is_ok() {
        let _ = FILTER.set(filter);
    }
}

fn subscriber<W>(
    is_json: bool,
    has_colour: bool,
    filter: EnvFilter,
    writer: W,
    exported: Option<BoxedLayer>,
) -> (impl Subscriber + Send + Sync + 'static, LogFilter)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer::<Registry>().with_writer(writer);
    let lines = if is_json {
        lines.json().boxed()
    } else {
        lines.with_ansi(has_colour).boxed()
    };
    let lines: BoxedLayer = lines.with_filter(filter).boxed();
    let layers: Vec<BoxedLayer> = [lines].into_iter().chain(exported).collect();
    let subscriber = tracing_subscriber::registry().with(layers);
    (subscriber, LogFilter(handle))
}

fn parse(level: &str) -> Result<EnvFilter, FilterError> {
    let directive = |target: &str, level: &str| -> Result<Directive, FilterError> {
        format!("{target}={level}").parse().map_err(|_| FilterError::NotAFilter)
    };
    let filter = EnvFilter::try_new(level.trim()).map_err(|_| FilterError::NotAFilter)?;
    Ok(filter
        .add_directive(directive(WORK, "info")?)
        .add_directive(directive(traces::SPANS, "off")?))
}

fn log_level(level: tracing::level_filters::LevelFilter) -> log::LevelFilter {
    match level.into_level() {
        None => log::LevelFilter::Off,
        Some(tracing::Level::ERROR) => log::LevelFilter::Error,
        Some(tracing::Level::WARN) => log::LevelFilter::Warn,
        Some(tracing::Level::INFO) => log::LevelFilter::Info,
        Some(tracing::Level::DEBUG) => log::LevelFilter::Debug,
        Some(tracing::Level::TRACE) => log::LevelFilter::Trace,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn take(&self) -> String {
            let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8(std::mem::take(&mut written)).expect("text")
        }
    }

    impl io::Write for Written {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs at `level` while `work` runs.
    fn logging<T>(is_json: bool, level: &str, work: impl FnOnce(&Written, &LogFilter) -> T) -> T {
        let written = Written::default();
        let writer = written.clone();
        let filter = parse(level).expect("a filter");
        let (subscriber, filter) = subscriber(is_json, false, filter, move || writer.clone(), None);
        tracing::subscriber::with_default(subscriber, || work(&written, &filter))
    }

    #[test]
    fn the_level_changes_while_it_logs() {
        logging(false, "info", |written, filter| {
            let says = || {
                tracing::debug!("quiet");
                tracing::info!("loud");
                written.take()
            };
            let before = says();
            assert!(before.contains("loud") && !before.contains("quiet"), "{before}");
            filter
                .set(parse("sealgate=debug,warn").expect("a filter"))
                .expect("it logs");
            let talkative = says();
            assert!(talkative.contains("loud") && talkative.contains("quiet"), "{talkative}");
            filter.set(parse(" warn\n").expect("a filter")).expect("it logs");
            assert_eq!(says(), "");
        });
    }

    #[test]
    fn what_is_no_filter_is_refused_and_not_repeated() {
        for wrong in ["sealgate=loud", "a=b=c", "[{"] {
            assert_eq!(check_filter(wrong), Err(FilterError::NotAFilter), "{wrong}");
            assert_eq!(set_filter(wrong), Err(FilterError::NotAFilter), "{wrong}");
        }
        assert!(!FilterError::NotAFilter.to_string().contains("loud"));
        check_filter("sealgate=debug,info").expect("a filter");
    }

    #[test]
    fn a_line_names_its_work_at_every_level_and_in_both_forms() {
        for level in ["warn", "sealgate=warn", "trace", "sealgate::work=off,warn"] {
            for is_json in [false, true] {
                logging(is_json, level, |written, _| {
                    let work = tracing::info_span!(target: WORK, "request", id = "req_1");
                    let exported = tracing::info_span!(target: traces::SPANS, "POST", secret = "hidden");
                    work.in_scope(|| exported.in_scope(|| tracing::warn!("something")));
                    let line = written.take();
                    assert!(line.contains("req_1") && line.contains("something"), "{level}: {line}");
                    assert!(!line.contains("hidden"), "{level}: {line}");
                    assert_eq!(
                        is_json,
                        serde_json::from_str::<serde_json::Value>(&line).is_ok(),
                        "{line}"
                    );
                });
            }
        }
    }

    #[test]
    fn a_span_for_the_export_costs_nothing_where_none_is_configured() {
        logging(false, "trace", |_, _| {
            let span = tracing::info_span!(target: traces::SPANS, "POST", code = unreachable());
            assert!(span.is_disabled());
        });
    }

    fn unreachable() -> u8 {
        panic!("what a span would say is not even looked at")
    }
}
