//! What the documents on security refer to is there: files, functions, headings. Every requirement of
//! `tests/vectors/asvs-ids.txt` has one row in `docs/ASVS.md`, and every limit its line in `docs/CONTROLS.md`.
//!
//! A reference is `path`, `path::item` (a function, type or constant of that Rust file) or `path.md#heading`. Any other
//! text between backticks is left alone: see [`is_reference`].

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use sealgate::{
    domain::limits::{Limit, Quota, Quotas},
    http::middleware::rate_limit::{EXEMPT, may_be_exempt},
};

/// What a row may say of its requirement, in the order of the summary.
const STATUSES: [&str; 5] = ["met", "part", "open", "operator", "n/a"];
/// Documents whose references must be live.
const DOCUMENTS: [&str; 6] = [
    "docs/ASVS.md",
    "docs/THREAT-MODEL.md",
    "docs/CONTROLS.md",
    "docs/COMPLIANCE.md",
    "docs/PRIVACY.md",
    "SECURITY.md",
];

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|_| panic!("{path} is there"))
}

/// A file of the repository, as far as there is one.
fn open(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The texts between backticks of a line.
pub(crate) fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a quoted text means a place in the repository: not a route, a setting, a command or a word.
pub(crate) fn is_reference(text: &str) -> bool {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-:#".contains(c);
    let path = text.split("::").next().unwrap_or_default();
    let path = path.split('#').next().unwrap_or_default();
    let is_file = [
        ".md",
        ".rs",
        ".toml",
        ".yml",
        ".json",
        ".conf",
        "Dockerfile",
        ".dockerignore",
    ]
    .iter()
    .any(|ending| path.ends_with(ending));
    let is_place = text.chars().all(is_path) && !text.starts_with('/') && !text.replace("::", "").contains(':');
    is_place && (path.contains('/') || text.contains("::") || is_file)
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_item(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    [
        "fn",
        "struct",
        "enum",
        "trait",
        "const",
        "static",
        "type",
        "mod",
        "macro_rules!",
    ]
    .iter()
    .any(|kind| {
        let wanted = format!("{kind} {name}");
        text.match_indices(&wanted)
            .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + wanted.len()..].starts_with(is_word))
    })
}

/// What is wrong with a reference; nothing where it leads somewhere.
fn dead(reference: &str, open: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (path, item) = reference
        .split_once("::")
        .map_or((reference, None), |(path, item)| (path, Some(item)));
    let (path, heading) = path
        .split_once('#')
        .map_or((path, None), |(path, heading)| (path, Some(heading)));
    let Some(text) = open(path) else {
        return Some(format!("`{reference}`: no such file"));
    };
    if let Some(item) = item
        && !(Path::new(path).extension().is_some_and(|kind| kind == "rs") && has_item(&text, item))
    {
        return Some(format!("`{reference}`: no such item"));
    }
    if let Some(heading) = heading {
        let mut headings = text.lines().filter(|line| line.starts_with('#'));
        if !headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading) {
            return Some(format!("`{reference}`: no such heading"));
        }
    }
    None
}

fn dead_references(document: &str, open: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let numbered = document.lines().enumerate();
    numbered
        .flat_map(|(at, line)| {
            quoted(line)
                .filter(|text| is_reference(text))
                .map(move |text| (at, text))
        })
        .filter_map(|(at, text)| Some(format!("line {}: {}", at + 1, dead(text, open)?)))
        .collect()
}

