//! Texts through Twilio's Messages API: `POST /2010-04-01/Accounts/{AccountSid}/Messages.json`, form fields `To`,
//! `From` or `MessagingServiceSid`, and `Body`, Basic authentication; 201 means that Twilio has queued the text, an
//! error is `{code, message, more_info, status}` (Twilio, "Messages resource" and "Error and warning dictionary").
//!
//! Once the request may have reached Twilio, only its clear refusal says that no text left. The error's message may
//! repeat the number and is not kept; its code is.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, redirect, retry};
use serde::Deserialize;
use tracing::Instrument as _;
use url::Url;

use crate::{
    config::sms::TwilioConfig,
    domain::private::Private,
    jobs::sms::{SmsDelivery, Text},
    traces,
};

const CONNECTING: Duration = Duration::from_secs(5);

/// Twilio's API.
pub struct Twilio {
    client: Client,
    messages: Url,
    account: Url,
    account_sid: String,
    auth_token: Private,
    sender: String,
    status_callback: Option<Url>,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: u32,
}

impl Twilio {
    /// Connects to nothing yet.
    /// What became of a text is reported to `status_callback` and its message's id.
    pub fn new(config: &TwilioConfig, status_callback: Option<Url>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .connect_timeout(CONNECTING.min(config.patience))
            .timeout(config.patience)
            .redirect(redirect::Policy::none())
            // At most once: neither on a connection that may be half closed, nor again by itself.
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .user_agent(concat!("sealgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let base = config.base_url.as_str().trim_end_matches('/');
        let account = format!("{base}/2010-04-01/Accounts/{}", config.account_sid);
        Ok(Self {
            client,
            messages: Url::parse(&format!("{account}/Messages.json"))?,
            account: Url::parse(&format!("{account}.json"))?,
            account_sid: config.account_sid.clone(),
            auth_token: Private::new(config.auth_token.expose().to_owned()),
            sender: config.sender.clone(),
            status_callback,
        })
    }

    /// Hands one text over.
    pub async fn send(&self, text: &Text) -> SmsDelivery {
        let sender = if self.sender.starts_with('+') {
            "From"
        } else {
            "MessagingServiceSid"
        };
        let callback = self
            .status_callback
            .as_ref()
            .and_then(|url| url.join(text.id.as_str()).ok());
        let mut form = vec![
            ("To", text.to.expose()),
            (sender, self.sender.as_str()),
            ("Body", text.body.as_str()),
        ];
        form.extend(callback.as_ref().map(|url| ("StatusCallback", url.as_str())));
        let request = self
            .client
            .post(self.messages.clone())
            .basic_auth(&self.account_sid, Some(self.auth_token.expose()))
            .form(&form);
        // Strangers learn nothing of our traces: the request carries none.
        let span = traces::call("POST", "twilio", self.messages.host_str());
        let answer = request.send().instrument(span.clone()).await;
        traces::called(&span, answer.as_ref().ok().map(|answer| answer.status().as_u16()));
        drop(span);
        match answer {
            Ok(response) => judge(response).await,
            Err(error) if error.is_connect() || error.is_builder() => SmsDelivery::NotSent("Twilio can't be reached"),
            Err(_) => SmsDelivery::Unknown("Twilio did not answer; the text may have left"),
        }
    }

    /// Asks whether the account and its token are good, sending nothing.
    pub async fn probe(&self) -> Result<(), &'static str> {
        let request = self
            .client
            .get(self.account.clone())
            .basic_auth(&self.account_sid, Some(self.auth_token.expose()));
        match request.send().await.map(|response| response.status()) {
            Ok(StatusCode::OK) => Ok(()),
            Ok(StatusCode::UNAUTHORIZED) => Err("Twilio refuses the credentials; check TWILIO_SID, TWILIO_AUTH_TOKEN"),
            Ok(StatusCode::NOT_FOUND) => Err("Twilio does not know the account; check TWILIO_SID"),
            Ok(_) => Err("Twilio answers, and not as expected; try again, or look at its status page"),
            Err(_) => Err("Twilio can't be reached; check TWILIO_BASE_URL and the way out of this network"),
        }
    }
}

async fn judge(response: Response) -> SmsDelivery {
    let status = response.status();
    if status.is_success() {
        // Queued: whatever becomes of the rest of the answer, the text is on its way.
        return SmsDelivery::Accepted;
    }
    let code = response.json::<ErrorBody>().await.ok().map(|body| body.code);
    tracing::debug!(status = status.as_u16(), code, "Twilio did not take a text");
    match (status, code) {
        (StatusCode::TOO_MANY_REQUESTS, _) | (_, Some(20429)) => SmsDelivery::NotSent("Twilio takes no more texts now"),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) | (_, Some(20003)) => {
            SmsDelivery::NotSent("Twilio refuses the credentials; see TWILIO_SID, TWILIO_AUTH_TOKEN")
        }
        (_, Some(21211 | 21214 | 21217 | 21614)) => SmsDelivery::Refused("Twilio says the number takes no texts"),
        (_, Some(21610)) => SmsDelivery::Refused("the number's owner has unsubscribed"),
        (_, Some(21408)) => SmsDelivery::Refused("texts to this country are switched off at Twilio"),
        (status, _) if status.is_client_error() => SmsDelivery::Refused("Twilio refuses the text"),
        _ => SmsDelivery::Unknown("Twilio failed; the text may have left"),
    }
}

impl std::fmt::Debug for Twilio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Twilio")
    }
}
