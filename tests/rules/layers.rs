//! The one rule: dependencies point one way.
//!
//! [`table::LAYERS`] is the whole of it. To add a layer, add a row; a file that belongs to none is a failure, so that somebody
//! decides. To widen a row, first ask whether the thing is in the right layer.

mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::table::{HOMES, LAYERS, Layer, ROOTS};
use crate::source::named;

const LONGEST_FILE: usize = 400;

/// What is wrong with the file at `place` (from `src`), each with its line.
fn violations(place: &str, text: &str) -> Vec<String> {
    let module = module_of(place);
    let own = if module.is_empty() {
        "lib".to_owned()
    } else {
        module.join("::")
    };
    let is_in = |tree: &&str| is_within(&own, tree);
    let layer = LAYERS.iter().find(|layer| is_in(&layer.tree));
    if layer.is_none() && !ROOTS.iter().any(is_in) {
        return vec![format!("src/{place}:1: belongs to no layer; add a row for it")];
    }
    let mut wrong = Vec::new();
    for used in named(text, &module) {
        let (first, rest) = used.path.split_first().expect("a path has a first word");
        let target = rest.join("::");
        let home = HOMES.iter().find(|(crates, _)| crates.contains(&first.as_str()));
        let is_allowed = match (layer, home) {
            (_, Some((_, homes))) => homes.iter().any(is_in),
            (Some(layer), None) if first == "crate" => layer.allows(&target),
            _ => true,
        };
        if !is_allowed {
            let path = used.path.join("::");
            wrong.push(format!(
                "src/{place}:{}: `{path}` may not be named in `{own}`",
                used.line
            ));
        }
    }
    wrong
}

impl Layer {
    fn allows(&self, target: &str) -> bool {
        // A whole module, or all of it by `*`, would bring in what is forbidden under it.
        let whole = target.strip_suffix("*").unwrap_or(target).trim_end_matches(':');
        let is_forbidden = |never: &&str| is_within(target, never) || is_within(never, whole);
        self.may.iter().any(|may| is_within(target, may)) && !self.never.iter().copied().flatten().any(is_forbidden)
    }
}