/// What is wrong with the rows of requirements.
fn wrong_rows(document: &str, ids: &str) -> Vec<String> {
    let levels: BTreeMap<&str, &str> = ids
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let mut seen = BTreeMap::<&str, u32>::new();
    let mut counts = BTreeMap::<(&str, &str), u32>::new();
    let mut wrong = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| V")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, level, words, status, evidence] = cells[..] else {
            wrong.push(format!("not five cells: {line}"));
            continue;
        };
        *seen.entry(id).or_default() += 1;
        *counts.entry((status, level)).or_default() += 1;
        if levels.get(id) != Some(&level) {
            wrong.push(format!("{id}: no such requirement of level {level}"));
        }
        let references: Vec<&str> = quoted(evidence).filter(|text| is_reference(text)).collect();
        let is_told = evidence
            .split('`')
            .step_by(2)
            .any(|text| text.contains(|c: char| c.is_alphanumeric()));
        let has_document = references.iter().any(|text| text.contains(".md"));
        let is_complete = match status {
            "met" => !references.is_empty(),
            "part" | "open" | "n/a" => is_told,
            "operator" => has_document,
            _ => {
                wrong.push(format!("{id}: `{status}` is no status"));
                true
            }
        };
        if !is_complete {
            wrong.push(format!("{id}: `{status}` does not say by what, or what is missing"));
        }
        if words.is_empty() {
            wrong.push(format!("{id}: does not say what is asked for"));
        }
    }
    wrong.extend(levels.keys().filter_map(|id| match seen.get(id).copied().unwrap_or(0) {
        1 => None,
        times => Some(format!("{id}: stands there {times} times")),
    }));
    let summary = summary(&counts);
    if !document.contains(&summary) {
        wrong.push(format!("the summary is not\n{summary}"));
    }
    wrong
}

/// The table that counts the rows.
fn summary(counts: &BTreeMap<(&str, &str), u32>) -> String {
    let mut table = "| status | level 1 | level 2 | level 3 | all |\n|---|---:|---:|---:|---:|\n".to_owned();
    for status in STATUSES {
        let of = |level| counts.get(&(status, level)).copied().unwrap_or(0);
        let [one, two, three] = ["1", "2", "3"].map(of);
        let all = one + two + three;
        writeln!(table, "| {status} | {one} | {two} | {three} | {all} |").expect("to a text");
    }
    table
}

/// As `.env.example` writes it.
fn written(quota: Quota) -> String {
    let period = match quota.period.as_secs() {
        1 => "s",
        60 => "min",
        3600 => "h",
        86_400 => "day",
        other => panic!("a default of {other} s has no word"),
    };
    format!("{}/{period}", quota.burst)
}

#[test]
fn what_the_documents_refer_to_is_there() {
    for name in DOCUMENTS {
        let document = read(name);
        let dead = dead_references(&document, &open);
        assert!(dead.is_empty(), "{name}\n{}", dead.join("\n"));
        assert!(quoted(&document).any(is_reference), "{name} refers to nothing");
    }
}

#[test]
fn every_requirement_has_its_row_and_every_row_what_it_needs() {
    let ids = read("tests/vectors/asvs-ids.txt");
    assert_eq!(ids.lines().filter(|line| line.starts_with('V')).count(), 209);
    let wrong = wrong_rows(&read("docs/ASVS.md"), &ids);
    assert!(wrong.is_empty(), "docs/ASVS.md\n{}", wrong.join("\n"));
}

#[test]
fn every_limit_has_its_line() {
    let document = read("docs/CONTROLS.md");
    let defaults = Quotas::default();
    for limit in Limit::ALL {
        let begins = format!("| `{}` | {} | ", limit.variable(), written(defaults.of(*limit)));
        let is_there = document.lines().any(|line| line.starts_with(&begins));
        assert!(is_there, "docs/CONTROLS.md has no line `{begins}`");
    }
    let lines = document.lines().filter(|line| line.starts_with("| `LIMIT_"));
    assert_eq!(
        lines.count(),
        Limit::ALL.len(),
        "a limit that is gone has its line still"
    );
}

