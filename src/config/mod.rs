//! Configuration: twelve-factor, one file per section, each section parses itself and says what is wrong.
//!
//! All problems are reported at once, each with the variable's name and how to mend it; a value is never repeated,
//! for it may be a secret. Every secret may also come from a file, by its name and `_FILE`.
//!
//! To add a variable: a field in its section, its line in `.env.example` (a test compares the two), and its mend.

pub mod audit;
pub mod environment;
pub mod erasures;
pub mod http;
pub mod keks;
pub mod legacy;
pub mod logs;
pub mod mail;
pub mod marks;
pub mod passwords;
pub mod public_documents;
pub mod sms;
pub mod source;
pub mod stores;
pub mod texts;
pub mod tls;
pub mod tokens;
pub mod traces;
pub mod user_types;
pub mod worker;

use environment::Environment;
pub use source::{ConfigProblem, Source};

use crate::config::source::Reader;

/// Everything an operator may set.
#[derive(Debug)]
pub struct Config {
    /// Development, staging or production.
    pub environment: Environment,
    /// Where it listens and what its links begin with.
    pub http: http::HttpConfig,
    /// Where data and keys lie.
    pub stores: stores::StoresConfig,
    /// The populations.
    pub user_types: user_types::UserTypesConfig,
    /// Access tokens.
    pub tokens: tokens::TokensConfig,
    /// Cost of a password hash and how many run at once.
    pub passwords: passwords::PasswordsConfig,
    /// Under `/.well-known`.
    pub public_documents: public_documents::PublicDocumentsConfig,
    /// Mails.
    pub mail: mail::MailConfig,
    /// Texts.
    pub sms: sms::SmsConfig,
    /// Where texts may go, and how many.
    pub texts: texts::TextsConfig,
    /// Jobs.
    pub worker: worker::WorkerConfig,
    /// Logs.
    pub logs: logs::LogsConfig,
    /// The audit.
    pub audit: audit::AuditConfig,
    /// Where erasures are written down.
    pub erasures: erasures::ErasuresConfig,
    /// For the import of the old database.
    pub legacy: legacy::LegacyConfig,
    /// What was read and is not used, said once at start.
    pub notices: Vec<String>,
    /// By which a later reading tells what has changed.
    pub marks: marks::Marks,
}

impl Config {
    /// Reads every section; all problems at once.
    pub fn load(source: &Source) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader::new(source);
        let http = http::HttpConfig::read(&mut reader);
        let stores = stores::StoresConfig::read(&mut reader);
        let environment = Environment::read(&mut reader, &http, &stores);
        let erasures = erasures::ErasuresConfig::read(&mut reader, &stores, environment);
        let user_types = user_types::UserTypesConfig::read(&mut reader);
        let tokens = tokens::TokensConfig::read(&mut reader);
        let passwords = passwords::PasswordsConfig::read(&mut reader);
        let public_documents = public_documents::PublicDocumentsConfig::read(&mut reader);
        let mail = mail::MailConfig::read(&mut reader, &stores, environment);
        let sms = sms::SmsConfig::read(&mut reader, environment, &http.public_url);
        let texts = texts::TextsConfig::read(&mut reader, environment, &sms);
        let audit = audit::AuditConfig::read(&mut reader, environment);
        let worker = worker::WorkerConfig {
            audit_retention: audit.retention,
            ..worker::WorkerConfig::read(&mut reader)
        };
        let logs = logs::LogsConfig::read(&mut reader);
        if logs.metrics_address == Some(http.address) {
            let says = "is the same as HTTP_ADDR";
            reader.report("METRICS_ADDR", says, "Give metrics a port of their own");
        }
        let legacy = legacy::LegacyConfig::read(&mut reader);
        let marks = reader.into_result()?;
        Ok(Self {
            environment,
            http,
            stores,
            user_types,
            tokens,
            passwords,
            public_documents,
            mail,
            sms,
            texts,
            worker,
            logs,
            audit,
            erasures,
            legacy,
            notices: legacy::notices(source),
            marks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<ConfigProblem>> {
        Config::load(&Source::from_pairs(
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())),
        ))
    }

