//! Which lines are logged: what `LOG_LEVEL` says, replaced while the process runs.

use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

type Replace = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// Of the one subscriber that a process has.
static REPLACE: OnceLock<Replace> = OnceLock::new();

/// Why a filter was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// What `LOG_LEVEL` would be refused for too.
    #[error("is no filter")]
    NotAFilter,
    /// The process has not begun to log.
    #[error("nothing is logged")]
    NotLogging,
}

/// Takes what `LOG_LEVEL` takes; from the next line on.
pub fn set_filter(text: &str) -> Result<(), FilterError> {
    let filter = EnvFilter::try_new(text.trim()).map_err(|_| FilterError::NotAFilter)?;
    let replace = REPLACE.get().ok_or(FilterError::NotLogging)?;
    if replace(filter) {
        Ok(())
    } else {
        Err(FilterError::NotLogging)
    }
}

/// By what the filter is replaced; the first one that a process sets.
pub(crate) fn hold(replace: impl Fn(EnvFilter) -> bool + Send + Sync + 'static) {
    let _ = REPLACE.set(Box::new(replace));
}
