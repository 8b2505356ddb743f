//! The OpenAPI document and the pages that show it. All of them carry their scripts: none needs the internet.

use poem::{
    EndpointExt as _, IntoEndpoint as _, IntoResponse as _, Response, Route,
    endpoint::{BoxEndpoint, make_sync},
    http::header,
    web::Html,
};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, ServerObject};

use crate::{
    domain::user_type::UserType,
    http::{
        accounts_api::AccountsApi,
        document::{finish, yaml::yaml},
        per_user_type::{PerUserType, with_user_types},
        phone_api::PhoneApi,
        profile_api::ProfileApi,
        recovery_api::RecoveryApi,
        sessions_api::SessionsApi,
    },
};

/// The pages' scripts and styles stand in the page itself; nothing may be loaded from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const DESCRIPTION: &str = "Accounts, sign-in and sessions for client apps. Every user type has the same routes under \
     its own path; its tokens are good nowhere else. Errors are problems (RFC 9457) with a stable `code`, which \
     [/errors](/errors) explains. A sane `X-Request-ID` is taken as the request's name.";

type Apis = (
    PerUserType<AccountsApi>,
    PerUserType<SessionsApi>,
    PerUserType<ProfileApi>,
    PerUserType<PhoneApi>,
    PerUserType<RecoveryApi>,
);

fn service() -> OpenApiService<Apis, ()> {
    let apis = (
        PerUserType(AccountsApi),
        PerUserType(SessionsApi),
        PerUserType(ProfileApi),
        PerUserType(PhoneApi),
        PerUserType(RecoveryApi),
    );
    OpenApiService::new(apis, "Sealgate", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"))
        .server(ServerObject::new("/").description("This service"))
}

/// The document as JSON.
#[must_use]
pub fn document(user_types: &[UserType]) -> String {
    with_user_types(user_types, || {
        serde_json::to_string_pretty(&finished(&service().spec())).unwrap_or_default()
    })
}

/// What poem made, with what it can't say.
fn finished(spec: &str) -> serde_json::Value {
    finish(serde_json::from_str(spec).unwrap_or_default())
}

/// The API's routes.
#[must_use]
pub fn api(user_types: &[UserType]) -> BoxEndpoint<'static> {
    with_user_types(user_types, || service().into_endpoint()).boxed()
}

/// What each path of the API takes, for `Allow`.
#[must_use]
pub fn methods(user_types: &[UserType]) -> Vec<(String, String)> {
    with_user_types(user_types, || {
        let mut paths = std::collections::BTreeMap::<String, Vec<String>>::new();
        for path in Apis::meta().into_iter().flat_map(|api| api.paths) {
            let methods = paths.entry(path.path).or_default();
            methods.extend(path.operations.iter().map(|operation| operation.method.to_string()));
        }
        paths
            .into_iter()
            .map(|(path, methods)| (path, methods.join(", ")))
            .collect()
    })
}

/// Adds the pages to `route`.
#[must_use]
pub fn mount(route: Route, user_types: &[UserType]) -> Route {
    with_user_types(user_types, || {
        let service = service();
        let made = service.spec();
        let document = finished(&made);
        // It stands within a script: nothing in it may end that.
        let embedded = document.to_string().replace('<', "\\u003c");
        let page = |html: String| {
            let html = html.replacen(&made, &embedded, 1);
            let policy =
                poem::middleware::SetHeader::new().overriding(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
            Route::new()
                .at("/", make_sync(move |_| Html(html.clone())))
                .with(policy)
        };
        let text = |content_type: &'static str, text: String| {
            make_sync(move |_| {
                Response::builder()
                    .content_type(content_type)
                    .body(text.clone())
                    .into_response()
            })
        };
        let pretty = serde_json::to_string_pretty(&document).unwrap_or_default();
        route
            .nest("/docs", page(service.swagger_ui_html()))
            .nest("/redoc", page(service.redoc_html()))
            .nest("/scalar", page(service.scalar_html()))
            .at("/openapi.json", text("application/json", pretty))
            .at("/openapi.yaml", text("application/yaml", yaml(&document)))
    })
}
