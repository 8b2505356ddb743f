//! The OpenAPI document and the pages that show it. All of them carry their scripts: none needs the internet.

use std::sync::OnceLock;

use bytes::Bytes;
use poem::{
    EndpointExt as _, IntoEndpoint as _, Response, Route,
    endpoint::{BoxEndpoint, make_sync},
    get,
    http::header,
};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, ServerObject};

use crate::{
    domain::user_type::UserType,
    http::{
        accounts_api::AccountsApi,
        admin_api::{AdminAccountApi, AdminAccountsApi, AdminActionsApi, AdminTrailApi},
        credentials_api::CredentialsApi,
        document::{finish, yaml::yaml},
        email_sign_in_api::EmailSignInApi,
        export_api::ExportApi,
        forget_page_api::ForgetPageApi,
        hooks_api::HooksApi,
        middleware::rate_limit::LimitService,
        per_user_type::{PerUserType, with_user_types},
        phone_api::PhoneApi,
        profile_api::ProfileApi,
        recovery_api::RecoveryApi,
        second_factor_api::SecondFactorApi,
        session_list_api::SessionListApi,
        sessions_api::SessionsApi,
        well_known_api::WellKnownApi,
    },
};

/// The pages' scripts and styles stand in the page itself; nothing may be loaded from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What is changed in the pages that come with the framework: two would fetch fonts from elsewhere, where the reader's own
/// serve as well; one does not fit a phone.
const MENDS: [(&str, &str); 3] = [
    (
        r#"<link href="https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700" rel="stylesheet">"#,
        "",
    ),
    (
        r#"id="api-reference""#,
        r#"id="api-reference" data-configuration='{"withDefaultFonts":false}'"#,
    ),
    (
        "<title>Swagger UI</title>",
        r#"<title>Swagger UI</title><meta name="viewport" content="width=device-width,initial-scale=1">"#,
    ),
];

const DESCRIPTION: &str = "Accounts, sign-in and sessions for client apps. Every user type has the same routes under \
     its own path; its tokens are good nowhere else. Errors are problems (RFC 9457) with a stable `code`, which \
     [/errors](/errors) explains. A sane `X-Request-ID` is taken as the request's name.";

type Apis = (
    PerUserType<AccountsApi>,
    // Lists of APIs end at sixteen.
    (PerUserType<SessionsApi>, PerUserType<EmailSignInApi>),
    PerUserType<SessionListApi>,
    PerUserType<CredentialsApi>,
    PerUserType<SecondFactorApi>,
    PerUserType<ProfileApi>,
    PerUserType<ExportApi>,
    PerUserType<PhoneApi>,
    PerUserType<RecoveryApi>,
    HooksApi,
    PerUserType<ForgetPageApi>,
    PerUserType<AdminAccountsApi>,
    PerUserType<AdminAccountApi>,
    PerUserType<AdminActionsApi>,
    PerUserType<AdminTrailApi>,
    WellKnownApi,
);

type Service = OpenApiService<Apis, ()>;

fn service() -> Service {
    let apis = (
        PerUserType(AccountsApi),
        (PerUserType(SessionsApi), PerUserType(EmailSignInApi)),
        PerUserType(SessionListApi),
        PerUserType(CredentialsApi),
        PerUserType(SecondFactorApi),
        PerUserType(ProfileApi),
        PerUserType(ExportApi),
        PerUserType(PhoneApi),
        PerUserType(RecoveryApi),
        HooksApi,
        PerUserType(ForgetPageApi),
        PerUserType(AdminAccountsApi),
        PerUserType(AdminAccountApi),
        PerUserType(AdminActionsApi),
        PerUserType(AdminTrailApi),
        WellKnownApi,
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
    route
        .nest(
            "/docs",
            page(user_types, Service::swagger_ui_html).with(LimitService::strangers("/docs")),
        )
        .nest(
            "/redoc",
            page(user_types, Service::redoc_html).with(LimitService::strangers("/redoc")),
        )
        .nest(
            "/scalar",
            page(user_types, Service::scalar_html).with(LimitService::strangers("/scalar")),
        )
        .at(
            "/openapi.json",
            get(text(user_types, "application/json", |document| {
                serde_json::to_string_pretty(document).unwrap_or_default()
            })
            .with(LimitService::strangers("/openapi.json"))),
        )
        .at(
            "/openapi.yaml",
            get(text(user_types, "application/yaml", yaml).with(LimitService::strangers("/openapi.yaml"))),
        )
}

/// The document as text, made when it is first asked for.
fn text(
    user_types: &[UserType],
    content_type: &'static str,
    write: fn(&serde_json::Value) -> String,
) -> impl poem::Endpoint<Output = Response> + use<> {
    let (user_types, made) = (user_types.to_vec(), OnceLock::<Bytes>::new());
    make_sync(move |_| {
        let text = made.get_or_init(|| {
            let document = with_user_types(&user_types, || finished(&service().spec()));
            write(&document).into()
        });
        Response::builder().content_type(content_type).body(text.clone())
    })
}

/// One page, made when it is first asked for: together they take megabytes, and most processes never show one.
fn page(user_types: &[UserType], html: fn(&Service) -> String) -> Route {
    let (user_types, made) = (user_types.to_vec(), OnceLock::<Bytes>::new());
    let show = make_sync(move |_| {
        let page = made.get_or_init(|| {
            let page = with_user_types(&user_types, || {
                let service = service();
                let made = service.spec();
                // It stands within a script: nothing in it may end that.
                let embedded = finished(&made).to_string().replace('<', "\\u003c");
                html(&service).replacen(&made, &embedded, 1)
            });
            let own = MENDS
                .iter()
                .fold(page, |page, (theirs, ours)| page.replacen(theirs, ours, 1));
            own.into()
        });
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
            .body(page.clone())
    });
    Route::new().at("/", get(show))
}