    fn names(problems: &[ConfigProblem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.name.as_str()).collect()
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let config = load(&[]).expect("valid");
        assert_eq!(config.environment, Environment::Development);
        assert_eq!(config.http.address.to_string(), "127.0.0.1:8000");
        assert_eq!(config.http.public_url.as_str(), "http://127.0.0.1:8000/");
        assert_eq!(config.user_types.settings.len(), 2);
    }

    #[test]
    fn every_mistake_is_reported_at_once_and_no_value_is_repeated() {
        let problems = load(&[
            ("HTTP_ADDR", "localhost"),
            ("USER_TYPES", "User1,docs"),
            ("JWT_ALGORITHM", "HS256"),
            ("JWT_SECRET", "short-secret"),
            ("ARGON2_MEMORY_KIB", "1024"),
            ("WORKER", "maybe"),
        ])
        .expect_err("six mistakes");
        assert_eq!(
            names(&problems),
            ["HTTP_ADDR", "USER_TYPES", "JWT_SECRET", "ARGON2_MEMORY_KIB", "WORKER"],
            "{problems:?}"
        );
        assert!(
            problems
                .iter()
                .all(|problem| !problem.to_string().contains("short-secret"))
        );
    }

    #[test]
    fn a_public_url_is_a_base_for_links() {
        for (text, url) in [
            ("https://id.example.com", "https://id.example.com/"),
            ("https://example.com/auth", "https://example.com/auth/"),
            ("https://example.com/auth/", "https://example.com/auth/"),
        ] {
            assert_eq!(
                load(&[("PUBLIC_URL", text)]).expect("valid").http.public_url.as_str(),
                url
            );
        }
        for text in [
            "id.example.com",
            "ftp://id.example.com",
            "https://",
            "https://x/?a=b",
            "https://x/#a",
        ] {
            assert_eq!(names(&load(&[("PUBLIC_URL", text)]).expect_err(text)), ["PUBLIC_URL"]);
        }
    }

    #[test]
    fn past_loopback_the_environment_must_be_said() {
        let problems = load(&[("HTTP_ADDR", "0.0.0.0:8000")]).expect_err("refused");
        assert_eq!(names(&problems), ["ENVIRONMENT"]);
        assert!(load(&[("HTTP_ADDR", "0.0.0.0:8000"), ("ENVIRONMENT", "staging")]).is_ok());
    }

    #[test]
    fn one_store_without_the_other_is_a_mistake() {
        let problems = load(&[("REDIS_URL", "redis://127.0.0.1"), ("ENVIRONMENT", "staging")]).expect_err("refused");
        assert_eq!(names(&problems), ["MONGO_URL"]);
    }

    #[test]
    fn settings_of_mongodb_have_bounds_that_fit_together() {
        let stores = [
            ("MONGO_URL", "mongodb://db.example.com"),
            ("REDIS_URL", "redis://cache.example.com"),
            ("ENVIRONMENT", "staging"),
        ];
        let set = [
            ("MONGO_POOL_MAX", "20"),
            ("MONGO_POOL_MIN", "2"),
            ("MONGO_SELECTION_TIMEOUT_MS", "1000"),
            ("MONGO_OPERATION_TIMEOUT_MS", "3000"),
        ];
        let config = load(&[&stores[..], &set].concat()).expect("valid");
        let mongo = config.stores.production.expect("both").mongo;
        assert_eq!((mongo.max_pool, mongo.min_pool), (Some(20), Some(2)));
        let millis =
            [mongo.selection_timeout, mongo.connect_timeout, mongo.operation_timeout].map(|time| time.as_millis());
        assert_eq!(millis, [1_000, 1_500, 3_000]);

        for (wrong, name) in [
            (&[("MONGO_POOL_MAX", "0")][..], "MONGO_POOL_MAX"),
            (&[("MONGO_POOL_MAX", "many")], "MONGO_POOL_MAX"),
            (&[("MONGO_POOL_MAX", "2"), ("MONGO_POOL_MIN", "3")], "MONGO_POOL_MIN"),
            (&[("MONGO_CONNECT_TIMEOUT_MS", "5")], "MONGO_CONNECT_TIMEOUT_MS"),
            (&[("MONGO_OPERATION_TIMEOUT_MS", "1000")], "MONGO_OPERATION_TIMEOUT_MS"),
        ] {
            let problems = load(&[&stores[..], wrong].concat()).expect_err(name);
            assert_eq!(names(&problems), [name]);
        }
    }

