//! Request bodies: JSON on every route, forms where the route takes them, read strictly.
//!
//! Bytes that are not JSON (or a form, or UTF-8) are 400, another type is 415, and whatever is wrong with members is
//! one 422 that names each. `poem-openapi`'s own JSON payload reports the first mistake only, in its own words, and
//! takes repeated members.

use percent_encoding::percent_decode_str;
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use zeroize::Zeroizing;

use crate::http::{
    error_code::ErrorCode,
    fields::{Fields, Members, Value},
    population::Population,
    problem::Problem,
};
use crate::service::Failure;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// More than any route knows. Each is compared with all, and each that is wrong has its line in the answer.
const MOST_MEMBERS: usize = 64;

/// What a route takes.
pub trait Dto: Sized + Send + 'static {
    /// Its twin in the document.
    type Schema: Type;
    /// Whether a form with the same names is taken too.
    const TAKES_FORM: bool;
    /// Whether there must be one.
    const IS_REQUIRED: bool = true;
    /// Whether the form is what the document shows first.
    const PREFERS_FORM: bool = false;
    /// Whether somebody chooses a password, which is judged beside the threads that serve.
    const CHOOSES_PASSWORD: bool = false;
    /// Reads the members. `None` only when a mistake was noted.
    fn read(fields: &mut Fields, population: &Population) -> Option<Self>;
}

/// A body that was read.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<'a, T: Dto> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::Schema::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let media_type = |content_type| MetaMediaType {
            content_type,
            schema: T::Schema::schema_ref(),
        };
        let mut content = vec![media_type(JSON)];
        if T::TAKES_FORM {
            content.insert(usize::from(!T::PREFERS_FORM), media_type(FORM));
        }
        Some(MetaRequest {
            description: None,
            content,
            required: T::IS_REQUIRED,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let population = Population::of(request)?;
        let bytes = Zeroizing::new(body.take()?.into_vec().await?);
        let members = members::<T>(request.content_type(), &bytes)?;
        if members.0.len() > MOST_MEMBERS {
            return Err(malformed(format!("The body may have {MOST_MEMBERS} members at most.")).into());
        }
        let hasher = population.core.hasher.clone();
        let read = move || {
            let mut fields = Fields::new(members);
            let read = T::read(&mut fields, &population);
            (read, fields.into_errors())
        };
        let (read, errors) = if T::CHOOSES_PASSWORD {
            let read = hasher.beside(read).await;
            read.map_err(|error| Problem::from(Failure::from(error)))?
        } else {
            read()
        };
        match read {
            Some(value) if errors.is_empty() => Ok(Self(value)),
            _ => Err(Problem::of_fields(errors).into()),
        }
    }
}

fn members<T: Dto>(content_type: Option<&str>, bytes: &[u8]) -> Result<Members, Problem> {
    // An empty body is no body, whatever its type: its members are then missing.
    if bytes.is_empty() {
        return Ok(Members(Vec::new()));
    }
    let essence = content_type.and_then(|text| text.parse::<mime::Mime>().ok());
    match essence.as_ref().map(mime::Mime::essence_str) {
        Some(JSON) => json(bytes),
        Some(FORM) if T::TAKES_FORM => form(bytes),
        _ => {
            let takes = if T::TAKES_FORM {
                "`application/json` or a form"
            } else {
                "`application/json`"
            };
            let detail = format!("Send the body as {takes}, and say so in Content-Type.");
            Err(Problem::new(ErrorCode::UnsupportedMediaType).with_detail(detail))
        }
    }
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::MalformedBody).with_detail(detail)
}

fn json(bytes: &[u8]) -> Result<Members, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("The body is not valid UTF-8."))?;
    serde_json::from_str(text).map_err(|error| {
        // serde_json's own text may repeat what was sent.
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => malformed("The body must be a JSON object."),
            _ => malformed(format!("The body is not valid JSON (line {line}, column {column}).")),
        }
    })
}

fn form(bytes: &[u8]) -> Result<Members, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("The form is not valid UTF-8."))?;
    let mut members = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        members.push((decode(name)?.to_string(), Value::Text(decode(value)?)));
    }
    Ok(Members(members))
}

fn decode(text: &str) -> Result<Zeroizing<String>, Problem> {
    let spaced = Zeroizing::new(text.replace('+', " "));
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(|text| Zeroizing::new(text.into_owned()))
        .map_err(|_| malformed("The form is not valid UTF-8 once its %-escapes are decoded."))
}
