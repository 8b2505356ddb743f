//! Where a text to a number would go. Judged when one would be sent, never when a number is stored.

use phonenumber::{Type, metadata::DATABASE};

use crate::domain::phone::Phone;

impl Phone {
    /// The country's calling code, where the number begins with one that is in use.
    #[must_use]
    pub fn calling_code(&self) -> Option<u16> {
        let number = phonenumber::parse(None, self.expose()).ok()?;
        Some(number.code().value())
    }

    /// The territory whose numbering the number fits, as in `CH`; several share a calling code.
    #[must_use]
    pub fn territory(&self) -> Option<&'static str> {
        let number = phonenumber::parse(None, self.expose()).ok()?;
        number.metadata(&DATABASE).map(phonenumber::Metadata::id)
    }

    /// Whether a text can be sent there: a number in use, of a mobile line or one that can't be told from it. Never one
    /// that costs its caller more (premium, shared cost, personal numbers that are sold on), and none over the internet,
    /// which anybody has by the thousand.
    #[must_use]
    pub fn is_textable(&self) -> bool {
        // The number is E.164 already, which is all that the library's own parser is trusted with.
        let Ok(number) = phonenumber::parse(None, self.expose()) else {
            return false;
        };
        number.is_valid() && matches!(number.number_type(&DATABASE), Type::Mobile | Type::FixedLineOrMobile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mobile_lines_are_texted() {
        for (number, is_textable) in [
            ("+41791234567", true),
            ("+4915123456789", true),
            ("+447400123456", true),
            ("+14155550123", true),
            ("+919876543210", true),
            // A landline, premium, shared cost, free, personal, over the internet, a pager, not in use.
            ("+4930901820", false),
            ("+419001234567", false),
            ("+41900123456", false),
            ("+41840123456", false),
            ("+41800123456", false),
            ("+447012345678", false),
            ("+445612345678", false),
            ("+447640123456", false),
            ("+1234567890", false),
            ("+4915112", false),
        ] {
            let phone = Phone::parse(number, None).expect(number);
            assert_eq!(phone.is_textable(), is_textable, "{number}");
        }
    }

    #[test]
    fn the_territory_is_that_of_the_number_and_not_of_the_code_alone() {
        for (number, territory) in [
            ("+41791234567", "CH"),
            ("+14155550123", "US"),
            ("+16045550123", "CA"),
            ("+18762345678", "JM"),
            ("+447400123456", "GB"),
            ("+77012345678", "KZ"),
            ("+79161234567", "RU"),
        ] {
            let phone = Phone::parse(number, None).expect(number);
            assert_eq!(phone.territory(), Some(territory), "{number}");
        }
    }
}
