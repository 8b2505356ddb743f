//! Talks to a server as a client app does.

use std::time::Duration;

use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

/// The password of everybody in these tests.
pub(crate) const PASSWORD: &str = "SecureP@ssw0rd123!";

/// An HTTP client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; `null` where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// A member of the body that is a text.
    pub(crate) fn member(&self, name: &str) -> String {
        match self.json().get(name).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("no `{name}` in {} {}", self.status, self.text),
        }
    }

    /// The same answer, if it has that status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// A pair of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        Self {
            access: answer.member("access_token"),
            refresh: answer.member("refresh_token"),
        }
    }
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self::with(reqwest::Client::builder(), &format!("http://{address}"))
    }

    /// One that connects in a way of its own.
    pub(crate) fn with(http: reqwest::ClientBuilder, base: &str) -> Self {
        Self {
            // No connection waits for the next request: a test that runs a command meanwhile would not see it end.
            http: http
                .timeout(Duration::from_secs(20))
                .pool_max_idle_per_host(0)
                .build()
                .expect("a client"),
            base: base.to_owned(),
        }
    }

    async fn send(request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        Some(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.ok()?,
        })
    }

    /// Where nobody may answer: `None` then.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        Self::send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.expect("an answer")
    }

    /// As a browser does.
    pub(crate) async fn get_page(&self, path: &str) -> Answer {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .header("accept", "text/html");
        Self::send(request).await.expect("an answer")
    }

    pub(crate) async fn try_get_as(&self, access: &str, path: &str) -> Option<Answer> {
        Self::send(self.http.get(format!("{}{path}", self.base)).bearer_auth(access)).await
    }

    pub(crate) async fn get_as(&self, access: &str, path: &str) -> Answer {
        self.try_get_as(access, path).await.expect("an answer")
    }

    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        Self::send(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.expect("an answer")
    }

    /// Registers; no wait for the mail.
    pub(crate) async fn create(&self, user_type: &str, email: &str) -> Answer {
        self.post(&format!("/{user_type}/create"), &registration(email)).await
    }

    pub(crate) async fn verify(&self, user_type: &str, token: &str) -> Answer {
        self.post(&format!("/{user_type}/verify"), &json!({ "token": token }))
            .await
    }

    pub(crate) async fn try_login(&self, user_type: &str, email: &str) -> Answer {
        self.try_login_with(user_type, email, PASSWORD).await
    }

    pub(crate) async fn try_login_with(&self, user_type: &str, email: &str, password: &str) -> Answer {
        let form = [("username", email), ("password", password)];
        let request = self.http.post(format!("{}/{user_type}/login", self.base)).form(&form);
        Self::send(request).await.expect("an answer")
    }

    pub(crate) async fn login(&self, user_type: &str, email: &str) -> Tokens {
        Tokens::of(&self.try_login(user_type, email).await.expect(200))
    }

    pub(crate) async fn refresh(&self, user_type: &str, refresh: &str) -> Tokens {
        let body = json!({ "refresh_token": refresh });
        Tokens::of(
            &self
                .post(&format!("/{user_type}/refresh-token"), &body)
                .await
                .expect(200),
        )
    }

    pub(crate) async fn logout(&self, user_type: &str, access: &str) -> Answer {
        let request = self
            .http
            .post(format!("{}/{user_type}/logout", self.base))
            .bearer_auth(access);
        Self::send(request).await.expect("an answer")
    }

    pub(crate) async fn delete(&self, user_type: &str, access: &str, password: &str) -> Answer {
        let request = self
            .http
            .delete(format!("{}/{user_type}/delete", self.base))
            .json(&json!({ "password": password }))
            .bearer_auth(access);
        Self::send(request).await.expect("an answer")
    }

    pub(crate) async fn profile(&self, user_type: &str, access: &str) -> Answer {
        self.get_as(access, &format!("/{user_type}/")).await
    }
}

/// The body of a registration.
pub(crate) fn registration(email: &str) -> Value {
    json!({
        "first_name": "Ada",
        "last_name": "O'Brien",
        "email": email,
        "phone": "+4915112345678",
        "password": PASSWORD,
    })
}
