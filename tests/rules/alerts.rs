//! What the alerts and the dashboard of `deploy/` ask for is there: metrics, their labels and words in `docs/METRICS.md`.
//! Every alert is tried by `alerts.test.yml` and has its entry in `docs/RUNBOOK.md`; an entry without an alert says so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::evidence::{quoted, read};

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const TRIED: &str = "deploy/prometheus/alerts.test.yml";
const DASHBOARD: &str = "deploy/grafana/dashboards/sealgate.json";
/// How an entry begins that no alert leads to.
const MANUAL: &str = "*No alert*";
/// Prometheus' own.
const OWN: [&str; 7] = [
    "instance",
    "job",
    "le",
    "alertname",
    "alertstate",
    "severity",
    "version",
];

/// A row of `docs/METRICS.md`: the metric's labels, each with its words where they are listed.
type Metrics = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn metrics(document: &str) -> Metrics {
    let mut found = Metrics::new();
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Some(name) = quoted(cells[0]).next() else { continue };
        let mut labels = BTreeMap::new();
        for label in cells[2].split(';').flat_map(|part| match part.split_once(':') {
            // Those before the last one of `a`, `b`: `x` have no list.
            Some((names, words)) => {
                let (names, words) = (quoted(names).collect::<Vec<_>>(), quoted(words).collect::<Vec<_>>());
                let last = names.len().saturating_sub(1);
                let listed = names.iter().enumerate();
                listed
                    .map(|(n, name)| (*name, if n == last { words.clone() } else { Vec::new() }))
                    .collect()
            }
            None => quoted(part).map(|name| (name, Vec::new())).collect::<Vec<_>>(),
        }) {
            labels.insert(label.0.to_owned(), label.1.into_iter().map(str::to_owned).collect());
        }
        let is_histogram = cells[1].starts_with("histogram");
        let parts: &[&str] = if is_histogram {
            &["_bucket", "_sum", "_count"]
        } else {
            &[""]
        };
        for part in parts {
            found.insert(format!("{name}{part}"), labels.clone());
        }
    }
    found
}

/// Each metric of ours that `text` names, with what stands in braces after it.
fn named(text: &str) -> Vec<(&str, Option<&str>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let (name, after) = word.split_at(word.find(|c| !is_part(c)).unwrap_or(word.len()));
        if name.starts_with("sealgate_") || name.starts_with("process_") {
            let selected = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            found.push((name, selected.map(|(inner, _)| inner)));
        }
        rest = after;
    }
    found
}

fn wrong_names(text: &str, metrics: &Metrics) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, selected) in named(text) {
        let Some(labels) = metrics.get(name) else {
            wrong.push(format!("{name} is no metric"));
            continue;
        };
        for matcher in selected
            .unwrap_or_default()
            .split("\",")
            .filter(|matcher| !matcher.is_empty())
        {
            let (label, words) = matcher.split_once('"').unwrap_or((matcher, ""));
            let label = label.trim_matches(|c: char| "=~! ".contains(c));
            if OWN.contains(&label) {
                continue;
            }
            match labels.get(label) {
                None => wrong.push(format!("{name} has no label {label}")),
                Some(listed) => {
                    let unknown = words.trim_end_matches('"').split('|');
                    let unknown = unknown.filter(|word| !listed.is_empty() && !listed.iter().any(|one| one == word));
                    wrong.extend(unknown.map(|word| format!("{name} is never {label} {word}")));
                }
            }
        }
    }
    wrong
}

/// The texts of every `expr` and `query`.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
                    _ => expressions(member, found),
                }
            }
        }
        Value::Array(members) => members.iter().for_each(|member| expressions(member, found)),
        _ => {}
    }
}

fn after<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(prefix))
        .collect()
}

