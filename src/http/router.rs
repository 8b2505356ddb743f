//! All routes and what stands around them.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt as _, Response, Route};

use crate::{
    config::{Config, environment::Environment},
    http::{
        client_address::{ExemptClients, TrustedProxies},
        dev_outbox::{self, DevPages},
        docs, error_code, health,
        health::Health,
        middleware::{
            body_limit::LimitBodies, cors::AllowOrigins, errors::Problems, rate_limit::LimitStrangers,
            request_id::NameRequests, security_headers::SecurityHeaders,
        },
        pages::{self, Pages},
        server::Limits,
    },
    service::Core,
    templates::Templates,
};

/// Builds the endpoint that serves everything.
pub fn build(
    config: &Config,
    core: Arc<Core>,
    health: &Health,
    templates: Arc<Templates>,
    limits: Limits,
) -> impl Endpoint<Output = Response> + 'static {
    let user_types = &config.user_types.order;
    let pages = Pages::new(templates, &config.http.app_name);
    let api = Arc::new(docs::api(user_types));
    // What only a few routes take is put on those alone: the others pay for none of it.
    let mut route = health::mount(Route::new(), health)
        .at("/errors", error_code::page().with(LimitStrangers("/errors")))
        .at("/favicon.ico", pages::icon());
    for user_type in user_types {
        route = route.nest_no_strip(format!("/{user_type}"), Arc::clone(&api));
    }
    if config.http.docs {
        route = docs::mount(route, user_types);
    }
    if config.environment == Environment::Development {
        let dev = DevPages {
            outbox: config.mail.directory.clone(),
            user_types: user_types.clone(),
            base_url: config.http.public_url.as_str().trim_end_matches('/').to_owned(),
        };
        route = route
            .at("/", dev_outbox::home().data(dev.clone()))
            .nest("/dev/outbox", dev_outbox::routes().data(dev));
    }
    let mut methods: std::collections::HashMap<_, _> = docs::methods(user_types).into_iter().collect();
    for user_type in user_types {
        methods.insert(format!("/{user_type}"), "GET".to_owned());
    }
    route
        .data(TrustedProxies(networks(&config.http.trusted_proxies)))
        .data(ExemptClients(networks(&config.http.limit_exempt)))
        .data(pages.clone())
        .data(Arc::clone(&core))
        .with(LimitBodies { patience: limits.body })
        .with(Problems {
            pages: pages.clone(),
            methods: Arc::new(methods),
        })
        .with(AllowOrigins {
            origins: config.http.cors_origins.clone().into(),
            any_localhost: config.environment == Environment::Development,
        })
        .with(SecurityHeaders {
            page_policy: pages.content_security_policy(),
            is_https: config.http.public_url.scheme() == "https",
        })
        .with(NameRequests(core))
}

fn networks(list: &[String]) -> Vec<ipnet::IpNet> {
    list.iter().filter_map(|net| net.parse().ok()).collect()
}
