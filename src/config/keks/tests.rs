use super::*;
use crate::{
    config::{Config, ConfigProblem, Source},
    crypto::local_keks::make_line,
    domain::clock::Timestamp,
};

fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<ConfigProblem>> {
    let pairs = pairs.iter();
    Config::load(&Source::from_pairs(
        pairs.map(|&(name, value)| (name.to_owned(), value.to_owned())),
    ))
}

fn refused(pairs: &[(&str, &str)]) -> Vec<String> {
    let problems = load(pairs).expect_err("refused");
    problems.into_iter().map(|problem| problem.name).collect()
}

const TRANSIT: [(&str, &str); 3] = [
    ("TRANSIT_URL", "https://vault.example:8200"),
    ("TRANSIT_KEY", "sealgate"),
    ("TRANSIT_TOKEN", "hvs.secret"),
];

#[test]
fn the_provider_is_what_is_set() {
    let provider = |pairs: &[(&str, &str)]| load(pairs).expect("valid").stores.keks.provider;
    assert!(matches!(provider(&[]), KekSource::File));
    assert!(matches!(provider(&[("KEK_FILE", "x.keys")]), KekSource::File));
    let (id, line) = make_line(Timestamp::from_millis(1));
    let KekSource::Environment(keks) = provider(&[("KEK", &line)]) else {
        panic!("set")
    };
    assert_eq!(keks.ids().collect::<Vec<_>>(), [&id]);
    let KekSource::Transit(transit) = provider(&TRANSIT) else {
        panic!("set")
    };
    assert_eq!((transit.mount.as_str(), transit.key.as_str()), ("transit", "sealgate"));
    let both = [&TRANSIT[..], &[("KEK_FILE", "x.keys"), ("KEK_PROVIDER", "transit")]].concat();
    assert!(matches!(provider(&both), KekSource::Transit(_)));
}

#[test]
fn the_provider_before_is_another_and_both_are_said() {
    let (_, line) = make_line(Timestamp::from_millis(1));
    let from_file = [
        &TRANSIT[..],
        &[("KEK_PROVIDER", "transit"), ("KEK_PROVIDER_BEFORE", "file")],
    ]
    .concat();
    let keks = load(&from_file).expect("valid").stores.keks;
    assert!(matches!(keks.provider, KekSource::Transit(_)));
    assert!(matches!(keks.before, Some(KekSource::File)));
    // Both of these would be a contradiction alone.
    let both = [
        ("KEK", line.as_str()),
        ("KEK_FILE", "x.keys"),
        ("KEK_PROVIDER", "environment"),
        ("KEK_PROVIDER_BEFORE", "file"),
    ];
    let keks = load(&both).expect("valid").stores.keks;
    assert!(matches!(keks.provider, KekSource::Environment(_)));
    assert_eq!(refused(&both[..2]), ["KEK"]);
    assert!(load(&TRANSIT).expect("valid").stores.keks.before.is_none());

    let unsaid = [&TRANSIT[..], &[("KEK_PROVIDER_BEFORE", "file")]].concat();
    assert_eq!(refused(&unsaid), ["KEK_PROVIDER"]);
    let same = [("KEK_PROVIDER", "file"), ("KEK_PROVIDER_BEFORE", "file")];
    assert_eq!(refused(&same), ["KEK_PROVIDER_BEFORE"]);
    let missing = [("KEK_PROVIDER", "file"), ("KEK_PROVIDER_BEFORE", "transit")];
    assert_eq!(refused(&missing), ["TRANSIT_URL", "TRANSIT_KEY", "TRANSIT_TOKEN"]);
    assert_eq!(
        refused(&[("KEK_PROVIDER", "file"), ("KEK_PROVIDER_BEFORE", "hsm")]).len(),
        1
    );
}

#[test]
fn several_lines_stand_in_one_variable() {
    let [(first, one), (second, two)] = [1, 2].map(|at| make_line(Timestamp::from_millis(at)));
    for between in ["\n", ";", " ; ", ";\n"] {
        let text = format!("{}{between}{}", *one, *two);
        let KekSource::Environment(keks) = load(&[("KEK", &text)]).expect("valid").stores.keks.provider else {
            panic!("set")
        };
        assert_eq!(keks.ids().collect::<Vec<_>>(), [&first, &second], "{between:?}");
    }
}

