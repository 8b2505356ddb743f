//! What Twilio signs its callbacks with: `X-Twilio-Signature` is the base64 of HMAC-SHA-1, under the account's token, of
//! the URL and then each field of the form, name and value, in order of the names (Twilio, "Validating requests").
//!
//! SHA-1 is Twilio's choice; as a MAC it is unbroken, and nothing of ours is signed with it.

use aws_lc_rs::hmac;
use data_encoding::BASE64;

/// Whether `signature` is of a form that was posted to `url`, under the account's `token`; in constant time.
#[must_use]
pub fn is_signed(token: &str, url: &str, form: &[(String, String)], signature: &str) -> bool {
    let Ok(signature) = BASE64.decode(signature.as_bytes()) else {
        return false;
    };
    let mut fields: Vec<&(String, String)> = form.iter().collect();
    fields.sort_unstable();
    // A field that came twice with one value was signed once.
    fields.dedup();
    let mut message = url.to_owned();
    for (name, value) in fields {
        message.push_str(name);
        message.push_str(value);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    hmac::verify(&key, message.as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Twilio's documentation.
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

    fn form() -> Vec<(String, String)> {
        [
            ("Digits", "1234"),
            ("To", "+18005551212"),
            ("From", "+14158675309"),
            ("Caller", "+14158675309"),
            ("CallSid", "CA1234567890ABCDE"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn twilios_own_example_is_signed() {
        assert!(is_signed("12345", URL, &form(), SIGNATURE));
        let mut twice = form();
        twice.push(twice[0].clone());
        assert!(is_signed("12345", URL, &twice, SIGNATURE));
    }

    #[test]
    fn anything_else_is_not() {
        let other = |at: usize, value: &str| {
            let mut form = form();
            form[at].1 = value.to_owned();
            form
        };
        let mut more = form();
        more.push(("Extra".to_owned(), String::new()));
        let moved = URL.replace("foo=1", "foo=2");
        for (token, url, form, signature) in [
            ("12346", URL, form(), SIGNATURE),
            ("", URL, form(), SIGNATURE),
            ("12345", moved.as_str(), form(), SIGNATURE),
            ("12345", URL, other(0, "1235"), SIGNATURE),
            ("12345", URL, more, SIGNATURE),
            ("12345", URL, form()[1..].to_vec(), SIGNATURE),
            ("12345", URL, form(), "RSOYDt4T1cUTdK1PDd93/VVr8B9="),
            ("12345", URL, form(), "RSOYDt4T1cUTdK1PDd93/VVr8B8"),
            ("12345", URL, form(), "not base64"),
            ("12345", URL, form(), ""),
        ] {
            assert!(!is_signed(token, url, &form, signature), "{url} {form:?} {signature}");
        }
    }
}
