//! Where settings come from, and how a section reads them and reports what is wrong.

use std::{collections::BTreeMap, fmt, path::Path, str::FromStr};

use zeroize::Zeroizing;

use crate::{config::marks::Marks, domain::private::Private};

/// Every variable that is read, but for the per-user-type forms. `.env.example` must name each.
pub const VARIABLES: &[&str] = &[
    "ENVIRONMENT",
    "APP_NAME",
    "APP_DOMAIN",
    "DEBUG",
    "ENV_FILE",
    "HTTP_ADDR",
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "PUBLIC_URL",
    "CORS_ORIGINS",
    "TRUSTED_PROXIES",
    "RATE_LIMITS",
    "LIMIT_EXEMPT",
    "LIMIT_CREATE",
    "LIMIT_LOGIN",
    "LIMIT_EMAIL_SIGN_IN",
    "LIMIT_SIGN_IN_MAILS",
    "LIMIT_SIGN_IN_MAILS_OF_CLIENT",
    "LIMIT_VERIFY_EMAIL_SIGN_IN",
    "LIMIT_VERIFY",
    "LIMIT_OTP_PHONE",
    "LIMIT_VERIFY_OTP_PHONE",
    "LIMIT_TEXTS_TO_NUMBER",
    "LIMIT_TEXTS_TO_COUNTRY",
    "LIMIT_TEXTS_TO_PREFIX",
    "LIMIT_TEXTS_OF_ACCOUNT",
    "LIMIT_TEXTS_OF_CLIENT",
    "LIMIT_FORGET_PASSWORD",
    "LIMIT_RESET_LINKS",
    "LIMIT_RESET_LINKS_OF_CLIENT",
    "LIMIT_RESET_PASSWORD_FORM",
    "LIMIT_RESET_PASSWORD",
    "LIMIT_UPDATE",
    "LIMIT_LOGOUT",
    "LIMIT_DELETE",
    "LIMIT_EXPORT",
    "LIMIT_VERIFY_TOKEN",
    "LIMIT_REAUTHENTICATE",
    "LIMIT_SECOND_FACTOR",
    "LIMIT_ADMIN",
    "LIMIT_ADMIN_BULK",
    "LIMIT_REFRESH",
    "LIMIT_ACCOUNT",
    "LIMIT_STRANGER",
    "LIMIT_STATUS_CALLBACK",
    "DOCS",
    "CHANGE_PASSWORD_URL",
    "SECURITY_CONTACT",
    "SECURITY_EXPIRES",
    "SECURITY_POLICY",
    "SECURITY_LANGUAGES",
    "DATA_DIR",
    "KEK_PROVIDER",
    "KEK_PROVIDER_BEFORE",
    "KEK_FILE",
    "KEK",
    "TRANSIT_URL",
    "TRANSIT_MOUNT",
    "TRANSIT_KEY",
    "TRANSIT_TOKEN",
    "TRANSIT_NAMESPACE",
    "TRANSIT_CA_FILE",
    "DEK_CACHE_SECONDS",
    "DEK_CACHE_SIZE",
    "ERASURE_JOURNAL",
    "KEY_PERIOD_DAYS",
    "MONGO_URL",
    "MONGO_DB",
    "MONGO_KEYS_DB",
    "MONGO_POOL_MAX",
    "MONGO_POOL_MIN",
    "MONGO_SELECTION_TIMEOUT_MS",
    "MONGO_CONNECT_TIMEOUT_MS",
    "MONGO_OPERATION_TIMEOUT_MS",
    "REDIS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_PASSWORD",
    "REDIS_CA_FILE",
    "REDIS_PREFIX",
    "FILTER_CAPACITY",
    "FILTER_FALSE_POSITIVE_RATE",
    "USER_TYPES",
    "PASSWORD_POLICY",
    "SECOND_FACTOR",
    "EMAIL_SIGN_IN",
    "ACCESS_TOKEN_MINUTES",
    "SESSION_IDLE_DAYS",
    "SESSION_DAYS",
    "SESSION_SHORT_HOURS",
    "SESSIONS_PER_ACCOUNT",
    "ATTRIBUTES_SCHEMA",
    "ROLES",
    "JWT_ALGORITHM",
    "JWT_SECRET",
    "JWT_ALSO_VERIFY",
    "JWT_PRIVATE_KEY",
    "JWT_PUBLIC_KEY",
    "ARGON2_MEMORY_KIB",
    "ARGON2_PASSES",
    "PASSWORD_POOL",
    "PASSWORD_QUEUE",
    "BREACHED_PASSWORDS_FILE",
    "MAIL_FROM",
    "MAIL_FROM_NAME",
    "MAIL_SERVER",
    "MAIL_PORT",
    "MAIL_STARTTLS",
    "MAIL_SSL_TLS",
    "USE_CREDENTIALS",
    "MAIL_USERNAME",
    "MAIL_PASSWORD",
    "VALIDATE_CERTS",
    "MAIL_CA_FILE",
    "MAIL_DIRECTORY",
    "TEMPLATES_DIR",
    "TWILIO_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_NUMBER",
    "TWILIO_BASE_URL",
    "TWILIO_STATUS_CALLBACK",
    "SMS_COUNTRIES",
    "SMS_DAILY_CAP",
    "SMS_DAILY_CAP_ALL",
    "SMS_SECOND_FACTOR",
    "SMS_CONVERSION_VOLUME",
    "SMS_CONVERSION_PERCENT",
    "WORKER",
    "KEY_JOBS_SHARE",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "METRICS_ADDR",
    "OTEL_SDK_DISABLED",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "AUDIT_STDOUT",
    "AUDIT_RETENTION",
    "AUDIT_COLLECTOR_URL",
    "AUDIT_COLLECTOR_ACCOUNT",
    "AUDIT_COLLECTOR_TOKEN",
    "LEGACY_MONGO_URL",
    "ENCRYPTION_KEY",
    "EMAIL_SALT",
];

