//! The device that somebody calls from, as far as it tells of itself, and the devices that an account was signed in from.

use std::fmt;

use crate::domain::{network::Network, private::Private};

/// Longest kept, in bytes.
const LONGEST: usize = 256;

/// What a client calls itself (RFC 9110 section 10.1.5), cut to 256 bytes of visible text. Personal data: with the network
/// it tells people apart.
pub struct UserAgent(Private);

impl UserAgent {
    /// Of a header's text; `None` where nothing visible is left.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut kept = String::with_capacity(text.len().min(LONGEST));
        // Spaces are cut after control characters are: one may hide behind the other.
        let visible = text.chars().filter(|character| !character.is_control());
        for character in visible.skip_while(|character| character.is_whitespace()) {
            if kept.len() + character.len_utf8() > LONGEST {
                break;
            }
            kept.push(character);
        }
        kept.truncate(kept.trim_end().len());
        (!kept.is_empty()).then(|| Self(Private::new(kept)))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserAgent")
    }
}

/// Where a request comes from.
#[derive(Debug, Default)]
pub struct Device {
    /// What it calls itself.
    pub agent: Option<UserAgent>,
    /// Where it is.
    pub network: Option<Network>,
    /// The token of a sign-in before, as it came.
    pub token: Option<Private>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_not_be_seen_is_not_kept() {
        assert!(UserAgent::parse(" \u{0}\r\n\t ").is_none());
        let agent = UserAgent::parse(" curl/8\r\nX: y ").expect("some text");
        assert_eq!(agent.expose(), "curl/8X: y");
        let agent = UserAgent::parse("\u{0} \u{1}\u{a0}curl/8 \u{7f}").expect("some text");
        assert_eq!(agent.expose(), "curl/8");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_to_whole_characters_that_fit(text in ".{0,400}") {
            if let Some(agent) = UserAgent::parse(&text) {
                prop_assert!(agent.expose().len() <= LONGEST);
                let again = UserAgent::parse(agent.expose()).expect("kept");
                prop_assert_eq!(again.expose(), agent.expose());
            }
        }
    }
}