#[test]
fn the_routes_of_exempt_networks_are_those_of_the_code() {
    let document = read("docs/CONTROLS.md");
    let (_, told) = document.split_once("`LIMIT_EXEMPT` lists").expect("a paragraph");
    let (told, _) = told.split_once("\n\n").expect("an end");
    let told: Vec<&str> = quoted(told).filter_map(|text| text.strip_prefix("/{T}")).collect();
    assert_eq!(told, EXEMPT);
    // Each is a route that is there, and none of those where something is tried.
    let document: serde_json::Value = serde_json::from_str(&read("openapi/openapi.json")).expect("JSON");
    for path in EXEMPT {
        assert!(document["paths"].get(format!("/User1{path}")).is_some(), "{path}");
        assert!(may_be_exempt(path), "{path}");
    }
    for path in [
        "/login",
        "/otp_phone",
        "/verify_otp_phone",
        "/reset_password",
        "/refresh-token",
        "/delete",
        "/export",
    ] {
        assert!(!may_be_exempt(path), "{path}");
    }
}

#[test]
fn each_mistake_of_a_document_is_found() {
    let open = |path: &str| match path {
        "src/a.rs" => Some("pub(crate) async fn b() {}\nconst C: u8 = 0;".to_owned()),
        "docs/D.md" => Some("# D\n\n## What it does, and why\n".to_owned()),
        _ => None,
    };
    let live = "`src/a.rs`, `src/a.rs::b`, `src/a.rs::C`, `docs/D.md#what-it-does-and-why`; `GET /x/y`, `/x/y`, `x://`, `A=b/c`, `b`";
    assert_eq!(dead_references(live, &open), [""; 0]);
    for text in [
        "`src/z.rs`",
        "`src/a.rs::bb`",
        "`src/a.rs::d`",
        "`docs/D.md#why`",
        "`docs/D.md::b`",
        "`Z.md`",
    ] {
        assert_eq!(dead_references(text, &open).len(), 1, "{text}");
    }

    let ids = "# id level\nV1.1.1 1\nV1.1.2 2\n";
    let rows = |second: &str| {
        let document = format!("| V1.1.1 | 1 | words | met | `src/a.rs` |\n{second}\n");
        // Each sample has a fitting summary, so that nothing but the row is wrong.
        let problems = wrong_rows(&document, ids);
        let problems = problems
            .into_iter()
            .filter(|problem| !problem.starts_with("the summary"));
        problems.collect::<Vec<_>>()
    };
    for right in [
        "| V1.1.2 | 2 | words | met | `src/a.rs::b` |",
        "| V1.1.2 | 2 | words | part | `src/a.rs`; not all of it |",
        "| V1.1.2 | 2 | words | open | nothing yet |",
        "| V1.1.2 | 2 | words | operator | `docs/D.md` |",
        "| V1.1.2 | 2 | words | n/a | no such thing |",
    ] {
        assert_eq!(rows(right), [""; 0], "{right}");
    }
    for wrong in [
        "",
        "| V1.1.2 | 2 | words | met | trust us |",
        "| V1.1.2 | 2 | words | met | `SETTING` |",
        "| V1.1.2 | 2 | words | part | `src/a.rs` |",
        "| V1.1.2 | 2 | words | open | |",
        "| V1.1.2 | 2 | words | operator | `src/a.rs` |",
        "| V1.1.2 | 2 | words | done | `src/a.rs` |",
        "| V1.1.2 | 2 | | met | `src/a.rs` |",
        "| V1.1.2 | 1 | words | met | `src/a.rs` |",
        "| V1.1.2 | 2 | words | met | `src/a.rs` |\n| V1.1.1 | 1 | words | met | `src/a.rs` |",
        "| V1.1.2 | 2 | words | met | `src/a.rs` |\n| V1.1.3 | 1 | words | met | `src/a.rs` |",
    ] {
        assert_eq!(rows(wrong).len(), 1, "{wrong}: {:?}", rows(wrong));
    }
    let uncounted = wrong_rows("| V1.1.1 | 1 | words | met | `src/a.rs` |", "V1.1.1 1\n");
    assert_eq!(uncounted.len(), 1);
    assert!(uncounted[0].contains("| met | 1 | 0 | 0 | 1 |"), "{uncounted:?}");
}
