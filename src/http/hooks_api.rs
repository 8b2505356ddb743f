//! What providers call: Twilio's reports of what became of a text. Not of a user type: a message knows whose it is.

use std::sync::Arc;

use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, Object, OpenApi, Tags,
    param::{Header, Path},
    payload::Json,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type as _,
};
use url::Url;

use crate::{
    crypto::twilio_signature::is_signed,
    domain::private::Private,
    http::{
        dto::Message,
        error_code::{Codes, ErrorCode, codes},
        problem::Problem,
        refusals::{Refused, internal},
    },
    service::{
        Core,
        twilio_status::{TextStatus, note_status},
    },
};

/// The routes.
#[derive(Clone, Debug)]
pub struct HooksApi;

/// What Twilio's reports are checked by.
#[derive(Debug)]
pub struct TwilioHook {
    /// Of the account.
    pub token: Private,
    /// What Twilio was told to report to, but for the message's id.
    pub base: Url,
}

impl TwilioHook {
    /// Twilio may leave the port out of what it signs, or put it in.
    fn may_have_signed(&self, path: &str, query: Option<&str>, form: &[(String, String)], signature: &str) -> bool {
        let Ok(mut url) = self.base.join(path) else {
            return false;
        };
        url.set_query(query);
        let mut spellings = vec![url.to_string()];
        if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) {
            let rest = &url[url::Position::BeforePath..];
            spellings.push(format!("{}://{host}{rest}", url.scheme()));
            spellings.push(format!("{}://{host}:{port}{rest}", url.scheme()));
        }
        spellings
            .iter()
            .any(|url| is_signed(self.token.expose(), url, form, signature))
    }
}

#[derive(Tags)]
enum Tag {
    /// What providers of the service call. Clients have no use for it.
    Hooks,
}

/// What Twilio reports.
#[derive(Object)]
#[oai(example, rename = "TwilioStatus")]
struct TwilioStatusSchema {
    /// `delivered`, `undelivered` and `failed` are noted, anything else is not.
    #[oai(rename = "MessageStatus")]
    message_status: String,
    /// Of Twilio's error dictionary.
    #[oai(rename = "ErrorCode")]
    error_code: Option<String>,
}

impl poem_openapi::types::Example for TwilioStatusSchema {
    fn example() -> Self {
        Self {
            message_status: "undelivered".to_owned(),
            error_code: Some("30003".to_owned()),
        }
    }
}

/// The fields of a form, whatever they are.
struct Fields(Vec<(String, String)>);

const FORM: &str = "application/x-www-form-urlencoded";

impl<'a> ApiExtractor<'a> for Fields {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        TwilioStatusSchema::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: FORM,
                schema: TwilioStatusSchema::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let is_form = request
            .header(header::CONTENT_TYPE)
            .and_then(|text| text.parse::<mime::Mime>().ok())
            .is_some_and(|media| media.essence_str() == FORM);
        if !is_form {
            return Err(Problem::new(ErrorCode::UnsupportedMediaType).into());
        }
        let bytes = body.take()?.into_vec().await?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }
}

const REPORT: Codes = codes([
    ErrorCode::SignatureInvalid,
    ErrorCode::BodyTimeout,
    ErrorCode::BodyTooLarge,
    ErrorCode::MalformedBody,
    ErrorCode::UnsupportedMediaType,
]);

#[OpenApi]
impl HooksApi {
    /// Report what became of a text
    ///
    /// Twilio's status callback: the `StatusCallback` of every text leads here. Signed by Twilio with the account's token
    /// over this URL and every field of the form; anything else is 403. A message that is not known is 200, and nothing is
    /// noted.
    #[oai(
        path = "/hooks/twilio/:message_id",
        method = "post",
        operation_id = "twilio_status",
        tag = "Tag::Hooks"
    )]
    async fn twilio_status(
        &self,
        request: &Request,
        /// The text's message.
        message_id: Path<String>,
        /// Twilio's.
        #[oai(name = "X-Twilio-Signature")]
        signature: Header<Option<String>>,
        form: Fields,
    ) -> Result<Json<Message>, Refused<REPORT>> {
        let core = request.data::<Arc<Core>>().ok_or_else(internal)?;
        let hook = request.data::<Arc<TwilioHook>>();
        let signature = signature.0.unwrap_or_default();
        // As it was sent: what was signed is not decoded.
        let path = request.original_uri().path().rsplit('/').next().unwrap_or_default();
        let query = request.original_uri().query();
        if !hook.is_some_and(|hook| hook.may_have_signed(path, query, &form.0, &signature)) {
            return Err(Problem::new(ErrorCode::SignatureInvalid).into());
        }
        let status = match form.get("MessageStatus") {
            Some("delivered") => Some(TextStatus::Delivered),
            Some("undelivered") => Some(TextStatus::Undelivered),
            Some("failed") => Some(TextStatus::Failed),
            _ => None,
        };
        if let (Some(status), Ok(message)) = (status, message_id.0.parse()) {
            let code = form.get("ErrorCode").and_then(|code| code.parse().ok());
            note_status(core, &message, status, code).await?;
        }
        Ok(Json(Message {
            message: "Thank you.".to_owned(),
        }))
    }
}
