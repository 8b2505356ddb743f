//! Whose work something is part of, as W3C Trace Context writes it (`traceparent`): random numbers and one flag, which say
//! nothing about anybody.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Of version 00: `00-<trace>-<span>-<flags>`.
const LENGTH: usize = 55;
/// A later version may say more behind that, and not this much.
const LONGEST: usize = 128;
/// The one flag that is taken over: the caller records its part.
const SAMPLED: u8 = 1;

/// One span of one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    trace: u128,
    span: u64,
    is_sampled: bool,
}

/// A text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct NotATraceParent;

impl TraceParent {
    /// Of ids that are both not zero.
    #[must_use]
    pub fn new(trace: u128, span: u64, is_sampled: bool) -> Option<Self> {
        (trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            is_sampled,
        })
    }

    /// The trace's id.
    #[must_use]
    pub fn trace(self) -> u128 {
        self.trace
    }

    /// The span's id.
    #[must_use]
    pub fn span(self) -> u64 {
        self.span
    }

    /// Whether its span is recorded.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.is_sampled
    }

    /// From a header's bytes; nothing where they are not exactly one.
    #[must_use]
    pub fn of_header(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

/// Lower case only, as the recommendation has it.
fn hex<const DIGITS: usize>(text: &str) -> Option<u128> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == DIGITS && text.bytes().all(is_hex))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let parse = || {
            let (known, rest) = text.split_at_checked(LENGTH)?;
            let mut parts = known.split('-');
            let version = hex::<2>(parts.next()?)?;
            let (trace, span) = (hex::<32>(parts.next()?)?, hex::<16>(parts.next()?)?);
            let flags = u8::try_from(hex::<2>(parts.next()?)?).ok()?;
            let is_whole = match version {
                0 => rest.is_empty(),
                0xff => false,
                _ => rest.is_empty() || rest.starts_with('-') && text.len() <= LONGEST,
            };
            (is_whole && parts.next().is_none())
                .then(|| Self::new(trace, u64::try_from(span).ok()?, flags & SAMPLED != 0))
                .flatten()
        };
        parse().ok_or(NotATraceParent)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled) * SAMPLED;
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

impl TryFrom<String> for TraceParent {
    type Error = NotATraceParent;

    fn try_from(text: String) -> Result<Self, NotATraceParent> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of the recommendation.
    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_recommendations_example_is_read_and_written() {
        let parent: TraceParent = EXAMPLE.parse().expect("valid");
        assert_eq!(parent.trace(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(parent.span(), 0xb7ad_6b71_6920_3331);
        assert!(parent.is_sampled());
        assert_eq!(parent.to_string(), EXAMPLE);
        let later: TraceParent = format!("cc{}-what-comes-later", &EXAMPLE[2..]).parse().expect("later");
        assert_eq!(later, parent);
    }

    #[test]
    fn what_is_none_is_refused() {
        let later = format!("cc{}", &EXAMPLE[2..]);
        for wrong in [
            "",
            "00",
            &EXAMPLE[..54],
            &format!("{EXAMPLE}-more"),
            &format!(" {EXAMPLE}"),
            &format!("ff{}", &EXAMPLE[2..]),
            &format!("{later}more"),
            &format!("{later}-{}", "x".repeat(LONGEST)),
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replace('-', "_"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(wrong.parse::<TraceParent>(), Err(NotATraceParent), "{wrong}");
        }
        assert_eq!(TraceParent::of_header(b"00-\xff"), None);
    }

    proptest! {
        #[test]
        fn it_reads_what_it_writes(trace in 1..=u128::MAX, span in 1..=u64::MAX, is_sampled: bool) {
            let parent = TraceParent::new(trace, span, is_sampled).expect("not zero");
            prop_assert_eq!(parent.to_string().parse(), Ok(parent));
        }

        #[test]
        fn no_text_is_a_surprise(text in "\\PC{0,80}") {
            if let Ok(parent) = text.parse::<TraceParent>() {
                prop_assert!(parent.trace() != 0 && parent.span() != 0);
            }
        }
    }
}
