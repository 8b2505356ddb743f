//! A running service and its client.

use std::{
    collections::{BTreeSet, HashSet},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, header::HeaderValue, redirect};
use sealgate::{
    app::Server,
    domain::{
        clock::{ManualClock, Timestamp},
        user_type::UserType,
    },
    storage::{Stores, audit::AuditRecord},
};
use serde_json::{Value, json};

use super::{
    Answer, Person, Setup, eventually,
    inbox::{self, Mail, Text},
};

/// A running service.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) setup: Setup,
    pub(crate) outbox: PathBuf,
    pub(crate) kek_file: PathBuf,
    user_types: Vec<UserType>,
    client: reqwest::Client,
    server: Server,
    /// Mails that were read.
    seen: Mutex<HashSet<String>>,
    /// What no error and no acknowledgement may repeat.
    secrets: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for TestApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TestApp({})", self.address)
    }
}

/// A request that is being made.
#[must_use]
pub(crate) struct Call<'a> {
    app: &'a TestApp,
    name: String,
    request: RequestBuilder,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// A header of any bytes that a header may have; a second of the same name stands beside the first.
    pub(crate) fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        let value = HeaderValue::from_bytes(value).expect("a header's bytes");
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn accept(self, media_types: &str) -> Self {
        self.header("accept", media_types)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.app.keep_secret(token);
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    pub(crate) fn form(mut self, members: &[(&str, &str)]) -> Self {
        self.request = self.request.form(members);
        self
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header("content-type", content_type).body(body.into());
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let app = self.app;
        let answer = self.send_unchecked().await;
        answer.check(&*app.secrets());
        answer
    }

    /// Of an answer that is not a problem whatever its status: health.
    pub(crate) async fn send_unchecked(self) -> Answer {
        let response = self.request.send().await;
        let response = response.unwrap_or_else(|error| panic!("{} got no answer: {error:?}", self.name));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer {
            body: response.bytes().await.expect("a whole body").to_vec(),
            call: self.name,
            status,
            headers,
        }
    }
}

