//! `docs/COMPLIANCE.md` has a row for every safeguard and requirement that it is about, and each says by what it is met or
//! that it is left to the operator. The settings that it and `docs/PRIVACY.md` name are read. That references are live is
//! [`crate::evidence`]'s.

use std::collections::BTreeMap;

use sealgate::config::source::VARIABLES;

use crate::evidence::{is_reference, quoted, read};

/// HIPAA's technical safeguards, 45 CFR 164.312.
const SAFEGUARDS: [&str; 12] = [
    "164.312(a)(1)",
    "164.312(a)(2)(i)",
    "164.312(a)(2)(ii)",
    "164.312(a)(2)(iii)",
    "164.312(a)(2)(iv)",
    "164.312(b)",
    "164.312(c)(1)",
    "164.312(c)(2)",
    "164.312(d)",
    "164.312(e)(1)",
    "164.312(e)(2)(i)",
    "164.312(e)(2)(ii)",
];

/// PCI DSS 4.0, requirements 8 and 10, by the last number of each group.
const GROUPS: [(&str, u32); 12] = [
    ("8.1", 2),
    ("8.2", 8),
    ("8.3", 11),
    ("8.4", 3),
    ("8.5", 1),
    ("8.6", 3),
    ("10.1", 2),
    ("10.2", 2),
    ("10.3", 4),
    ("10.4", 3),
    ("10.5", 1),
    ("10.6", 3),
];
const FURTHER: [&str; 13] = [
    "8.3.10.1", "10.2.1.1", "10.2.1.2", "10.2.1.3", "10.2.1.4", "10.2.1.5", "10.2.1.6", "10.2.1.7", "10.4.1.1",
    "10.4.2.1", "10.7.1", "10.7.2", "10.7.3",
];

fn expected() -> Vec<String> {
    let groups = GROUPS
        .iter()
        .flat_map(|(group, last)| (1..=*last).map(move |number| format!("{group}.{number}")));
    let named = SAFEGUARDS.iter().chain(&FURTHER).map(ToString::to_string);
    groups.chain(named).collect()
}

/// `NAME` or `NAME=value`, as a setting is written.
fn setting(text: &str) -> Option<&str> {
    let name = text.split('=').next()?;
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (name.contains('_') && name.chars().all(is_name)).then_some(name)
}

fn unknown_settings(document: &str) -> Vec<&str> {
    let lines = document.lines().flat_map(quoted).filter_map(setting);
    lines.filter(|name| !VARIABLES.contains(name)).collect()
}

/// What is wrong with the rows.
fn wrong_rows(document: &str, expected: &[String]) -> Vec<String> {
    let (mut wrong, mut seen) = (Vec::new(), BTreeMap::<&str, u32>::new());
    let is_row = |line: &&str| {
        line.starts_with("| Art") || line.starts_with("| 164") || line.starts_with("| 8.") || line.starts_with("| 10.")
    };
    for line in document.lines().filter(is_row) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [ids, asks, by, yours] = cells[..] else {
            wrong.push(format!("not four cells: {line}"));
            continue;
        };
        for id in ids.split(", ") {
            *seen.entry(id).or_default() += 1;
        }
        let names_something = quoted(by)
            .any(|text| is_reference(text) || setting(text).is_some() || text.starts_with('/'))
            || quoted(by).any(|text| text.starts_with("sealgate "));
        let is_answered = names_something || by == "the same";
        if asks.is_empty() || (by.is_empty() && yours.is_empty()) || (!by.is_empty() && !is_answered) {
            wrong.push(format!("{ids}: says neither by what nor that it is yours"));
        }
    }
    for id in expected {
        match seen.get(id.as_str()) {
            Some(1) => {}
            times => wrong.push(format!("{id}: stands there {} times", times.copied().unwrap_or(0))),
        }
    }
    for word in ["certif", "compliant", "complies"] {
        if document.to_lowercase().replace("certificate", "").contains(word) {
            wrong.push(format!("`{word}…`: a program keeps no law for anybody"));
        }
    }
    wrong
}

#[test]
fn every_requirement_is_answered_or_left_to_the_operator() {
    let wrong = wrong_rows(&read("docs/COMPLIANCE.md"), &expected());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_setting_that_is_named_is_read() {
    for page in ["docs/COMPLIANCE.md", "docs/PRIVACY.md"] {
        let document = read(page);
        assert_eq!(unknown_settings(&document), [""; 0], "{page}");
        assert!(
            document.lines().flat_map(quoted).any(|text| setting(text).is_some()),
            "{page} names none"
        );
    }
}

#[test]
fn each_mistake_of_the_page_is_found() {
    let expected = ["8.1.1".to_owned()];
    for right in [
        "| 8.1.1 | x | `src/lib.rs` | |",
        "| 8.1.1 | x | `AUDIT_RETENTION` | |",
        "| 8.1.1 | x | | all of it |",
        "| 8.1.1 | x | the same | |",
    ] {
        assert_eq!(wrong_rows(right, &expected), [""; 0], "{right}");
    }
    for wrong in [
        "",
        "| 8.1.1 | x | | |",
        "| 8.1.1 | x | trust us | |",
        "| 8.1.1 | | | all of it |",
        "| 8.1.2 | x | | all of it |",
        "| 8.1.1 | x | | all of it |\n| 8.1.1 | x | | all of it |",
        "| 8.1.1 | x | | all of it |\nThis is certified.",
    ] {
        assert_eq!(wrong_rows(wrong, &expected).len(), 1, "{wrong}");
    }
    assert_eq!(
        unknown_settings("`AUDIT_RETENTION=90`, `NO_SUCH_SETTING`, `GET /x`, `word`"),
        ["NO_SUCH_SETTING"]
    );
}
