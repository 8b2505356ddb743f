//! All routes and what stands around them.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt as _, Response, Route, get};

use crate::{
    config::{Config, environment::Environment, sms::SmsConfig},
    domain::{limits::Limit, private::Private},
    http::{
        client_address::{self, ExemptClients, TrustedProxies},
        dev_outbox::{self, DevPages},
        docs, error_code, health,
        health::Health,
        hooks_api::TwilioHook,
        middleware::{
            body_limit::LimitBodies, cors::AllowOrigins, errors::Problems, rate_limit::LimitService,
            request_id::NameRequests, security_headers::SecurityHeaders,
        },
        pages::{self, Pages},
        server::Limits,
        well_known_api::{self, PublicDocuments},
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
    exempt: ExemptClients,
    limits: Limits,
) -> impl Endpoint<Output = Response> + 'static {
    let user_types = &config.user_types.order;
    let pages = Pages::new(templates, &config.http.app_name);
    let api = Arc::new(docs::api(user_types));
    // What only a few routes take is put on those alone: the others pay for none of it.
    let mut route = health::mount(Route::new(), health)
        .at("/errors", error_code::page().with(LimitService::strangers("/errors")))
        .at("/favicon.ico", pages::icon());
    for user_type in user_types {
        route = route.nest_no_strip(format!("/{user_type}"), Arc::clone(&api));
    }
    let hooks = LimitService {
        route: "/hooks",
        limit: Limit::StatusCallback,
    };
    let hooked = Arc::clone(&api).with(hooks);
    route = match twilio_hook(config) {
        Some(hook) => route.nest_no_strip("/hooks", hooked.data(Arc::new(hook))),
        None => route.nest_no_strip("/hooks", hooked),
    };
    let documents = PublicDocuments::new(config);
    // Services that verify tokens come back every minute, many of them from one address.
    let known = LimitService {
        route: well_known_api::PREFIX,
        limit: Limit::VerifyToken,
    };
    let public = Arc::clone(&api).after(well_known_api::open).with(known);
    route = route.nest_no_strip(well_known_api::PREFIX, public);
    for (path, user_type) in documents.beside_the_path() {
        route = route.at(path, get(well_known_api::metadata_of(&documents, &user_type)));
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
    let proxies = TrustedProxies(client_address::networks(&config.http.trusted_proxies));
    route
        .data(proxies.clone())
        .data(exempt)
        .data(pages.clone())
        .data(documents)
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
        .with(NameRequests { core, proxies })
}

/// What Twilio's reports are checked by, where it is told to send any.
fn twilio_hook(config: &Config) -> Option<TwilioHook> {
    let SmsConfig::Twilio(twilio) = &config.sms else {
        return None;
    };
    Some(TwilioHook {
        token: Private::new(twilio.auth_token.expose().to_owned()),
        base: twilio.status_callback(&config.http.public_url)?,
    })
}
