//! Who sends texts: Twilio, the directory for trying out, or nobody.

use std::time::Duration;

use url::{Host, Url};

use crate::{
    config::{environment::Environment, source::Reader},
    domain::private::Private,
};

/// Where texts go.
#[derive(Debug)]
pub enum SmsConfig {
    /// `.sms` files beside the mails. Never in production.
    Directory,
    /// Twilio's Messages API.
    Twilio(TwilioConfig),
    /// Nowhere: no route sends a code.
    Off,
}

/// Settings of Twilio.
#[derive(Debug)]
pub struct TwilioConfig {
    /// The account, `AC…`.
    pub account_sid: String,
    /// Its token.
    pub auth_token: Private,
    /// The number that texts come from (`+…`), or a messaging service (`MG…`).
    pub sender: String,
    /// Where its API is.
    pub base_url: Url,
    /// Whether Twilio is told to report what became of a text.
    pub has_status_callback: bool,
    /// How long one text may take, connecting included. Shorter than a message's lease.
    pub patience: Duration,
}

impl TwilioConfig {
    /// What Twilio reports to, if it does: the message's id is appended.
    #[must_use]
    pub fn status_callback(&self, public_url: &Url) -> Option<Url> {
        let callback = self.has_status_callback.then(|| public_url.join("hooks/twilio/"));
        callback?.ok()
    }
}

impl SmsConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, environment: Environment, public_url: &Url) -> Self {
        let has_status_callback = has_status_callback(reader, public_url);
        let account_sid = reader.text("TWILIO_SID").map(|sid| sid.trim().to_owned());
        let auth_token = reader.secret("TWILIO_AUTH_TOKEN");
        let sender = reader.text("TWILIO_NUMBER").map(|number| number.trim().to_owned());
        let base_url = base_url(reader);
        match (account_sid, auth_token, sender) {
            (None, None, None) if environment == Environment::Production => Self::Off,
            (None, None, None) => Self::Directory,
            (Some(account_sid), Some(auth_token), Some(sender)) => {
                if !account_sid.chars().all(|one| one.is_ascii_alphanumeric()) {
                    let mend = "Copy the Account SID (`AC` and 32 digits) from Twilio's console";
                    reader.report("TWILIO_SID", "is no account SID", mend);
                }
                if !is_sender(&sender) {
                    let mend = "Write the number with `+` and its country's code, or a messaging service's SID (`MG…`)";
                    reader.report("TWILIO_NUMBER", "is neither a number nor a messaging service", mend);
                }
                Self::Twilio(TwilioConfig {
                    account_sid,
                    auth_token,
                    sender,
                    base_url,
                    has_status_callback,
                    patience: Duration::from_secs(15),
                })
            }
            (sid, token, _) => {
                let name = match (sid, token) {
                    (None, _) => "TWILIO_SID",
                    (_, None) => "TWILIO_AUTH_TOKEN",
                    _ => "TWILIO_NUMBER",
                };
                let mend = "Set TWILIO_SID, TWILIO_AUTH_TOKEN and TWILIO_NUMBER, or none of them";
                reader.report(name, "is missing beside the other settings of Twilio", mend);
                Self::Directory
            }
        }
    }
}

fn is_sender(text: &str) -> bool {
    let is_number = text
        .strip_prefix('+')
        .is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|one| one.is_ascii_digit()));
    is_number || text.starts_with("MG") && text.bytes().all(|one| one.is_ascii_alphanumeric())
}

pub(in crate::config) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// On where Twilio can reach what people reach: by https, and not on this machine.
fn has_status_callback(reader: &mut Reader<'_>, public_url: &Url) -> bool {
    let is_reachable = public_url.scheme() == "https" && !is_loopback(public_url);
    reader.switch("TWILIO_STATUS_CALLBACK", is_reachable)
}

/// Credentials go there: https, but for a mock on this machine.
fn base_url(reader: &mut Reader<'_>) -> Url {
    let text = reader.text("TWILIO_BASE_URL").unwrap_or("https://api.twilio.com");
    let default = || Url::parse("https://api.twilio.com").expect("a constant URL");
    match Url::parse(text.trim()) {
        Ok(url) if url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url) => url,
        _ => {
            let mend = "Write an https:// URL; http:// is for a mock on this machine";
            reader.report("TWILIO_BASE_URL", "is not an https URL", mend);
            default()
        }
    }
}
