//! Where the audit goes beside the store, and how long it is kept.

use std::{sync::Arc, time::Duration};

use url::Url;

use crate::{
    config::{environment::Environment, sms::is_loopback, source::Reader},
    domain::private::Private,
};

const DAY: Duration = Duration::from_hours(24);
/// In production nobody keeps it for less: what happened is asked for months later.
const FLOOR_IN_PRODUCTION: u32 = 90;

/// Settings of the audit.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// Whether servers and workers write it to standard output, a JSON object a line.
    pub has_stdout: bool,
    /// Who has it handed over.
    pub collector: Option<CollectorConfig>,
    /// How long it is kept.
    pub retention: Duration,
}

/// An HTTP collector.
#[derive(Clone, Debug)]
pub struct CollectorConfig {
    /// Where batches are posted to.
    pub url: Url,
    /// With the token, Basic authentication; without it, the token alone as Bearer.
    pub account: Option<String>,
    /// Its token.
    pub token: Option<Arc<Private>>,
    /// How long one batch may take, connecting included.
    pub patience: Duration,
    /// How long to wait after a first failure; doubled with each.
    pub back_off: Duration,
}

impl AuditConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>, environment: Environment) -> Self {
        let has_stdout = reader.switch("AUDIT_STDOUT", environment != Environment::Development);
        let floor = match environment {
            Environment::Production => FLOOR_IN_PRODUCTION,
            Environment::Staging | Environment::Development => 1,
        };
        let mend = "Write a number of days, for example `365`";
        let days = reader.parse("AUDIT_RETENTION", 365, mend);
        if days < floor {
            let says = format!("is less than the {floor} days that it must be");
            reader.report("AUDIT_RETENTION", says, mend);
        }
        Self {
            has_stdout,
            collector: collector(reader),
            retention: DAY * days,
        }
    }
}

fn collector(reader: &mut Reader<'_>) -> Option<CollectorConfig> {
    let account = reader.text("AUDIT_COLLECTOR_ACCOUNT").or(reader.text("Account_id"));
    let account = account.map(|account| account.trim().to_owned());
    let token = reader.secret("AUDIT_COLLECTOR_TOKEN");
    let token = token.or_else(|| reader.secret("Access_token"));
    let text = reader.text("AUDIT_COLLECTOR_URL")?;
    let url = Url::parse(text.trim()).ok().filter(is_safe);
    if url.is_none() {
        let mend = "Write an https:// URL without a password in it; http:// is for a collector on this machine";
        reader.report("AUDIT_COLLECTOR_URL", "is not an https URL", mend);
    }
    if account.is_some() && token.is_none() {
        let mend = "Set both, or the token alone";
        reader.report(
            "AUDIT_COLLECTOR_TOKEN",
            "is missing beside AUDIT_COLLECTOR_ACCOUNT",
            mend,
        );
    }
    Some(CollectorConfig {
        url: url?,
        account,
        token: token.map(Arc::new),
        patience: Duration::from_secs(10),
        back_off: Duration::from_secs(2),
    })
}

