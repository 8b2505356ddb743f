//! Short-lived numbers and the secrets that make them.

use std::fmt;

use zeroize::Zeroizing;

use crate::domain::{
    entropy::{Entropy, make_bytes},
    private::Private,
};

/// Six digits sent to a phone, uniform over 000000 to 999999. Never in an answer, a log or a record.
pub struct OtpCode(Private);

impl OtpCode {
    /// A new one. Values that would favour small numbers are drawn again.
    pub fn make(entropy: &dyn Entropy) -> Self {
        const RANGE: u32 = 1_000_000;
        const LIMIT: u32 = u32::MAX - u32::MAX % RANGE;
        loop {
            let drawn = u32::from_be_bytes(make_bytes(entropy));
            if drawn < LIMIT {
                return Self(Private::new(format!("{:06}", drawn % RANGE)));
            }
        }
    }

    /// What a client sent: up to six ASCII digits, padded on the left (a JSON integer loses its zeros).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| Self(Private::new(format!("{text:0>6}"))))
    }

    /// The six digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for OtpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpCode")
    }
}

/// The shared secret of an authenticator app: 160 bit (RFC 4226 section 4, R6).
pub struct TotpSecret(Zeroizing<[u8; 20]>);

impl TotpSecret {
    /// A new one.
    pub fn make(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(make_bytes(entropy)))
    }

    /// What was sealed; `None` unless there are 20 bytes.
    #[must_use]
    pub fn from_sealed(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_gets_its_leading_zeros_back() {
        assert_eq!(OtpCode::parse("42").expect("digits").expose(), "000042");
        for bad in ["", "1234567", "12a456", "-12345", "１２３４５６", "12 456"] {
            assert!(OtpCode::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_draw_past_the_last_whole_million_is_repeated() {
        struct HighThenLow(std::sync::atomic::AtomicBool);
        impl Entropy for HighThenLow {
            fn fill(&self, out: &mut [u8]) {
                let first = !self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
                out.fill(if first { 0xff } else { 0 });
            }
        }
        assert_eq!(OtpCode::make(&HighThenLow(false.into())).expose(), "000000");
    }
}
