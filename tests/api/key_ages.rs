//! Keys that are older than their period: what an operator is told.

use std::{collections::BTreeMap, time::Duration};

use sealgate::{
    config::{Config, Source},
    doctor,
    service::key_ages::{KeyAge, key_ages},
};

use crate::{
    audit_tampering::Chain,
    support::{Setup, StoreSet},
};

cases_per_store! {
    a_key_is_overdue_past_its_period_and_not_before
    the_doctor_warns_of_keys_that_are_overdue
}

cases_once! {
    a_period_is_a_number_of_days
    a_configured_key_of_tokens_has_no_age
}

const DAY: Duration = Duration::from_hours(24);
const PERIOD: Duration = Duration::from_hours(24 * 90);

async fn ages(chain: &Chain) -> BTreeMap<String, KeyAge> {
    let ages = key_ages(chain.core(), PERIOD).await.expect("read");
    ages.into_iter().map(|key| (key.key_use.clone(), key)).collect()
}

fn overdue(ages: &BTreeMap<String, KeyAge>) -> Vec<&str> {
    let overdue = ages.values().filter(|key| key.is_overdue);
    overdue.map(|key| key.key_use.as_str()).collect()
}

async fn a_key_is_overdue_past_its_period_and_not_before(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    let all = ages(&chain).await;
    for key_use in [
        "kek",
        "index.User1",
        "index.User2",
        "token",
        "otp",
        "pepper",
        "mac",
        "audit",
    ] {
        let key = all.get(key_use).unwrap_or_else(|| panic!("no age of {key_use}"));
        assert!(key.age < DAY, "{key:?}");
    }
    assert_eq!(overdue(&all), [""; 0]);
    chain.setup.clock.advance(PERIOD);
    assert_eq!(overdue(&ages(&chain).await), [""; 0]);
    chain.setup.clock.advance(DAY);
    let old = ages(&chain).await;
    assert_eq!(old["token"].age.as_secs() / DAY.as_secs(), 91);
    assert_eq!(
        overdue(&old),
        ["dek", "index.User1", "index.User2", "kek", "otp", "token"],
        "those that a command replaces"
    );
    assert_eq!(old["index.User1"].rotated_as(), "index");
    chain.end().await;
}

async fn the_doctor_warns_of_keys_that_are_overdue(stores: &StoreSet) {
    // The clock of the tests is long before the doctor's.
    let chain = Chain::begin(stores).await;
    let told = async |setup: &Setup| -> Vec<String> {
        let findings = doctor::examine(&setup.config()).await;
        let about_keys = |line: &String| line.contains("ages of keys");
        assert!(
            findings.iter().all(doctor::Finding::is_well),
            "a warning and no mistake: {findings:?}"
        );
        findings.iter().map(ToString::to_string).filter(about_keys).collect()
    };
    let says = told(&chain.setup.clone().set("KEY_PERIOD_DAYS", "90")).await;
    let line = |key_use: &str| {
        says.iter()
            .find(|line| line.starts_with(&format!("!   ages of keys: {key_use} is ")))
    };
    assert!(
        line("token").is_some_and(
            |line| line.ends_with(" days old, past the 90 of KEY_PERIOD_DAYS: `sealgate keys rotate --use token`")
        ),
        "{says:?}"
    );
    assert!(
        line("index.User1").is_some_and(|line| line.ends_with("--use index`")),
        "{says:?}"
    );
    assert!(line("pepper").is_none(), "{says:?}");
    assert_eq!(told(&chain.setup.clone().set("KEY_PERIOD_DAYS", "3650")).await, [""; 0]);
    chain.end().await;
}

async fn a_configured_key_of_tokens_has_no_age(stores: &StoreSet) {
    let setup = Setup::new(stores)
        .set("JWT_ALGORITHM", "HS256")
        .set("JWT_SECRET", "a secret of more than thirty-two characters");
    let foundation = crate::audit_tampering::open(&setup).await;
    let ages = key_ages(&foundation.core, PERIOD).await.expect("read");
    assert!(
        ages.iter().all(|key| key.key_use != "token") && ages.len() > 5,
        "{ages:?}"
    );
    foundation.close().await;
}

async fn a_period_is_a_number_of_days(_: &StoreSet) {
    let load = |days: &str| {
        let pairs = [("KEY_PERIOD_DAYS".to_owned(), days.to_owned())];
        Config::load(&Source::from_pairs(pairs))
    };
    assert_eq!(load("").expect("not set").worker.key_period, PERIOD);
    assert_eq!(load("30").expect("valid").worker.key_period, DAY * 30);
    for wrong in ["0", "3651", "-1", "a quarter"] {
        let problems = load(wrong).expect_err("refused");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].name, "KEY_PERIOD_DAYS");
    }
}
