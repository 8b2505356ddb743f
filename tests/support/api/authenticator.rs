//! An authenticator app: what a stock one does with the secret that it is given.

use std::time::Duration;

use sealgate::domain::clock::Clock as _;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::support::{Answer, Pair, Person, TestApp};

/// An app that holds one secret.
pub(crate) struct Authenticator(Totp);

impl Authenticator {
    /// Of a secret as it is typed in.
    pub(crate) fn of(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).expect("base32");
        Self(
            Builder::new()
                .with_secret(secret)
                .build()
                .expect("a secret of 160 bits"),
        )
    }

    /// The code that it shows now.
    pub(crate) fn code(&self, app: &TestApp) -> String {
        self.code_in(app, 0)
    }

    /// The one that it shows so many steps later.
    pub(crate) fn code_in(&self, app: &TestApp, steps: i64) -> String {
        let at = app.clock.now().as_secs() + 30 * steps;
        let code = self.0.generate(u64::try_from(at).expect("after 1970")).to_string();
        app.keep_secret(&code);
        code
    }
}

/// An account with a second factor.
pub(crate) struct Protected {
    pub(crate) person: Person,
    pub(crate) pair: Pair,
    pub(crate) authenticator: Authenticator,
    pub(crate) recovery_codes: Vec<String>,
}

impl TestApp {
    /// Asks for a secret.
    pub(crate) async fn enrol(&self, user_type: &str, access: &str) -> Answer {
        let call = self.post(&format!("/{user_type}/mfa/totp")).bearer(access);
        call.send().await
    }

    /// Confirms it.
    pub(crate) async fn confirm_totp(&self, user_type: &str, access: &str, code: &str) -> Answer {
        let call = self.post(&format!("/{user_type}/mfa/totp/confirm")).bearer(access);
        call.json(&json!({ "code": code })).send().await
    }

    /// The second half of a sign-in.
    pub(crate) async fn verify_mfa(&self, user_type: &str, body: &Value) -> Answer {
        self.post(&format!("/{user_type}/mfa/verify")).json(body).send().await
    }

    /// The first half: its token.
    pub(crate) async fn first_half(&self, user_type: &str, person: &Person) -> String {
        let answer = self.sign_in(user_type, &person.email, &person.password).await;
        let token = answer.expect_problem(403, "mfa_required").member("mfa_token");
        self.keep_secret(&token);
        token
    }

    /// Somebody whose account takes a second factor; the step of its first code is over.
    pub(crate) async fn protected(&self, user_type: &str) -> Protected {
        let (person, pair) = self.member(user_type).await;
        let authenticator = Authenticator::of(&self.enrol(user_type, &pair.access).await.expect(200).member("secret"));
        let confirmed = self
            .confirm_totp(user_type, &pair.access, &authenticator.code(self))
            .await
            .expect(200);
        let recovery_codes = recovery_codes(&confirmed);
        self.clock.advance(Duration::from_secs(30));
        Protected {
            person,
            pair,
            authenticator,
            recovery_codes,
        }
    }
}

/// Those that an answer shows.
pub(crate) fn recovery_codes(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let codes = body["recovery_codes"].as_array().expect("codes").iter();
    codes.map(|code| code.as_str().expect("a text").to_owned()).collect()
}