fn wrong_entries(alerts: &str, tried: &str, runbook: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let names: BTreeSet<&str> = after(alerts, "- alert: ").into_iter().collect();
    let leads: Vec<&str> = after(alerts, "runbook: docs/RUNBOOK.md#");
    let expected: Vec<String> = after(alerts, "- alert: ")
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    if leads != expected {
        wrong.push(format!("the alerts lead to {leads:?}"));
    }
    let mut entries = BTreeSet::new();
    for entry in runbook.split("\n## ").skip(1) {
        let (title, text) = entry.split_once('\n').unwrap_or((entry, ""));
        let is_manual = text.trim_start().starts_with(MANUAL);
        if is_manual == names.contains(title) {
            wrong.push(format!("entry {title}: an alert and `{MANUAL}`, or neither"));
        }
        if !entries.insert(title) {
            wrong.push(format!("entry {title} stands there twice"));
        }
        for part in ["**Means**", "**People see**", "**Look at**", "**Do**"] {
            if !text.contains(part) {
                wrong.push(format!("entry {title}: no {part}"));
            }
        }
    }
    for name in &names {
        if !entries.contains(name) {
            wrong.push(format!("{name} has no entry"));
        }
        if !tried.contains(&format!("alertname=\"{name}\"")) {
            wrong.push(format!("{name} is not tried"));
        }
    }
    wrong
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let metrics = metrics(&read("docs/METRICS.md"));
    assert!(metrics.len() > 40, "{metrics:?}");
    assert_eq!(wrong_names(&read(ALERTS), &metrics), [""; 0]);
    let dashboard = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() > 40, "{asked:?}");
    assert_eq!(wrong_names(&asked.join("\n"), &metrics), [""; 0]);
}

#[test]
fn every_alert_is_tried_and_explained_and_every_entry_is_reached() {
    let wrong = wrong_entries(&read(ALERTS), &read(TRIED), &read("docs/RUNBOOK.md"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_mistake_is_found() {
    let metrics = metrics(
        "| metric | type | labels |\n| `sealgate_a_total` | counter | `route`, `status`: `2xx`, `5xx`; `code` | x |\n| \
         `sealgate_b_seconds` | histogram | | x |",
    );
    let wrong = |text: &str| wrong_names(text, &metrics);
    let good =
        r#"rate(sealgate_a_total{route=~"x|y",status="2xx",code="z",instance="i"}[5m]) / sealgate_b_seconds_bucket"#;
    assert_eq!(wrong(good), [""; 0]);
    assert_eq!(wrong("sum(sealgate_b_seconds)"), ["sealgate_b_seconds is no metric"]);
    assert_eq!(
        wrong(r#"sealgate_a_total{kind="x"}"#),
        ["sealgate_a_total has no label kind"]
    );
    assert_eq!(
        wrong(r#"sealgate_a_total{status=~"5xx|6xx"}"#),
        ["sealgate_a_total is never status 6xx"]
    );

    let alerts = "- alert: SealgateA\n  runbook: docs/RUNBOOK.md#sealgatea\n";
    let tried = "alertname=\"SealgateA\"";
    let parts = "**Means** **People see** **Look at** **Do**";
    let runbook = format!("# R\n\n## Lost key\n\n{MANUAL} {parts}\n\n## SealgateA\n\n{parts}\n");
    assert_eq!(wrong_entries(alerts, tried, &runbook), [""; 0]);
    for (alerts, tried, runbook) in [
        (alerts, "", runbook.clone()),
        (alerts, tried, runbook.replace("SealgateA", "SealgateB")),
        (alerts, tried, runbook.replace(MANUAL, "")),
        (alerts, tried, runbook.replace("**Do**", "")),
        (alerts, tried, format!("{runbook}\n## SealgateA\n\n{parts}\n")),
        (&alerts.replace("#sealgatea", "#sealgateb"), tried, runbook.clone()),
    ] {
        assert!(
            !wrong_entries(alerts, tried, &runbook).is_empty(),
            "{alerts} {tried} {runbook}"
        );
    }
}
