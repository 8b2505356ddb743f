//! How a job ended.

/// Said by every job; the one who ran it writes it into the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken by the provider, or nothing left to do.
    Done,
    /// Not now. The reason is a fixed phrase: it goes into logs.
    Retry(&'static str),
    /// Never. The message is dead and waits for an operator.
    GiveUp(&'static str),
}
