//! The OpenAPI document and the pages that show it. All of them carry their scripts: none needs the internet.

use poem::{EndpointExt as _, IntoEndpoint as _, Route, endpoint::BoxEndpoint, http::header};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    domain::user_type::UserType,
    http::{
        accounts_api::AccountsApi,
        per_user_type::{PerUserType, with_user_types},
        sessions_api::SessionsApi,
    },
};

/// The pages' scripts and styles stand in the page itself; nothing may be loaded from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const DESCRIPTION: &str = "Accounts, sign-in and sessions for client apps. Every user type has the same routes under \
     its own path; its tokens are good nowhere else. Errors are problems (RFC 9457) with a stable `code`.";

type Apis = (PerUserType<AccountsApi>, PerUserType<SessionsApi>);

fn service() -> OpenApiService<Apis, ()> {
    let apis = (PerUserType(AccountsApi), PerUserType(SessionsApi));
    OpenApiService::new(apis, "Sealgate", env!("CARGO_PKG_VERSION")).description(DESCRIPTION)
}

/// The document as JSON.
#[must_use]
pub fn document(user_types: &[UserType]) -> String {
    with_user_types(user_types, || service().spec())
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
        let policy =
            || poem::middleware::SetHeader::new().overriding(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        route
            .nest("/docs", service.swagger_ui().with(policy()))
            .nest("/redoc", service.redoc().with(policy()))
            .nest("/scalar", service.scalar().with(policy()))
            .at("/openapi.json", service.spec_endpoint())
            .at("/openapi.yaml", service.spec_endpoint_yaml())
    })
}
