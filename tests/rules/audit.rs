//! What is noted is explained: the table of events in `docs/OPERATIONS.md` and the enum name the same ones.

use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("readable")
}

fn snake_case(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

#[test]
fn every_event_is_explained_and_nothing_else() {
    let source = read("src/domain/audit.rs");
    let (_, variants) = source.split_once("pub enum AuditEvent {").expect("the enum");
    let (variants, _) = variants.split_once("\n}").expect("its end");
    let noted: BTreeSet<String> = variants
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .map(snake_case)
        .collect();
    let pages = read("docs/OPERATIONS.md");
    let (_, table) = pages.split_once("\n## Audit\n").expect("a section");
    let (table, _) = table.split_once("\n## ").expect("its end");
    let explained: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(event, _)| event.to_owned())
        .collect();
    assert!(noted.len() >= 30, "{noted:?}");
    assert_eq!(noted, explained);
}
