//! Calls routes, and keeps account: which operation was called, how it was answered, and what an answer says that is not
//! meant to hold anything of anybody.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use reqwest::{Method, RequestBuilder, header::HeaderMap, redirect};
use serde_json::Value;

use super::{
    markers::Mark,
    person::{Device, Person},
    places::Place,
};
use crate::waiting::eventually;

const PATIENCE: Duration = Duration::from_mins(1);

/// Answers that are for their owner: everything else is searched.
const FOR_THE_OWNER: [(&str, &str); 20] = [
    ("POST", "/login"),
    ("POST", "/login/email"),
    ("POST", "/login/email/verify"),
    ("POST", "/login/email/link"),
    ("POST", "/refresh-token"),
    ("POST", "/reauthenticate"),
    ("POST", "/mfa/totp"),
    ("POST", "/mfa/totp/confirm"),
    ("POST", "/mfa/sms/confirm"),
    ("POST", "/mfa/verify"),
    ("POST", "/mfa/recovery-codes"),
    ("GET", "/"),
    ("PUT", "/update"),
    ("GET", "/sessions"),
    ("GET", "/export"),
    // Pages whose form holds the link's token.
    ("GET", "/verify"),
    ("GET", "/login/email/link"),
    ("GET", "/end-session"),
    ("GET", "/reset_password_form"),
    ("GET", "/verify-token"),
];

#[derive(Debug)]
pub(crate) struct Driver {
    http: reqwest::Client,
    base: String,
    outbox: std::path::PathBuf,
    pub(crate) marks: Vec<Mark>,
    /// What must hold no mark: error bodies, acknowledgements, headers, claims.
    pub(crate) answers: Vec<Place>,
    /// By operation, the statuses it was answered with.
    called: BTreeMap<(String, String), Vec<u16>>,
    /// Files of the outbox that were read.
    read: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    call: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.call, self.text);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn member(&self, name: &str) -> String {
        let json = self.json();
        let text = json[name].as_str();
        text.unwrap_or_else(|| panic!("no {name}: {} {}", self.call, self.text))
            .to_owned()
    }
}