impl TestApp {
    pub(super) fn new(
        setup: Setup,
        server: Server,
        outbox: PathBuf,
        kek_file: PathBuf,
        user_types: Vec<UserType>,
    ) -> Self {
        let client = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy();
        // Sooner than the server gives an idle connection up: a request that meets its end gets no answer.
        let client = client.pool_idle_timeout(Duration::from_secs(2));
        Self {
            address: server.address,
            clock: Arc::clone(&setup.clock),
            setup,
            outbox,
            kek_file,
            user_types,
            client: client.build().expect("a client"),
            server,
            seen: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    /// A request with any method; `path` may carry a query.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let parsed = Method::from_bytes(method.as_bytes()).expect("a method");
        Call {
            app: self,
            name: format!("{method} {path}"),
            request: self.client.request(parsed, format!("http://{}{path}", self.address)),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    /// Asks to register `person`.
    pub(crate) async fn create(&self, user_type: &str, person: &Person) -> Answer {
        self.keep_secret(&person.email);
        self.keep_secret(&person.password);
        let call = self.post(&format!("/{user_type}/create"));
        call.json(&person.json()).send().await
    }

    /// Registers `person` and answers the token of the link that was mailed.
    pub(crate) async fn register(&self, user_type: &str, person: &Person) -> String {
        self.create(user_type, person).await.expect(201);
        self.next_link(person).await
    }

    /// Uses a link's token, as a program does.
    pub(crate) async fn confirm(&self, user_type: &str, token: &str) -> Answer {
        self.keep_secret(token);
        let call = self.post(&format!("/{user_type}/verify"));
        call.json(&json!({ "token": token })).send().await
    }

    /// Registers and confirms, until the welcome mail has come.
    pub(crate) async fn join(&self, user_type: &str, person: &Person) {
        let token = self.register(user_type, person).await;
        self.confirm(user_type, &token).await.expect(200);
        let welcome = self.next_mail(&person.email).await;
        assert!(welcome.subject.starts_with("Welcome"), "{welcome:?}");
    }

    /// Tries to sign in, as OAuth 2's form does.
    pub(crate) async fn sign_in(&self, user_type: &str, username: &str, password: &str) -> Answer {
        let members = [
            ("grant_type", "password"),
            ("username", username),
            ("password", password),
        ];
        self.keep_secret(password);
        self.post(&format!("/{user_type}/login")).form(&members).send().await
    }

    /// Signs `person` in.
    pub(crate) async fn login(&self, user_type: &str, person: &Person) -> Pair {
        Pair::of(
            self,
            &self
                .sign_in(user_type, &person.email, &person.password)
                .await
                .expect(200),
        )
    }

    /// A new account, signed in.
    pub(crate) async fn member(&self, user_type: &str) -> (Person, Pair) {
        let person = Person::new();
        self.join(user_type, &person).await;
        let pair = self.login(user_type, &person).await;
        (person, pair)
    }

    /// Presents a refresh token.
    pub(crate) async fn refresh(&self, user_type: &str, token: &str) -> Answer {
        self.keep_secret(token);
        let call = self.post(&format!("/{user_type}/refresh-token"));
        call.json(&json!({ "refresh_token": token })).send().await
    }

    /// Asks for one's own profile.
    pub(crate) async fn profile(&self, user_type: &str, access_token: &str) -> Answer {
        self.get(&format!("/{user_type}/")).bearer(access_token).send().await
    }

    /// Waits for a mail to `address` that was not read yet.
    pub(crate) async fn next_mail(&self, address: &str) -> Mail {
        eventually(&format!("a mail to {address}"), async || {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mails = inbox::mails(&self.outbox);
            let new = |mail: &Mail| mail.to.iter().any(|to| to == address) && !seen.contains(&mail.file);
            let mail = mails.into_iter().find(new)?;
            seen.insert(mail.file.clone());
            Some(mail)
        })
        .await
    }

    /// Waits for the next mail to `person` and answers the token of its link.
    pub(crate) async fn next_link(&self, person: &Person) -> String {
        let token = self.next_mail(&person.email).await.token();
        self.keep_secret(&token);
        token
    }

    /// Every mail to `address` that will ever come of what was asked so far.
    pub(crate) async fn all_mails(&self, address: &str) -> Vec<Mail> {
        self.settle().await;
        self.mails(address)
    }

    /// Every mail to `address` that is there now.
    pub(crate) fn mails(&self, address: &str) -> Vec<Mail> {
        let mut mails = inbox::mails(&self.outbox);
        mails.retain(|mail| mail.to.iter().any(|to| to == address));
        mails
    }

    /// Waits for a text to `number` that was not read yet, and answers its code.
    pub(crate) async fn next_code(&self, number: &str) -> String {
        eventually(&format!("a text to {number}"), async || {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let texts = inbox::texts(&self.outbox);
            let text = texts
                .into_iter()
                .find(|text| text.to == number && !seen.contains(&text.file))?;
            seen.insert(text.file.clone());
            Some(text.code())
        })
        .await
    }

    /// Every text that will ever come of what was asked so far.
    pub(crate) async fn all_texts(&self) -> Vec<Text> {
        self.settle().await;
        inbox::texts(&self.outbox)
    }

    /// Asks for a link that sets a new password.
    pub(crate) async fn forget(&self, user_type: &str, email: &str) -> Answer {
        self.keep_secret(email);
        let call = self.post(&format!("/{user_type}/forget_password"));
        call.json(&json!({ "email": email })).send().await
    }

    /// Sets a new password, as a program does.
    pub(crate) async fn reset(&self, user_type: &str, token: &str, password: &str) -> Answer {
        self.keep_secret(token);
        self.keep_secret(password);
        let call = self.post(&format!("/{user_type}/reset_password"));
        call.json(&json!({ "token": token, "password": password })).send().await
    }

    /// Changes one's profile.
    pub(crate) async fn update(&self, user_type: &str, access_token: &str, change: &Value) -> Answer {
        let call = self.call("PUT", &format!("/{user_type}/update"));
        call.bearer(access_token).json(change).send().await
    }

    /// Deletes one's account.
    pub(crate) async fn delete(&self, user_type: &str, access_token: &str, proof: &Value) -> Answer {
        let call = self.call("DELETE", &format!("/{user_type}/delete"));
        call.bearer(access_token).json(proof).send().await
    }

    /// Asks for a code to one's phone; answers what it is named.
    pub(crate) async fn ask_code(&self, user_type: &str, access_token: &str, body: &Value) -> Answer {
        let call = self.post(&format!("/{user_type}/otp_phone"));
        call.bearer(access_token).json(body).send().await
    }

    /// Sends a code back.
    pub(crate) async fn send_code(&self, user_type: &str, access_token: &str, challenge: &str, code: &str) -> Answer {
        let call = self.post(&format!("/{user_type}/verify_otp_phone"));
        let body = json!({ "token": challenge, "otp": code });
        call.bearer(access_token).json(&body).send().await
    }

    /// What the audit holds of a user type, oldest first.
    pub(crate) async fn audit(&self, user_type: &str) -> Vec<AuditRecord> {
        let stores = self.open_stores().await;
        let user_type = user_type.parse().expect("a user type");
        stores.audit.list(&user_type, None, None, 1000).await.expect("a store")
    }

    /// Waits until no message is under way.
    pub(crate) async fn settle(&self) {
        let stores = self.open_stores().await;
        let end = Timestamp::NEVER.minus(Duration::from_secs(1));
        eventually("every message to be delivered", async || {
            for user_type in &self.user_types {
                let registrations = stores.registrations.due(user_type, end, 1).await.expect("a store");
                let accounts = stores.accounts.due(user_type, end, 1).await.expect("a store");
                let requests = stores.requests.due(user_type, end, 1).await.expect("a store");
                if !registrations.is_empty() || !accounts.is_empty() || !requests.is_empty() {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// The store, opened once more, as another process would.
    pub(crate) async fn open_stores(&self) -> Stores {
        self.setup.stores.open(self.setup.folder(), &self.user_types).await
    }

    /// From now on no error and no acknowledgement may repeat `text`.
    pub(crate) fn keep_secret(&self, text: &str) {
        if text.len() >= 8 {
            self.secrets().insert(text.to_owned());
        }
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the service.
    pub(crate) async fn shut_down(self) {
        self.server
            .shut_down()
            .await
            .unwrap_or_else(|error| panic!("the service does not stop: {error:#}"));
    }
}

/// A pair of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Pair {
    /// The pair of an answer.
    #[track_caller]
    pub(crate) fn of(app: &TestApp, answer: &Answer) -> Self {
        let pair = Self {
            access: answer.member("access_token"),
            refresh: answer.member("refresh_token"),
        };
        app.keep_secret(&pair.access);
        app.keep_secret(&pair.refresh);
        pair
    }
}
