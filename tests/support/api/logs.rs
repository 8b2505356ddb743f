//! Everything that the process logs, at every level: to look for what must not be there.

use std::{
    io,
    sync::{Mutex, Once, PoisonError},
};

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Logged;

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        logged.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to collect. Once per process.
pub(super) fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let collecting = tracing_subscriber::fmt()
            // As the service's own log has it: spans for the export are in no line.
            .with_env_filter("sealgate=trace,sealgate::spans=off,info")
            .with_ansi(false)
            .with_writer(|| Logged)
            .try_init();
        collecting.expect("nobody else collects what is logged");
    });
}

/// What was logged so far, by every test of this process.
pub(crate) fn logged() -> String {
    String::from_utf8_lossy(&LOGGED.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
