//! Pages for people: rendered from templates, under a content security policy that allows their one style sheet and
//! no script.

use std::sync::Arc;

use data_encoding::BASE64;
use minijinja::{Value, context};
use poem::{Response, RouteMethod, get, handler, http::HeaderValue, web::Data};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::user_type::UserType,
    http::{error_code::ErrorCode, problem::Problem, refusals::internal},
    service::audit::REQUEST_ID,
    templates::Templates,
};

/// Renders pages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages {
    templates: Arc<Templates>,
    app_name: Arc<str>,
    style: Arc<str>,
}

impl Pages {
    /// From these templates.
    #[must_use]
    pub fn new(templates: Arc<Templates>, app_name: &str) -> Self {
        let style = templates
            .render(None, "pages/style.css", &context! {})
            .unwrap_or_default();
        Self {
            templates,
            app_name: app_name.into(),
            style: style.into(),
        }
    }

    /// What the service is called.
    #[must_use]
    pub fn app_name(&self) -> &str {
        &self.app_name
    }

    /// What the pages may load: their own style sheet, by its digest, the icon, and forms to this service.
    #[must_use]
    pub fn content_security_policy(&self) -> HeaderValue {
        let digest = BASE64.encode(&Sha256::digest(self.style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'"
        );
        #[expect(
            clippy::expect_used,
            reason = "Base64 and the text around it are what a header may hold"
        )]
        HeaderValue::from_str(&policy).expect("a header")
    }

    /// The page of a mailed link: a button that posts the token.
    pub fn verify(&self, user_type: &UserType, token: &str, action: &str) -> Result<String, Problem> {
        self.render(Some(user_type), "pages/verify.html", context! { token, action })
    }

    /// It worked.
    pub fn success(&self, user_type: &UserType, title: &str, message: &str) -> Result<String, Problem> {
        self.render(
            Some(user_type),
            "pages/message.html",
            context! { title, message, kind => "success" },
        )
    }

    /// It did not.
    pub fn problem(&self, problem: &Problem) -> Result<String, Problem> {
        let title = if problem.code() == ErrorCode::LinkInvalid {
            "This link does not work"
        } else {
            "Something is not right"
        };
        let request_id = REQUEST_ID.try_with(Clone::clone).ok();
        let values = context! { title, message => problem.detail(), kind => "problem" };
        let values = match request_id {
            Some(request_id) if problem.status().is_server_error() => context! { request_id, ..values },
            _ => values,
        };
        self.render(None, "pages/message.html", values)
    }

    /// A page of the service itself.
    pub fn render(&self, user_type: Option<&UserType>, name: &str, values: Value) -> Result<String, Problem> {
        let values = context! { style => &*self.style, app_name => &*self.app_name, ..values };
        self.templates.render(user_type, name, &values).map_err(|error| {
            tracing::error!(%error, "a page can't be rendered");
            internal()
        })
    }
}

/// The icon that browsers ask for by themselves, beside every page.
#[must_use]
pub fn icon() -> RouteMethod {
    get(show_icon)
}

#[handler]
fn show_icon(Data(pages): Data<&Pages>) -> poem::Result<Response> {
    let icon = pages.render(None, "pages/icon.svg", context! {})?;
    Ok(Response::builder().content_type("image/svg+xml").body(icon))
}
