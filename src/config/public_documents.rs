//! What the documents under `/.well-known` say beside what the service knows by itself.

use jiff::Timestamp;
use url::Url;

use crate::config::source::Reader;

/// Settings of public documents.
#[derive(Clone, Debug, Default)]
pub struct PublicDocumentsConfig {
    /// Where reports of weaknesses go (RFC 9116); without it there is no such document.
    pub security: Option<SecurityConfig>,
    /// Where people change their password, other than at the service's own page.
    pub change_password: Option<Url>,
}

/// `security.txt`.
#[derive(Clone, Debug)]
pub struct SecurityConfig {
    /// `mailto:`, `https:` or `tel:`, best first.
    pub contacts: Vec<String>,
    /// Until when it holds, as RFC 3339.
    pub expires: String,
    /// The rules of reporting.
    pub policy: Option<String>,
    /// Languages that reports may be in, as RFC 5646 names them.
    pub languages: Option<String>,
}

impl PublicDocumentsConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            security: security(reader),
            change_password: address(reader, "CHANGE_PASSWORD_URL"),
        }
    }
}

fn security(reader: &mut Reader<'_>) -> Option<SecurityConfig> {
    let policy = address(reader, "SECURITY_POLICY").map(String::from);
    let expires = expires(reader);
    let languages = languages(reader);
    let Some(contacts) = reader.text("SECURITY_CONTACT") else {
        for name in ["SECURITY_EXPIRES", "SECURITY_POLICY", "SECURITY_LANGUAGES"] {
            if reader.text(name).is_some() {
                reader.report(
                    name,
                    "says nothing without SECURITY_CONTACT",
                    "Set that too, or unset this",
                );
            }
        }
        return None;
    };
    let contacts: Vec<String> = contacts.split(',').map(|contact| contact.trim().to_owned()).collect();
    if !contacts.iter().all(|contact| is_contact(contact)) {
        let mend = "Write addresses such as `mailto:security@example.com` or `https://example.com/report`, with commas";
        reader.report("SECURITY_CONTACT", "has an entry that is no address", mend);
    }
    if expires.is_none() && reader.text("SECURITY_EXPIRES").is_none() {
        let mend = "Write a moment less than a year away, for example `2027-06-30T00:00:00Z` (RFC 9116 section 2.5.5)";
        reader.report("SECURITY_EXPIRES", "must be set with SECURITY_CONTACT", mend);
    }
    Some(SecurityConfig {
        contacts,
        expires: expires.unwrap_or_default(),
        policy,
        languages,
    })
}

/// The document is text, one field a line: nothing may end a line.
fn is_contact(text: &str) -> bool {
    let is_known = ["mailto:", "https://", "tel:"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    is_known && text.bytes().all(|byte| byte.is_ascii_graphic()) && Url::parse(text).is_ok()
}

fn expires(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text("SECURITY_EXPIRES")?;
    match text.trim().parse::<Timestamp>() {
        Ok(moment) => Some(format!("{moment:.0}")),
        Err(_) => {
            let mend = "Write, for example, `2027-06-30T00:00:00Z`";
            reader.report("SECURITY_EXPIRES", "is no moment", mend);
            None
        }
    }
}

fn languages(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text("SECURITY_LANGUAGES")?.trim();
    let is_tag = |tag: &str| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !text.split(',').all(|tag| is_tag(tag.trim())) {
        reader.report(
            "SECURITY_LANGUAGES",
            "has an entry that names no language",
            "Write, for example, `en, de`",
        );
    }
    Some(text.to_owned())
}

fn address(reader: &mut Reader<'_>, name: &str) -> Option<Url> {
    let text = reader.text(name)?;
    match Url::parse(text.trim()) {
        Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => Some(url),
        _ => {
            let mend = "Write, for example, `https://example.com/account`";
            reader.report(name, "is not a web address", mend);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigProblem, Source};

    fn load(pairs: &[(&str, &str)]) -> Result<PublicDocumentsConfig, Vec<ConfigProblem>> {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(&Source::from_pairs(pairs)).map(|config| config.public_documents)
    }

    const CONTACT: (&str, &str) = (
        "SECURITY_CONTACT",
        "mailto:security@example.com, https://example.com/report",
    );
    const EXPIRES: (&str, &str) = ("SECURITY_EXPIRES", "2027-06-30T02:00:00+02:00");

    #[test]
    fn nothing_set_is_no_document() {
        let config = load(&[]).expect("valid");
        assert!(config.security.is_none() && config.change_password.is_none());
    }

    #[test]
    fn a_contact_and_an_end_are_enough() {
        let security = load(&[CONTACT, EXPIRES]).expect("valid").security.expect("set");
        assert_eq!(
            security.contacts,
            ["mailto:security@example.com", "https://example.com/report"]
        );
        assert_eq!(security.expires, "2027-06-30T00:00:00Z");
    }

    #[test]
    fn half_of_it_or_another_line_in_it_is_refused() {
        for (pairs, name) in [
            (&[CONTACT][..], "SECURITY_EXPIRES"),
            (&[EXPIRES], "SECURITY_EXPIRES"),
            (&[("SECURITY_POLICY", "https://example.com")], "SECURITY_POLICY"),
            (&[CONTACT, ("SECURITY_EXPIRES", "next year")], "SECURITY_EXPIRES"),
            (
                &[("SECURITY_CONTACT", "security@example.com"), EXPIRES],
                "SECURITY_CONTACT",
            ),
            (
                &[("SECURITY_CONTACT", "mailto:a@example.com\nPolicy: x"), EXPIRES],
                "SECURITY_CONTACT",
            ),
            (
                &[("SECURITY_CONTACT", "http://example.com"), EXPIRES],
                "SECURITY_CONTACT",
            ),
            (
                &[CONTACT, EXPIRES, ("SECURITY_LANGUAGES", "en\nX: y")],
                "SECURITY_LANGUAGES",
            ),
            (&[("CHANGE_PASSWORD_URL", "/account")], "CHANGE_PASSWORD_URL"),
        ] {
            let problems = load(pairs).expect_err(name);
            let names: Vec<_> = problems.iter().map(|problem| problem.name.as_str()).collect();
            assert_eq!(names, [name]);
        }
    }
}
