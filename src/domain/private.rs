//! The one wrapper around text that nobody but its owner may read.
//!
//! Every domain type that holds personal data or a credential keeps it in a [`Private`]: the memory is wiped on
//! drop, nothing can be cloned, compared with `==`, serialised or printed. `expose()` is the only door, so that a
//! search for `.expose()` lists every place where plaintext is touched.
//!
//! To add a type: wrap a `Private`, give it a `parse` that is its only constructor, an `expose`, and a line in
//! `tests/rules/leaks/` that shows it can't enter a record, a job, a log field or a metric label.

use std::fmt;

use zeroize::Zeroizing;

/// Text in memory that is wiped on drop and prints as its type's name only.
pub struct Private(Zeroizing<String>);

impl Private {
    /// Takes ownership of `text`; no copy of it is left behind.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The plaintext.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}

/// Why a value was refused at the edge: a stable code for programs and, through `Display`, a sentence for people
/// that says how to mend it and never repeats the value.
pub trait Refusal: fmt::Display {
    /// `snake_case`, part of the API: it never changes its meaning.
    fn code(&self) -> &'static str;
}
