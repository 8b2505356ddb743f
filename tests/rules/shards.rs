//! The shard keys of `deploy/README.md` fit the collections of `src/storage/mongo`: each has its row, and none has a key that a
//! unique index would not hold under.

use std::{collections::BTreeMap, fs, path::Path};

use crate::evidence::{quoted, read};

/// What a collection's key must keep.
#[derive(Debug, Default, PartialEq, Eq)]
struct Collection {
    is_key: bool,
    has_unique_index: bool,
}

/// The text between quotation marks of `const NAME: … = "text";`.
fn constant(line: &str) -> Option<&str> {
    let (declared, value) = line.trim().split_once(" = \"")?;
    (declared.starts_with("const ") && declared.contains("str")).then(|| value.trim_end_matches("\";"))
}

/// Of records by their `Stored`, and of the others by their constants.
fn collections() -> BTreeMap<String, Collection> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root.join("mongo")).expect("the adapter") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        let text = fs::read_to_string(&path).expect("readable");
        let has_unique_index = text.contains("Index::unique(") && name != "indexes.rs";
        let named: Vec<String> = if text.contains("impl Stored for ") {
            let record = fs::read_to_string(root.join(&name)).expect("the port");
            let own = record
                .lines()
                .filter(|line| line.contains("const NAME"))
                .filter_map(constant);
            let suffix = if text.contains("IS_PER_USER_TYPE: bool = true") {
                "_{T}"
            } else {
                ""
            };
            own.map(|own| format!("{own}{suffix}")).collect()
        } else if text.contains("RawCollection {") && text.contains("Arc<Connection>") {
            text.lines().filter_map(constant).map(str::to_owned).collect()
        } else {
            Vec::new()
        };
        for one in named {
            let is_key = text.contains("IS_KEY: bool = true") || text.contains(".keys(");
            found.insert(
                one,
                Collection {
                    is_key,
                    has_unique_index,
                },
            );
        }
    }
    found
}

fn wrong_rows(page: &str, collections: &BTreeMap<String, Collection>) -> Vec<String> {
    let (_, section) = page.split_once("\n## A sharded cluster\n").unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        rows.insert(cells[0].trim_matches('`'), (cells[1].trim_matches('`'), cells[2]));
    }
    let mut wrong = Vec::new();
    for (name, collection) in collections {
        let Some((database, key)) = rows.remove(name.as_str()) else {
            wrong.push(format!("{name} has no row"));
            continue;
        };
        if (database == "sealgate_keys") != collection.is_key {
            wrong.push(format!("{name} is not in {database}"));
        }
        let is_whole = key.starts_with("none");
        if collection.has_unique_index && !is_whole {
            wrong.push(format!(
                "{name} is sharded, and has unique indexes that its key does not begin"
            ));
        }
        if !is_whole && quoted(key).next() != Some("{_id: \"hashed\"}") {
            wrong.push(format!("{name}: under {key} its ids are unique on each shard alone"));
        }
    }
    wrong.extend(rows.keys().map(|name| format!("{name} is no collection")));
    wrong
}

#[test]
fn every_collection_has_its_shard_key_and_uniqueness_holds_under_it() {
    let collections = collections();
    assert_eq!(collections.len(), 12, "{collections:#?}");
    let wrong = wrong_rows(&read("deploy/README.md"), &collections);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_wrong_key_is_found() {
    let collections = collections();
    let page = read("deploy/README.md");
    let hashed = "`{_id: \"hashed\"}`";
    for (from, to) in [
        ("`sealgate` | none: whole", "`sealgate` | `{_id: \"hashed\"}`: whole"),
        ("| `sessions` | `sealgate` |", "| `sessions` | `sealgate_keys` |"),
        ("| `sessions` | ", "| `seasons` | "),
        (hashed, "`{account_id: 1}`"),
    ] {
        assert!(page.contains(from), "{from}");
        assert!(!wrong_rows(&page.replace(from, to), &collections).is_empty(), "{to}");
    }
}
