//! People who register.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// A password that the default policy accepts.
pub(crate) const PASSWORD: &str = "SecureP@ssw0rd123!";

/// What a browser asks for.
pub(crate) const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// What somebody fills in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) country_code: String,
    pub(crate) password: String,
    pub(crate) username: Option<String>,
}

impl Person {
    /// Somebody with an address that nobody else has.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            first_name: "Grace".into(),
            last_name: "Hopper".into(),
            email: format!("grace.{number}@mail.example"),
            phone: "+1234567890".into(),
            country_code: "US".into(),
            password: PASSWORD.into(),
            username: None,
        }
    }

    /// The same address, claimed by somebody else who chooses another name and password.
    pub(crate) fn rival(&self) -> Self {
        Self {
            first_name: "Mallory".into(),
            last_name: "Intruder".into(),
            password: "An0ther-S3cret-of-theirs".into(),
            ..self.clone()
        }
    }

    /// The same with a username that nobody else has.
    pub(crate) fn with_username(self) -> Self {
        let username = self.email.replace('@', ".at.");
        Self {
            username: Some(username),
            ..self
        }
    }

    /// The same with a phone that takes texts and that nobody else has.
    pub(crate) fn with_mobile(self) -> Self {
        Self {
            phone: mobile(),
            country_code: "DE".into(),
            ..self
        }
    }

    /// As a create takes it.
    pub(crate) fn json(&self) -> Value {
        let mut body = json!({
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "phone": self.phone,
            "country_code": self.country_code,
            "password": self.password,
        });
        if let Some(username) = &self.username {
            body["username"] = json!(username);
        }
        body
    }
}

/// The number of a phone that takes texts and that nobody else has.
pub(crate) fn mobile() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(20_000_000);
    format!("+49151{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The user type that a case is not about.
pub(crate) fn other(user_type: &str) -> &'static str {
    if user_type == "User1" { "User2" } else { "User1" }
}