    #[test]
    fn old_names_work() {
        let config = load(&[
            ("JWT_ALGORITHM", "HS256"),
            ("JWT_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
            ("APP_DOMAIN", "id.example.com"),
            ("ENCRYPTION_KEY", "x"),
            ("DATABASE_URL", "y"),
        ])
        .expect("valid");
        assert!(matches!(
            config.tokens.method,
            crate::crypto::token_signer::SigningMethod::Hs256(_)
        ));
        assert_eq!(config.http.public_url.as_str(), "https://id.example.com/");
        assert_eq!(config.notices.len(), 2);
    }

    #[test]
    fn mails_are_read_in_both_old_spellings() {
        let base = [
            ("MAIL_SERVER", "mail.example.com"),
            ("MAIL_FROM", "no-reply@example.com"),
        ];
        for (more, security, port) in [
            (&[][..], mail::SmtpSecurity::StartTls, 587),
            (&[("MAIL_SSL_TLS", "True")], mail::SmtpSecurity::Tls, 465),
            (
                &[("MAIL_SSL", "1"), ("MAIL_TLS", "False")],
                mail::SmtpSecurity::Tls,
                465,
            ),
            (
                &[("MAIL_TLS", "true"), ("MAIL_PORT", "2525")],
                mail::SmtpSecurity::StartTls,
                2525,
            ),
            (&[("MAIL_STARTTLS", "false")], mail::SmtpSecurity::Plain, 25),
        ] {
            let smtp = load(&[&base, more].concat())
                .expect("valid")
                .mail
                .smtp
                .expect("a server");
            assert_eq!((smtp.security, smtp.port), (security, port), "{more:?}");
            assert!(smtp.credentials.is_none() && smtp.validates_certificates);
        }
    }

    #[test]
    fn providers_are_set_whole_or_not_at_all() {
        for (pairs, name) in [
            (&[("MAIL_SERVER", "mail.example.com")][..], "MAIL_FROM"),
            (&[("MAIL_USERNAME", "ada")], "MAIL_PASSWORD"),
            (&[("USE_CREDENTIALS", "on")], "MAIL_USERNAME"),
            (&[("MAIL_STARTTLS", "on"), ("MAIL_SSL_TLS", "on")], "MAIL_SSL_TLS"),
            (&[("MAIL_CA_FILE", "/nowhere")], "MAIL_CA_FILE"),
            (&[("TWILIO_SID", "AC1")], "TWILIO_AUTH_TOKEN"),
            (&[("TWILIO_AUTH_TOKEN", "secret")], "TWILIO_SID"),
            (
                &[
                    ("TWILIO_SID", "AC1"),
                    ("TWILIO_AUTH_TOKEN", "secret"),
                    ("TWILIO_NUMBER", "5550"),
                ],
                "TWILIO_NUMBER",
            ),
            (&[("TWILIO_BASE_URL", "http://twilio.example")], "TWILIO_BASE_URL"),
        ] {
            assert_eq!(names(&load(pairs).expect_err(name)), [name]);
        }
    }

    #[test]
    fn a_file_with_nothing_in_it_is_no_secret() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("token");
        let named = [("TWILIO_AUTH_TOKEN_FILE", file.to_str().expect("plain"))];
        std::fs::write(&file, "\n").expect("written");
        assert!(matches!(load(&named).expect("valid").sms, sms::SmsConfig::Directory));
        std::fs::write(&file, "token\n").expect("written");
        assert_eq!(names(&load(&named).expect_err("half of it")), ["TWILIO_SID"]);
    }