/// Credentials go there.
fn is_safe(url: &Url) -> bool {
    let is_private = url.username().is_empty() && url.password().is_none();
    is_private && (url.scheme() == "https" || url.scheme() == "http" && is_loopback(url))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigProblem, Source};

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<ConfigProblem>> {
        let pairs = pairs.iter();
        Config::load(&Source::from_pairs(
            pairs.map(|&(name, value)| (name.to_owned(), value.to_owned())),
        ))
    }

    fn names(pairs: &[(&str, &str)]) -> Vec<String> {
        let problems = load(pairs).expect_err("refused");
        problems.into_iter().map(|problem| problem.name).collect()
    }

    #[test]
    fn nobody_keeps_it_for_less_than_the_floor() {
        let days = |config: &Config| config.audit.retention.as_secs() / 86_400;
        assert_eq!(days(&load(&[]).expect("valid")), 365);
        let config = load(&[("AUDIT_RETENTION", "1")]).expect("valid");
        assert_eq!(days(&config), 1);
        assert_eq!(config.worker.audit_retention, config.audit.retention);
        for days in ["0", "-1", "a year"] {
            assert_eq!(names(&[("AUDIT_RETENTION", days)]), ["AUDIT_RETENTION"]);
        }
        let production = [("ENVIRONMENT", "production"), ("AUDIT_RETENTION", "89")];
        assert!(names(&production).contains(&"AUDIT_RETENTION".to_owned()));
        let production = [("ENVIRONMENT", "production"), ("AUDIT_RETENTION", "90")];
        assert!(!names(&production).contains(&"AUDIT_RETENTION".to_owned()));
    }

    #[test]
    fn standard_output_has_it_but_in_development() {
        let is_on = |pairs: &[(&str, &str)]| load(pairs).expect("valid").audit.has_stdout;
        assert!(!is_on(&[]));
        assert!(is_on(&[("AUDIT_STDOUT", "on")]));
        assert!(is_on(&[("ENVIRONMENT", "staging")]));
        assert!(!is_on(&[("ENVIRONMENT", "staging"), ("AUDIT_STDOUT", "false")]));
    }

    #[test]
    fn a_collector_is_named_with_its_token() {
        let url = ("AUDIT_COLLECTOR_URL", "https://logs.example.com/audit");
        assert!(load(&[]).expect("valid").audit.collector.is_none());
        let old = load(&[url, ("Account_id", "acme"), ("Access_token", "of old")]).expect("valid");
        let collector = old.audit.collector.expect("a collector");
        assert_eq!(collector.account.as_deref(), Some("acme"));
        assert_eq!(collector.token.expect("a token").expose(), "of old");
        // Without a collector they are said, and no mistake.
        let unused = load(&[("Account_id", "acme"), ("Access_token", "of old")]).expect("valid");
        assert_eq!(unused.notices.len(), 1);
        assert!(!unused.notices[0].contains("acme") && unused.audit.collector.is_none());

        assert_eq!(names(&[url, ("Account_id", "acme")]), ["AUDIT_COLLECTOR_TOKEN"]);
        for url in [
            "http://logs.example.com",
            "logs.example.com",
            "https://a:b@logs.example.com",
            "ftp://x",
        ] {
            assert_eq!(names(&[("AUDIT_COLLECTOR_URL", url)]), ["AUDIT_COLLECTOR_URL"], "{url}");
        }
        assert!(load(&[("AUDIT_COLLECTOR_URL", "http://127.0.0.1:9000/x")]).is_ok());
    }

    #[test]
    fn twilio_reports_where_it_can_reach_the_service() {
        let twilio = [
            ("TWILIO_SID", "AC1"),
            ("TWILIO_AUTH_TOKEN", "token"),
            ("TWILIO_NUMBER", "+15005550006"),
        ];
        for (more, callback) in [
            (&[][..], None),
            (
                &[("PUBLIC_URL", "https://id.example.com/auth")],
                Some("https://id.example.com/auth/hooks/twilio/"),
            ),
            (&[("PUBLIC_URL", "https://localhost")], None),
            (
                &[
                    ("PUBLIC_URL", "https://id.example.com"),
                    ("TWILIO_STATUS_CALLBACK", "off"),
                ],
                None,
            ),
            (
                &[
                    ("PUBLIC_URL", "http://proxy.example.com"),
                    ("TWILIO_STATUS_CALLBACK", "on"),
                ],
                Some("http://proxy.example.com/hooks/twilio/"),
            ),
        ] {
            let config = load(&[&twilio, more].concat()).expect("valid");
            let crate::config::sms::SmsConfig::Twilio(twilio) = &config.sms else {
                panic!("Twilio is configured");
            };
            let told = twilio.status_callback(&config.http.public_url);
            assert_eq!(told.as_ref().map(url::Url::as_str), callback, "{more:?}");
        }
    }
}
