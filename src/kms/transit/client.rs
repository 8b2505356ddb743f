//! One request to the engine and its answer: within its patience, with the token that holds, and wiped afterwards as far as
//! it is ours (what lies in the buffers of TCP and TLS is not).

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use reqwest::{Certificate, Method, StatusCode, header::HeaderValue, redirect};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    crypto::kek::KekError,
    domain::private::Private,
    kms::transit::TransitOptions,
    traces::{self, TRACEPARENT},
};

/// More than any answer about one key.
const LONGEST: usize = 64 * 1024;
/// More than any request: a buffer that grows leaves what it had behind.
const REQUEST: usize = 32 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
    /// Of the engine, with `/v1`.
    base: Url,
    namespace: Option<HeaderValue>,
    token: RwLock<Arc<Private>>,
    token_file: Option<PathBuf>,
}

/// What came back: a success, or a refusal that was meant.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Zeroizing<Vec<u8>>,
}

/// As every answer is wrapped.
#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Answer {
    /// Whether it was done.
    pub(super) fn succeeded(&self) -> Result<(), KekError> {
        match self.status {
            status if status.is_success() => Ok(()),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(KekError::Unusable(
                "TRANSIT_TOKEN is refused: renew it, or let its policy do what docs/OPERATIONS.md lists".to_owned(),
            )),
            status => Err(KekError::Unusable(format!(
                "it refuses a request ({}): look into its audit log",
                status.as_u16()
            ))),
        }
    }

    /// What it gave.
    pub(super) fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, KekError> {
        self.succeeded()?;
        // Whatever stands there instead answers for it, and not as it does.
        let envelope: Envelope<T> = serde_json::from_slice(&self.body).map_err(|_| KekError::Unavailable)?;
        Ok(envelope.data)
    }
}

impl Client {
    /// Connects to nothing yet.
    pub(super) fn new(options: TransitOptions) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(options.patience)
            .timeout(options.patience)
            // The token goes where it is meant to go.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("sealgate/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &options.authority {
            http = http.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        let mut base = options.url;
        if let Ok(mut segments) = base.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(options.mount.split('/'));
        }
        Ok(Self {
            http: http.build()?,
            base,
            namespace: options.namespace.as_deref().map(HeaderValue::from_str).transpose()?,
            token: RwLock::new(Arc::new(options.token)),
            token_file: options.token_file,
        })
    }

    pub(super) async fn get(&self, path: &[&str]) -> Result<Answer, KekError> {
        self.ask(Method::GET, path, &Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Answer, KekError> {
        let mut text = Zeroizing::new(Vec::with_capacity(REQUEST));
        serde_json::to_writer(&mut *text, body).map_err(|_| KekError::Damaged)?;
        self.ask(Method::POST, path, &Bytes::from_owner(text)).await
    }

    /// Asks, and once more where there is another token by now.
    async fn ask(&self, method: Method, path: &[&str], body: &Bytes) -> Result<Answer, KekError> {
        let token = self.token();
        let answer = self.ask_with(&token, method.clone(), path, body.clone()).await?;
        if answer.status != StatusCode::FORBIDDEN {
            return Ok(answer);
        }
        match self.newer_token(&token).await {
            Some(token) => self.ask_with(&token, method, path, body.clone()).await,
            None => Ok(answer),
        }
    }

    async fn ask_with(&self, token: &Private, method: Method, path: &[&str], body: Bytes) -> Result<Answer, KekError> {
        let name = if method == Method::GET { "GET" } else { "POST" };
        let span = traces::call(name, "transit", self.base.host_str());
        let answer = self.send(token, method, path, body).instrument(span.clone()).await;
        traces::called(&span, answer.as_ref().ok().map(|answer| answer.status.as_u16()));
        answer
    }

    async fn send(&self, token: &Private, method: Method, path: &[&str], body: Bytes) -> Result<Answer, KekError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        let mut secret = HeaderValue::from_str(token.expose())
            .map_err(|_| KekError::Unusable("TRANSIT_TOKEN is no token".to_owned()))?;
        secret.set_sensitive(true);
        let mut request = self
            .http
            .request(method, url)
            .header("x-vault-token", secret)
            // What an agent before the server may ask for.
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace.clone());
        }
        if let Some(parent) = traces::current() {
            request = request.header(TRACEPARENT, parent.to_string());
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|_| KekError::Unavailable)?;
        let status = response.status();
        // Sealed, restarting, standing by, too busy, behind: another try may do.
        let is_meant = status.is_success() || status.is_client_error();
        if !is_meant || [StatusCode::TOO_MANY_REQUESTS, StatusCode::PRECONDITION_FAILED].contains(&status) {
            return Err(KekError::Unavailable);
        }
        let mut whole = Zeroizing::new(Vec::with_capacity(LONGEST));
        while let Some(chunk) = response.chunk().await.map_err(|_| KekError::Unavailable)? {
            if whole.len() + chunk.len() > LONGEST {
                return Err(KekError::Unavailable);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: whole })
    }

    fn token(&self) -> Arc<Private> {
        Arc::clone(&self.token.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The one that is in the file by now; nothing where it is the one that was refused.
    async fn newer_token(&self, refused: &Private) -> Option<Arc<Private>> {
        let path = self.token_file.clone()?;
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path).map(Zeroizing::new));
        let text = read.await.ok()?.ok()?;
        let token = text.trim();
        if token.is_empty() || token == refused.expose() {
            return None;
        }
        let token = Arc::new(Private::new(token.to_owned()));
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&token);
        Some(token)
    }
}