fn is_within(path: &str, tree: &str) -> bool {
    path.strip_prefix(tree)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `storage/sqlite/mod.rs` is the module `storage::sqlite`; `lib.rs` is the root.
fn module_of(place: &str) -> Vec<String> {
    let place = place.strip_suffix(".rs").unwrap_or(place);
    let words = place.split('/').filter(|&word| word != "mod" && word != "lib");
    words.map(str::to_owned).collect()
}

/// Every `.rs` file under `folder` of this package.
fn sources(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found.sort();
    found
}

#[test]
fn every_arrow_points_inward() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources("src");
    assert!(files.len() > 50, "only {} files found", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let place = path.strip_prefix(&src).expect("under src").to_string_lossy();
            violations(&place, &fs::read_to_string(path).expect("readable"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_file_is_one_idea() {
    for path in ["src", "worker/src", "tests", "benches"].into_iter().flat_map(sources) {
        // Fixtures are looked up and not read: one of every record, in one place.
        let is_fixture = path.components().any(|part| part.as_os_str() == "support");
        let lines = fs::read_to_string(&path).expect("readable").lines().count();
        assert!(
            is_fixture || lines <= LONGEST_FILE,
            "{} has {lines} lines",
            path.display()
        );
    }
}

#[test]
fn a_wrong_arrow_is_found_however_it_is_written() {
    for (place, text) in [
        ("domain/email.rs", "use crate::crypto::Sealed;"),
        ("domain/email.rs", "fn f(_: super::super::crypto::Sealed) {}"),
        (
            "crypto/sealed.rs",
            "use crate::{domain::{email::Email, ids}, storage::Stores};",
        ),
        (
            "crypto/sealed.rs",
            "mod tests { use super::super::super::service::Core; }",
        ),
        ("storage/accounts.rs", "pub(crate) use crate::storage::mongo as store;"),
        ("storage/sqlite/deks.rs", "use crate::crypto::data_key::DataKeys;"),
        (
            "storage/sqlite/deks.rs",
            "use crate::crypto::record_mac::{RecordMac, SignedSecurity};",
        ),
        ("storage/mongo/deks.rs", "use crate::crypto::keyring::{self, KeyState};"),
        ("storage/mongo/deks.rs", "use super::super::sqlite::Store;"),
        ("storage/mongo/mod.rs", "use super::sqlite::Store;"),
        ("service/core.rs", "use crate::storage::*;"),
        ("service/core.rs", "use crate::storage::{\n    accounts,\n    self,\n};"),
        ("service/core.rs", "use crate as all;"),
        (
            "service/core.rs",
            "fn f() { $crate::http::serve(crate::storage::SCHEMA) }",
        ),
        ("http/caller.rs", "use crate::jobs::Relay;"),
        (
            "http/caller.rs",
            "use crate::crypto::{data_key::DataKeys, refresh_token};",
        ),
        ("jobs/relay.rs", "use crate::http::Problem;"),
        ("jobs/relay.rs", "use crate::crypto::token_signer::TokenSigner;"),
        ("config/tokens.rs", "use crate::crypto::keyring::Keyring;"),
        ("service/core.rs", "use hmac::{Hmac, Mac};"),
        ("service/core.rs", "type Key = ::aws_lc_rs::signature::Ed25519KeyPair;"),
        ("service/core.rs", "use ::jsonwebtoken::encode;"),
        ("app.rs", "use argon2;"),
        ("crypto/kek.rs", "use reqwest::Client;"),
        ("kms/transit/mod.rs", "use crate::storage::Stores;"),
        ("kms/transit/mod.rs", "use crate::crypto::keyring::Keyring;"),
        ("http/serve.rs", "use rustls::ServerConfig;"),
        ("mailer.rs", ""),
    ] {
        assert!(!violations(place, text).is_empty(), "{place}: {text}");
    }
}

#[test]
fn what_only_looks_like_an_arrow_is_left_alone() {
    for (place, text) in [
        (
            "domain/email.rs",
            "// use crate::http::X;\n/* crate::jobs::Y /* nested */ crate::http::Z */",
        ),
        (
            "domain/email.rs",
            r##"const A: &str = "crate::http::X \" crate::http"; const B: &str = r#"" crate::jobs "#;"##,
        ),
        (
            "domain/email.rs",
            "fn f<'a>(c: &'a str) { let _ = ['\"', '\\'', b'\"' as char]; crate::domain::ids::f(c) }",
        ),
        ("crypto/kek.rs", "use aes_kw::AesKwp; mod tests { use super::*; }"),
        (
            "storage/accounts.rs",
            "pub(in crate::storage) fn f() { hmac(1); argon2(2); }",
        ),
        (
            "storage/sqlite/mod.rs",
            "use crate::{crypto::{Sealed, kek::WrappedKey}, storage::{Change, Ref}};",
        ),
        ("app.rs", "use crate::{http::serve, storage::sqlite::open};"),
        (
            "process.rs",
            "use crate::config::logs; fn f() { rustls::crypto::install() }",
        ),
    ] {
        assert_eq!(violations(place, text), [""; 0], "{place}: {text}");
    }
}

/// A forbidden line slipped in anywhere is found, at its line.
#[test]
fn one_tampered_line_is_found_wherever_it_stands() {
    let sample = include_str!("../../src/storage/documents.rs");
    assert_eq!(violations("storage/documents.rs", sample), [""; 0]);
    let lines: Vec<&str> = sample.lines().collect();
    for at in 0..=lines.len() {
        let mut tampered = lines.clone();
        tampered.insert(at, "use crate::http::Problem;");
        let found = violations("storage/documents.rs", &tampered.join("\n"));
        let place = format!("src/storage/documents.rs:{}: ", at + 1);
        assert!(found.iter().any(|wrong| wrong.starts_with(&place)), "{place}{found:?}");
    }
}