/// Tokens that were handed out.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Driver {
    pub(crate) fn new(address: &str, outbox: std::path::PathBuf) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_mins(1));
        Self {
            http: http.build().expect("a client"),
            base: format!("http://{address}"),
            outbox,
            marks: Vec::new(),
            answers: Vec::new(),
            called: BTreeMap::new(),
            read: Vec::new(),
        }
    }

    pub(crate) fn mark(&mut self, what: &str, text: impl AsRef<[u8]>) {
        self.marks.push(Mark::new(what, text));
    }

    /// Makes a request; `path` may carry a query.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let parsed = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = with(self.http.request(parsed, format!("{}{path}", self.base)));
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let route = path.split('?').next().expect("a path").to_owned();
        let answer = Answer {
            call: format!("{method} {route}"),
            status,
            headers,
            text: response.text().await.expect("a whole body"),
        };
        let called = self.called.entry((method.to_owned(), route.clone())).or_default();
        called.push(status);
        let below = route
            .splitn(3, '/')
            .nth(2)
            .map_or("/".to_owned(), |rest| format!("/{rest}"));
        let is_half = status == 403 && answer.text.contains("\"mfa_token\"");
        // One account, with its personal data, to whoever may read it.
        let is_administered = method == "GET" && below.starts_with("/admin/accounts/");
        let is_own = FOR_THE_OWNER.contains(&(method, below.as_str()));
        let is_for_the_owner = status < 300 && (is_administered || is_own) || is_half && is_own;
        let mut shown = String::new();
        for (name, value) in answer.headers.iter().filter(|(name, _)| *name != "x-device-token") {
            writeln!(shown, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).expect("to a text");
        }
        if !is_for_the_owner {
            shown.push_str(&answer.text);
        }
        self.answers
            .push((format!("answer {status} to {}", answer.call), shown.into_bytes()));
        answer
    }

    /// As `device` of somebody, with a JSON body.
    pub(crate) async fn post(&mut self, device: &Device, path: &str, body: &Value) -> Answer {
        self.call("POST", path, |request| device.speaks(request).json(body))
            .await
    }

    /// The same by somebody who is signed in.
    pub(crate) async fn bearer(&mut self, method: &str, path: &str, access: &str, body: Option<&Value>) -> Answer {
        self.call(method, path, |request| {
            let request = request.bearer_auth(access);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        })
        .await
    }

    pub(crate) async fn login(&mut self, user_type: &str, name: &str, password: &str, device: &Device) -> Tokens {
        let form = [("username", name), ("password", password)];
        let path = format!("/{user_type}/login");
        let answer = self
            .call("POST", &path, |request| device.speaks(request).form(&form))
            .await;
        let answer = answer.expect(200);
        if let Some(token) = answer.headers.get("x-device-token") {
            self.mark_token("device token", token.to_str().expect("plain"));
        }
        self.tokens(&answer)
    }

    pub(crate) async fn refresh(&mut self, user_type: &str, token: &str) -> Tokens {
        let body = serde_json::json!({ "refresh_token": token });
        let path = format!("/{user_type}/refresh-token");
        let answer = self
            .call("POST", &path, |request| request.json(&body))
            .await
            .expect(200);
        self.tokens(&answer)
    }

    pub(crate) fn tokens(&mut self, answer: &Answer) -> Tokens {
        let tokens = Tokens {
            access: answer.member("access_token"),
            refresh: answer.member("refresh_token"),
        };
        self.mark_access(&tokens.access);
        self.mark_token("refresh token", &tokens.refresh);
        tokens
    }

    /// Its signature is what nobody may have; its claims are looked at themselves.
    pub(crate) fn mark_access(&mut self, token: &str) {
        let parts: Vec<&str> = token.split('.').collect();
        self.mark("access token", parts[2]);
        let claims = BASE64URL_NOPAD.decode(parts[1].as_bytes()).expect("base64url");
        self.answers.push(("claims of an access token".to_owned(), claims));
    }

    /// A token of ours, as text and as the random bytes that it carries: the last 32.
    pub(crate) fn mark_token(&mut self, what: &str, token: &str) {
        let body = token.rsplit('.').next().expect("a body");
        let bytes = BASE64URL_NOPAD.decode(body.as_bytes()).expect("base64url");
        self.mark(what, &body[body.len().saturating_sub(43)..]);
        self.mark(&format!("{what}, its bytes"), &bytes[bytes.len() - 32..]);
    }

    /// The token of a mail to `address` whose link leads to `part`, of a mail that was not read yet.
    pub(crate) async fn link(&mut self, address: &str, part: &str) -> String {
        let (outbox, read) = (&self.outbox, &mut self.read);
        let wanted = format!("{part}?token=");
        let token = eventually(&format!("a mail to {address} with {part}"), PATIENCE, async || {
            let (file, token) = files(outbox, "eml").find_map(|path| {
                let name = path.file_name()?.to_str()?.to_owned();
                if read.contains(&name) {
                    return None;
                }
                let bytes = fs::read(&path).ok()?;
                let mail = mail_parser::MessageParser::default().parse(&bytes)?;
                let is_to = mail.to()?.first()?.address()? == address;
                let text = mail.body_text(0)?;
                let link = text.split_whitespace().find(|word| word.contains(&wanted))?;
                is_to.then(|| (name, link.split_once(&wanted).expect("found").1.to_owned()))
            })?;
            read.push(file);
            Some(token)
        })
        .await;
        self.mark_token(&format!("token of {part}"), &token);
        token
    }

    /// The code of a text to `person`, of one that was not read yet.
    pub(crate) async fn code(&mut self, person: &Person) -> String {
        let (outbox, read) = (&self.outbox, &mut self.read);
        let code = eventually("a text", PATIENCE, async || {
            let (name, code) = files(outbox, "sms").find_map(|path| {
                let name = path.file_name()?.to_str()?.to_owned();
                let text = fs::read_to_string(&path).ok()?;
                let is_new = !read.contains(&name) && text.contains(&format!("To: {}\n", person.phone));
                let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
                let code = text.split_once("\n\n")?.1.split_whitespace().find(is_code)?;
                is_new.then(|| (name, code.to_owned()))
            })?;
            read.push(name);
            Some(code)
        })
        .await;
        self.marks.push(Mark::code("code of a text", &code));
        code
    }

    /// Operations of the document that were not called, or not with both ends that they may have.
    pub(crate) fn not_driven(&self) -> Vec<String> {
        let document = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json")).expect("read");
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        let mut missing = Vec::new();
        for (template, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let Some(responses) = operation["responses"].as_object() else {
                    continue;
                };
                let method = method.to_uppercase();
                let called = self
                    .called
                    .iter()
                    .filter(|((called, path), _)| *called == method && fits(template, path));
                let statuses: Vec<u16> = called.flat_map(|(_, statuses)| statuses).copied().collect();
                let may_fail = ["400", "401", "403", "404", "409", "413", "415", "422"]
                    .iter()
                    .any(|status| responses.contains_key(*status));
                if !statuses.iter().any(|status| *status < 400) {
                    missing.push(format!("{method} {template} with success: {statuses:?}"));
                }
                if may_fail && !statuses.iter().any(|status| (400..500).contains(status)) {
                    missing.push(format!("{method} {template} with a refusal: {statuses:?}"));
                }
            }
        }
        missing
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(part, given)| part.starts_with('{') && !given.is_empty() || *part == given)
}

fn files<'f>(folder: &Path, ending: &'f str) -> impl Iterator<Item = std::path::PathBuf> + use<'f> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(move |path| path.extension().is_some_and(|kind| kind == ending))
}