    #[test]
    fn production_takes_no_shortcuts() {
        let problems = load(&[
            ("ENVIRONMENT", "production"),
            ("RATE_LIMITS", "off"),
            ("VALIDATE_CERTS", "false"),
        ])
        .expect_err("refused");
        let said = names(&problems);
        for name in ["RATE_LIMITS", "PUBLIC_URL", "KEK_FILE", "VALIDATE_CERTS", "MAIL_SERVER"] {
            assert!(said.contains(&name), "{name}: {said:?}");
        }
    }

    #[test]
    fn mongodb_and_redis_are_set_together() {
        let mongo = ("MONGO_URL", "mongodb://db.example/");
        for (pairs, name) in [
            (&[mongo][..], "REDIS_URL"),
            (&[("REDIS_URL", "redis://cache.example")], "MONGO_URL"),
            (&[("REDIS_HOST", "cache.example")], "MONGO_URL"),
            (&[mongo, ("REDIS_URL", "http://cache.example")], "REDIS_URL"),
            (&[mongo, ("REDIS_URL", "redis+sentinel://cache.example")], "REDIS_URL"),
        ] {
            let staged = [&[("ENVIRONMENT", "staging")], pairs].concat();
            assert_eq!(names(&load(&staged).expect_err(name)), [name], "{pairs:?}");
        }
        assert_eq!(
            names(&load(&[mongo, ("REDIS_HOST", "cache.example")]).expect_err("unsaid")),
            ["ENVIRONMENT"]
        );
        let by_host = [
            ("ENVIRONMENT", "staging"),
            mongo,
            ("REDIS_HOST", "cache.example"),
            ("REDIS_PORT", "6380"),
            ("REDIS_PASSWORD", "p@ss"),
        ];
        let production = load(&by_host).expect("valid").stores.production.expect("both");
        assert_eq!(production.redis.url.expose(), "redis://:p%40ss@cache.example:6380");
    }

    #[test]
    fn a_limit_that_does_not_exist_is_told() {
        assert_eq!(
            names(&load(&[("LIMIT_LOGN", "5/min")]).expect_err("mistyped")),
            ["LIMIT_LOGN"]
        );
        assert_eq!(
            names(&load(&[("LIMIT_LOGIN", "0/min")]).expect_err("none")),
            ["LIMIT_LOGIN"]
        );
        let config = load(&[("LIMIT_LOGIN", "7/h")]).expect("valid");
        assert_eq!(config.http.quotas.of(crate::domain::limits::Limit::Login).burst, 7);
    }

    #[test]
    fn one_mistake_hides_no_other_and_is_told_once() {
        let problems = load(&[
            ("USER_TYPES", "../x"),
            ("ACCESS_TOKEN_MINUTES", "60"),
            ("PASSWORD_POLICY", "weak"),
            ("MAIL_FROM", "a b c"),
        ])
        .expect_err("four mistakes");
        assert_eq!(
            names(&problems),
            ["USER_TYPES", "PASSWORD_POLICY", "ACCESS_TOKEN_MINUTES", "MAIL_FROM"]
        );
        for from in [
            "no-reply@localhost",
            "Sealgate <no-reply@example.com>",
            "\"A, B\" <a@b.example>",
        ] {
            assert_eq!(load(&[("MAIL_FROM", from)]).expect("valid").mail.from, from);
        }
    }
}