#[test]
fn what_contradicts_or_is_missing_is_told_and_no_key_repeated() {
    let (_, line) = make_line(Timestamp::from_millis(1));
    let both = [("KEK", line.as_str()), ("KEK_FILE", "x.keys")];
    assert_eq!(refused(&both), ["KEK"]);
    let transit_beside = [&TRANSIT[..], &[("KEK_FILE", "x.keys")]].concat();
    assert_eq!(refused(&transit_beside), ["KEK_PROVIDER"]);
    let transit_beside = [&TRANSIT[..], &[("KEK", line.as_str())]].concat();
    assert_eq!(refused(&transit_beside), ["KEK_PROVIDER"]);
    assert_eq!(refused(&[("KEK_PROVIDER", "environment")]), ["KEK"]);
    assert_eq!(refused(&[("KEK_PROVIDER", "hsm")]), ["KEK_PROVIDER"]);
    assert_eq!(
        refused(&[("KEK_PROVIDER", "transit")]),
        ["TRANSIT_URL", "TRANSIT_KEY", "TRANSIT_TOKEN"]
    );
    let doubled = format!("{0};{0}", *line);
    let problems = load(&[("KEK", &doubled)]).expect_err("doubled");
    let key = line.split(' ').nth(1).expect("a key");
    assert!(
        problems.iter().all(|problem| !problem.to_string().contains(key)),
        "{problems:?}"
    );
}

#[test]
fn a_transit_engine_is_reached_safely() {
    for (variable, value) in [
        ("TRANSIT_URL", "http://vault.example:8200"),
        ("TRANSIT_URL", "https://me:secret@vault.example"),
        ("TRANSIT_URL", "vault.example"),
        ("TRANSIT_KEY", "a/b"),
        ("TRANSIT_KEY", ".."),
        ("TRANSIT_MOUNT", "kms/../sys"),
        ("TRANSIT_CA_FILE", "/nowhere/ca.pem"),
    ] {
        let mut pairs = TRANSIT.to_vec();
        pairs.retain(|(name, _)| *name != variable);
        pairs.push((variable, value));
        assert_eq!(refused(&pairs), [variable], "{value}");
    }
    let pairs = [&TRANSIT[..], &[("TRANSIT_MOUNT", "kms/transit/")]].concat();
    let KekSource::Transit(transit) = load(&pairs).expect("valid").stores.keks.provider else {
        panic!("set")
    };
    assert_eq!(transit.mount, "kms/transit");
    let mut pairs = TRANSIT.to_vec();
    pairs[0].1 = "http://127.0.0.1:8200";
    load(&pairs).expect("an agent on this machine");
}

#[test]
fn the_cache_is_short() {
    let cache = |pairs: &[(&str, &str)]| load(pairs).expect("valid").stores.keks.dek_cache;
    let default = cache(&[]).expect("on");
    assert_eq!((default.lifetime.as_secs(), default.owners.get()), (60, 10_000));
    assert!(cache(&[("DEK_CACHE_SECONDS", "0")]).is_none());
    assert_eq!(refused(&[("DEK_CACHE_SECONDS", "301")]), ["DEK_CACHE_SECONDS"]);
    assert_eq!(refused(&[("DEK_CACHE_SIZE", "0")]), ["DEK_CACHE_SIZE"]);
}

#[test]
fn production_takes_transit_wherever_the_data_lies() {
    let production = [("ENVIRONMENT", "production"), ("PUBLIC_URL", "https://id.example.com")];
    let names = refused(&production);
    assert!(names.contains(&"KEK_FILE".to_owned()), "{names:?}");
    let names = load(&[&production[..], &TRANSIT[..]].concat())
        .err()
        .unwrap_or_default();
    assert!(names.iter().all(|problem| problem.name != "KEK_FILE"), "{names:?}");
}
