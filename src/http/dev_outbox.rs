//! Development only: the start page and the mails and texts of the local outbox, for people at this machine.
//!
//! Whoever reads the outbox can take over every account whose mail lies there. It is served to loopback peers that
//! name a loopback host, so that no page on the web can reach it through a browser here (DNS rebinding).

use std::path::{Path, PathBuf};

use mail_parser::MessageParser;
use minijinja::{Value, context};
use poem::{
    FromRequest, IntoResponse as _, Request, RequestBody, Response, Route, RouteMethod, get, handler,
    http::header,
    web::{Data, Html, Path as PathParam},
};

use crate::{
    domain::{ids::MessageId, user_type::UserType},
    http::{error_code::ErrorCode, pages::Pages, problem::Problem},
};

/// What the development pages show.
#[derive(Clone, Debug)]
pub struct DevPages {
    /// The mails.
    pub outbox: PathBuf,
    /// For the walk.
    pub user_types: Vec<UserType>,
    /// For the walk.
    pub base_url: String,
}

/// Mounts the outbox.
#[must_use]
pub fn routes() -> Route {
    Route::new().at("/", get(list)).at("/:file", get(show))
}

/// Proof that the request comes from this machine.
struct Local;

impl<'a> FromRequest<'a> for Local {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let is_local_peer = request
            .remote_addr()
            .as_socket_addr()
            .is_some_and(|peer| peer.ip().is_loopback());
        let host = request.header(header::HOST).unwrap_or_default();
        let name = host
            .rsplit_once(':')
            .map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
        if is_local_peer && matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
            Ok(Self)
        } else {
            Err(not_found().into())
        }
    }
}

fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound)
}

/// What the templates show of one text (`jobs/sms.rs` writes it): headers, an empty line, the text.
fn read_text(folder: &Path, id: &MessageId) -> Option<Value> {
    let file = format!("{id}.sms");
    let whole = std::fs::read_to_string(folder.join(&file)).ok()?;
    let (headers, text) = whole.split_once("\n\n")?;
    let header = |name: &str| {
        let value = headers.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_default().trim().to_owned()
    };
    Some(context! {
        file,
        to => header("To:"),
        subject => "Text message",
        date => header("Date:"),
        kind => "text",
        message_id => id.as_str(),
        text,
    })
}

/// What the templates show of one mail, or of one text.
fn read(folder: &Path, file: &str) -> Option<Value> {
    if let Some(id) = file.strip_suffix(".sms") {
        return read_text(folder, &id.parse().ok()?);
    }
    let id: MessageId = file.strip_suffix(".eml")?.parse().ok()?;
    let bytes = std::fs::read(folder.join(format!("{id}.eml"))).ok()?;
    let mail = MessageParser::default().parse(&bytes)?;
    let address = |of: Option<&mail_parser::Address<'_>>| {
        of.and_then(|addresses| addresses.first())
            .and_then(|first| first.address())
            .unwrap_or_default()
            .to_owned()
    };
    let text = mail.body_text(0).unwrap_or_default().into_owned();
    let link = text
        .split_whitespace()
        .find(|word| word.contains("?token="))
        .map(str::to_owned);
    let shown = context! {
        file,
        to => address(mail.to()),
        from => address(mail.from()),
        subject => mail.subject().unwrap_or_default(),
        date => mail.date().map(mail_parser::DateTime::to_rfc3339).unwrap_or_default(),
        kind => if link.is_some() { "link" } else { "notice" },
        message_id => mail.message_id().unwrap_or_default(),
        text,
    };
    Some(match link {
        Some(link) => context! { link, ..shown },
        None => shown,
    })
}

#[handler]
async fn list(_: Local, dev: Data<&DevPages>, pages: Data<&Pages>) -> poem::Result<Html<String>> {
    let folder = dev.outbox.clone();
    let listed = tokio::task::spawn_blocking(move || {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        // Ids sort by time: newest first.
        files.sort_unstable_by(|a, b| b.cmp(a));
        files
            .iter()
            .filter_map(|file| read(&folder, file))
            .take(200)
            .collect::<Vec<_>>()
    });
    let mails = listed.await.unwrap_or_default();
    Ok(Html(pages.render(None, "pages/outbox.html", context! { mails })?))
}

#[handler]
async fn show(
    _: Local,
    PathParam(file): PathParam<String>,
    dev: Data<&DevPages>,
    pages: Data<&Pages>,
) -> poem::Result<Response> {
    let folder = dev.outbox.clone();
    let mail = tokio::task::spawn_blocking(move || read(&folder, &file))
        .await
        .unwrap_or_default();
    let mail = mail.ok_or_else(not_found)?;
    Ok(Html(pages.render(None, "pages/mail.html", mail)?).into_response())
}

/// The start page.
#[must_use]
pub fn home() -> RouteMethod {
    get(start)
}

#[handler]
fn start(Data(dev): Data<&DevPages>, Data(pages): Data<&Pages>) -> poem::Result<Html<String>> {
    let names: Vec<_> = dev
        .user_types
        .iter()
        .map(|user_type| context! { name => user_type.as_str() })
        .collect();
    let values = context! {
        user_types => names,
        base_url => dev.base_url.as_str(),
        outbox => true,
        version => env!("CARGO_PKG_VERSION"),
    };
    Ok(Html(pages.render(None, "pages/home.html", values)?))
}