/// Names and values, from wherever they came.
#[derive(Default)]
pub struct Source(BTreeMap<String, Private>);

impl Source {
    /// From the process's environment, and beneath it from the file that `ENV_FILE` names there, or from `.env` in
    /// `folder`, if there is one.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_environment(folder: &Path) -> Result<Self, ConfigProblem> {
        let mut source = Self::default();
        let named = std::env::var("ENV_FILE").ok().filter(|path| !path.trim().is_empty());
        let (name, file) = match &named {
            Some(path) => ("ENV_FILE", folder.join(path)),
            None => (".env", folder.join(".env")),
        };
        if named.is_some() || file.exists() {
            let unreadable = |_| ConfigProblem::new(name, "can't be read", "write one `NAME=value` a line");
            for pair in dotenvy::from_path_iter(&file).map_err(unreadable)? {
                let (name, value) = pair.map_err(unreadable)?;
                source.0.insert(name, Private::new(value));
            }
        }
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                source.0.insert(name, Private::new(value));
            }
        }
        Ok(source)
    }

    /// From pairs. For tests.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name, Private::new(value)))
                .collect(),
        )
    }

    /// A value that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(Private::expose)
            .filter(|value| !value.trim().is_empty())
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| self.get(name).is_some())
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// One mistake, and how to mend it. Never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The variable.
    pub name: String,
    /// What is wrong with it.
    pub says: String,
    /// What to do.
    pub mend: String,
}

impl ConfigProblem {
    /// A mistake in `name`.
    pub fn new(name: &str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            says: says.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}.", self.name, self.says, self.mend)
    }
}

/// Reads values and collects problems.
pub struct Reader<'s> {
    source: &'s Source,
    problems: Vec<ConfigProblem>,
    marks: Marks,
}

impl<'s> Reader<'s> {
    pub(in crate::config) fn new(source: &'s Source) -> Self {
        Self {
            source,
            problems: Vec::new(),
            marks: Marks::of(source),
        }
    }

    /// Every mistake that was reported, if there is any.
    pub(in crate::config) fn into_result(self) -> Result<Marks, Vec<ConfigProblem>> {
        if self.problems.is_empty() {
            Ok(self.marks)
        } else {
            Err(self.problems)
        }
    }

    /// Reports a mistake.
    pub fn report(&mut self, name: &str, says: impl Into<String>, mend: impl Into<String>) {
        let problem = ConfigProblem::new(name, says, mend);
        // What several user types share is read once for each.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &'s str> {
        self.source.names()
    }

    /// A plain value.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'s str> {
        self.source.get(name)
    }

    /// A value that parses; `default` when it is not set, or is wrong (which is reported).
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T, mend: &str) -> T {
        match self.text(name).map(|text| text.trim().parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.report(name, "can't be read", mend);
                default
            }
        }
    }

    /// `on`/`off`, in the usual spellings.
    pub fn switch(&mut self, name: &str, default: bool) -> bool {
        match self.text(name).map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            None => default,
            Some("on" | "true" | "1" | "yes") => true,
            Some("off" | "false" | "0" | "no") => false,
            Some(_) => {
                self.report(name, "is neither on nor off", "Write `on` or `off`");
                default
            }
        }
    }

    /// A secret, by its name or from the file that `NAME_FILE` names; a newline at the file's end is taken off. Empty is
    /// not set, in a file as elsewhere.
    pub fn secret(&mut self, name: &str) -> Option<Private> {
        let file_name = format!("{name}_FILE");
        match (self.text(name), self.text(&file_name)) {
            (Some(_), Some(_)) => {
                self.report(
                    name,
                    format!("is set twice, also by {file_name}"),
                    "Unset one of the two",
                );
                None
            }
            (Some(value), None) => Some(Private::new(value.to_owned())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => {
                    let text = Zeroizing::new(text);
                    self.marks.add(&file_name, &text);
                    let secret = text.trim_end_matches(['\r', '\n']);
                    (!secret.trim().is_empty()).then(|| Private::new(secret.to_owned()))
                }
                Err(error) => {
                    let says = format!("names a file that can't be read ({})", error.kind());
                    self.report(&file_name, says, "Check the path and its permissions");
                    None
                }
            },
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_stands_in_the_example_file() {
        let example = include_str!("../../.env.example");
        for name in VARIABLES {
            assert!(example.contains(&format!("{name}=")), "{name} is not in .env.example");
        }
    }

    #[test]
    fn every_limit_is_a_variable() {
        for limit in crate::domain::limits::Limit::ALL {
            assert!(VARIABLES.contains(&limit.variable()), "{}", limit.variable());
        }
    }
}
