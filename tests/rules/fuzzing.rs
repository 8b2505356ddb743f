//! The fuzz targets, over their corpus and over what mutation makes of it: what a run of `cargo fuzz` found and somebody
//! put there is asked again by every test run.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library, where it is built for fuzzing")]
mod targets;

use targets::ALL;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

fn corpus(name: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder().join("corpus").join(name)).expect("a corpus");
    files
        .map(|file| file.expect("a file"))
        .map(|file| {
            let name = file.file_name().into_string().expect("plain");
            (name, fs::read(file.path()).expect("read"))
        })
        .collect()
}

/// One step away from a corpus' entry.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index),
    Cut(Index),
    Drop(Index),
    Insert(Index, u8),
    Repeat(Index, u8),
    /// The rest is another entry's.
    Splice(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        any::<Index>().prop_map(Mutation::Flip),
        any::<Index>().prop_map(Mutation::Cut),
        any::<Index>().prop_map(Mutation::Drop),
        any::<(Index, u8)>().prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        any::<(Index, u8)>().prop_map(|(at, times)| Mutation::Repeat(at, times)),
        any::<(Index, Index)>().prop_map(|(at, other)| Mutation::Splice(at, other)),
    ]
}

fn mutated(mut data: Vec<u8>, step: &Mutation, entries: &[Vec<u8>]) -> Vec<u8> {
    match step {
        Mutation::Flip(bit) if !data.is_empty() => {
            let bit = bit.index(data.len() * 8);
            data[bit / 8] ^= 1 << (bit % 8);
        }
        Mutation::Cut(at) => data.truncate(at.index(data.len() + 1)),
        Mutation::Drop(at) if !data.is_empty() => drop(data.remove(at.index(data.len()))),
        Mutation::Insert(at, byte) => data.insert(at.index(data.len() + 1), *byte),
        Mutation::Repeat(at, times) if !data.is_empty() => {
            let at = at.index(data.len());
            let byte = data[at];
            data.splice(at..at, std::iter::repeat_n(byte, usize::from(*times)));
        }
        Mutation::Splice(at, other) => {
            let at = at.index(data.len() + 1);
            let other = &entries[other.index(entries.len())];
            data.truncate(at);
            data.extend(other.iter().skip(at));
        }
        _ => {}
    }
    data
}

#[test]
fn every_target_lets_in_some_of_its_corpus_and_not_the_rest() {
    for (name, target) in ALL {
        let (taken, refused): (Vec<_>, Vec<_>) = corpus(name).into_iter().partition(|(_, data)| target(data));
        assert!(
            taken.len() > 2 && refused.len() > 2,
            "{name}: lets in {:?} of {} others",
            taken.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            refused.len()
        );
    }
}

#[test]
fn nothing_that_mutation_makes_of_it_breaks_a_target() {
    for (name, target) in ALL {
        let entries: Vec<Vec<u8>> = corpus(name).into_values().collect();
        let steps = prop::collection::vec(mutation(), 1..6);
        TestRunner::new(Config::default())
            .run(&(any::<Index>(), steps), |(entry, steps)| {
                let start = entries[entry.index(entries.len())].clone();
                let data = steps.iter().fold(start, |data, step| mutated(data, step, &entries));
                target(&data);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    let sorted = |folder: &Path| {
        let files = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = files
            .map(|file| file.expect("a file").path())
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let mut expected: Vec<String> = names.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(sorted(&folder().join("fuzz_targets")), expected);
    assert_eq!(sorted(&folder().join("corpus")), expected);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("a manifest");
    for name in names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\n")),
            "{name} is no binary"
        );
        let program = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).expect("a program");
        assert!(program.contains(&format!("sealgate_fuzz::{name}(data)")), "{program}");
    }
}
