//! Mounts one API implementation once per configured user type: paths under `/<Type>`, operations `<type>_login`, a
//! tag and a security scheme of its own. Below HTTP the user type is a value.
//!
//! `OpenApi::meta` takes no receiver, so that the list of user types can't come in as an argument. It is put into a
//! thread-local while the app is built, which is synchronous: two apps with other lists live in one process.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use poem::{EndpointExt as _, endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaResponse, MetaResponses, MetaTag, Registry},
};

use crate::{
    domain::user_type::UserType,
    http::{
        caller::{SCHEME, scheme},
        middleware::rate_limit::LimitRate,
    },
};

thread_local! {
    static BUILDING: RefCell<Vec<UserType>> = const { RefCell::new(Vec::new()) };
}

/// Runs `build` with these user types.
pub fn with_user_types<T>(user_types: &[UserType], build: impl FnOnce() -> T) -> T {
    BUILDING.set(user_types.to_vec());
    let result = build();
    BUILDING.take();
    result
}

/// The document's texts must live for ever; each is kept once, however often the app is built.
fn interned(text: String) -> &'static str {
    static TEXTS: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let texts = texts.get_or_insert_default();
    if let Some(known) = texts.get(text.as_str()) {
        return known;
    }
    let kept: &'static str = text.leak();
    texts.insert(kept);
    kept
}

/// `T`, once per user type.
#[derive(Clone, Debug)]
pub struct PerUserType<T>(pub T);

impl<T: OpenApi + Clone> OpenApi for PerUserType<T> {
    fn meta() -> Vec<MetaApi> {
        let user_types = BUILDING.with_borrow(Clone::clone);
        user_types
            .iter()
            .flat_map(|user_type| T::meta().into_iter().map(|api| renamed(api, user_type)))
            .collect()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        registry.security_schemes.remove(SCHEME);
        for user_type in BUILDING.with_borrow(Clone::clone) {
            let login = interned(format!("/{user_type}/login"));
            registry.create_security_scheme(scheme_name(&user_type), scheme(login));
            registry.tags.insert(MetaTag {
                name: interned(user_type.to_string()),
                description: Some("One population of accounts; its tokens are good nowhere else."),
                external_docs: None,
            });
        }
    }

    fn add_routes(self, table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        for user_type in BUILDING.with_borrow(Clone::clone) {
            for (path, methods) in routes(&self.0) {
                // The profile is served with and without the slash at the end; neither redirects.
                let bare = (path == "/").then(|| routes(&self.0).remove("/")).flatten();
                mount(table, format!("/{user_type}{path}"), &path, methods, &user_type);
                if let Some(methods) = bare {
                    mount(table, format!("/{user_type}"), &path, methods, &user_type);
                }
            }
        }
    }
}

fn routes<T: OpenApi + Clone>(api: &T) -> HashMap<String, HashMap<Method, BoxEndpoint<'static>>> {
    let mut table = HashMap::new();
    api.clone().add_routes(&mut table);
    table
}

fn mount(
    table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>,
    path: String,
    route: &str,
    methods: HashMap<Method, BoxEndpoint<'static>>,
    user_type: &UserType,
) {
    let slot = table.entry(path).or_default();
    let limit = LimitRate {
        path: route.into(),
        user_type: user_type.clone(),
    };
    for (method, endpoint) in methods {
        slot.insert(method, endpoint.with(limit.clone()).data(user_type.clone()).boxed());
    }
}

/// A status that is answered in several types is one response with several contents; of two, the document would keep
/// the last.
fn merge_twice_answered(responses: &mut MetaResponses) {
    let mut merged = Vec::<MetaResponse>::new();
    for response in std::mem::take(&mut responses.responses) {
        match merged.iter_mut().find(|known| known.status == response.status) {
            Some(known) => known.content.extend(response.content),
            None => merged.push(response),
        }
    }
    responses.responses = merged;
}

fn scheme_name(user_type: &UserType) -> &'static str {
    interned(format!("{user_type}{SCHEME}"))
}

fn renamed(mut api: MetaApi, user_type: &UserType) -> MetaApi {
    for path in &mut api.paths {
        path.path = format!("/{user_type}{}", path.path);
        for operation in &mut path.operations {
            operation.tags = vec![interned(user_type.to_string())];
            merge_twice_answered(&mut operation.responses);
            operation.operation_id = operation
                .operation_id
                .map(|id| interned(format!("{user_type}_{id}").to_ascii_lowercase()));
            for security in &mut operation.security {
                if let Some(scopes) = security.remove(SCHEME) {
                    security.insert(scheme_name(user_type), scopes);
                }
            }
        }
    }
    api
}
