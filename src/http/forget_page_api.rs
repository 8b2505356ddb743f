//! The page that asks for a new password: where a password manager, or a person without the app, begins.

use minijinja::context;
use poem::Request;
use poem_openapi::{OpenApi, payload::Html};

use crate::http::{
    pages::Pages,
    population::Population,
    refusals::{Refused, internal},
    well_known_api::PublicDocuments,
};

/// The route.
#[derive(Clone, Debug)]
pub struct ForgetPageApi;

#[expect(clippy::unused_async, reason = "handlers are asynchronous")]
#[OpenApi]
impl ForgetPageApi {
    /// The form for a forgotten password
    ///
    /// A page that asks for the address and posts it to `forget_password`. Where there are several user types it leads to
    /// the others' too.
    #[oai(
        path = "/forget_password_form",
        method = "get",
        operation_id = "forget_password_form"
    )]
    async fn forget_password_form(
        &self,
        request: &Request,
        population: Population,
    ) -> Result<Html<String>, Refused<0>> {
        let pages = request.data::<Pages>().ok_or_else(internal)?;
        let documents = request.data::<PublicDocuments>().ok_or_else(internal)?;
        let others = documents.user_types().iter();
        let others: Vec<String> = others
            .filter(|other| **other != population.user_type)
            .map(ToString::to_string)
            .collect();
        // Relative: a proxy may serve the page under a path of its own.
        let action = "forget_password";
        let values = context! { action, others, user_type => population.user_type.as_str() };
        Ok(Html(pages.render(
            Some(&population.user_type),
            "pages/forget.html",
            values,
        )?))
    }
}
