//! What is built is found again, and what was damaged is not taken.

use std::{fmt::Write as _, fs};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;
use crate::{
    domain::password_rules::BreachedPasswords as _,
    storage::breached::{BreachedFile, OpenError},
};

fn built(list: &str, count: Option<u64>) -> Result<(TempDir, PathBuf, Built), BuildError> {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("list"), folder.path().join("filter"));
    fs::write(&input, list).expect("written");
    let built = build(&Input::File(input), &output, count, &mut |_, _| {})?;
    let names: Vec<_> = fs::read_dir(&folder).expect("a folder").collect();
    assert_eq!(names.len(), 2, "nothing unfinished is left: {names:?}");
    Ok((folder, output, built))
}

fn hex(hash: BreachedHash, password: &str) -> String {
    HEXLOWER.encode(&hash.of(password))
}

#[test]
fn what_stands_in_a_list_is_found_however_it_is_written() {
    for hash in [BreachedHash::Sha1, BreachedHash::Ntlm] {
        let one = |password: &str| hex(hash, password);
        let list = format!(
            "{}:37\r\n{}\n\n{}:1\n{}",
            one("hunter2").to_uppercase(),
            one("Zo\u{EB}'s"),
            one(""),
            one("last"),
        );
        for count in [None, Some(4), Some(1000)] {
            let (_folder, file, built) = built(&list, count).expect("built");
            assert_eq!((built.hash, built.items), (hash, 4));
            let opened = BreachedFile::open(&file).expect("opens");
            opened.verify().expect("whole");
            assert_eq!((opened.hash(), opened.items()), (hash, 4));
            for password in ["hunter2", "Zo\u{EB}'s", "", "last"] {
                assert!(opened.has(password), "{password}");
            }
            for password in ["hunter3", "Hunter2", "Zoe's"] {
                assert!(!opened.has(password), "{password}");
            }
        }
    }
}

#[test]
fn of_a_million_good_passwords_about_one_is_refused() {
    let list: String = (0..20_000).fold(String::new(), |mut list, number| {
        let _ = writeln!(list, "{}", hex(BreachedHash::Sha1, &format!("stolen {number}")));
        list
    });
    let (_folder, file, built) = built(&list, None).expect("built");
    assert_eq!((built.items, built.bytes), (20_000, 71_888));
    let opened = BreachedFile::open(&file).expect("opens");
    assert!((0..20_000).all(|number| opened.has(&format!("stolen {number}"))));
    let refused = (0..200_000)
        .filter(|number| opened.has(&format!("good {number}")))
        .count();
    assert!(refused <= 3, "{refused} of 200000");
}

/// Files lie with operators: bits that another version looks for elsewhere would let everything through.
#[test]
fn the_bytes_of_a_file_are_frozen() {
    let list = format!(
        "{}\n{}\n",
        hex(BreachedHash::Sha1, "hunter2"),
        hex(BreachedHash::Sha1, "correct horse")
    );
    let (_folder, file, _) = built(&list, Some(10)).expect("built");
    let bytes = fs::read(file).expect("read");
    assert_eq!(
        HEXLOWER.encode(&bytes[..28]),
        "5347425245414348000101140000000000000002000000000000 0024".replace(' ', "")
    );
    assert_eq!(HEXLOWER.encode(&Sha256::digest(&bytes)), FROZEN);
}
const FROZEN: &str = "ba489c26a0a0c6b8c66e581611cab081a91640072b5cda0e7cf5b1bb469901f9";

#[test]
fn a_list_that_is_none_is_refused_at_its_line() {
    let sha1 = hex(BreachedHash::Sha1, "a");
    let ntlm = hex(BreachedHash::Ntlm, "a");
    for (list, line) in [
        (format!("{sha1}\nhunter2\n"), 2),
        (format!("{sha1}:\n"), 1),
        (format!("{sha1}:many\n"), 1),
        (format!("{sha1}\n\n{ntlm}\n"), 3),
        (format!("{}\n", sha1.replace('8', "g")), 1),
        ("0".repeat(1000), 1),
    ] {
        let refused = built(&list, None).expect_err(&list);
        assert!(
            matches!(refused, BuildError::Line(at) if at == line),
            "{list}: {refused}"
        );
        assert!(!refused.to_string().contains("hunter2"));
    }
    for list in ["", "\n\r\n"] {
        assert!(matches!(built(list, None).expect_err("empty"), BuildError::Empty));
    }
    let three = format!("{sha1}\n{sha1}\n{sha1}\n");
    assert!(matches!(
        built(&three, Some(2)).expect_err("more"),
        BuildError::TooMany(2)
    ));
    let nowhere = build(
        &Input::File("/nowhere/list".into()),
        Path::new("/nowhere"),
        None,
        &mut |_, _| {},
    );
    assert!(matches!(nowhere.expect_err("nothing"), BuildError::File(..)));
    let piped = build(&Input::Stdin, Path::new("/nowhere"), None, &mut |_, _| {});
    assert!(matches!(piped.expect_err("unknown"), BuildError::CountNeeded));
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let (_folder, file, _) = built(&hex(BreachedHash::Sha1, "hunter2"), Some(1000)).expect("built");
    let good = fs::read(&file).expect("read");
    let taken = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("written");
        BreachedFile::open(&file).and_then(|opened| opened.verify())
    };
    taken(&good).expect("as it was");
    for at in (0..good.len())
        .step_by(7)
        .chain([8, 9, 10, 11, 19, 27, 31, 63, good.len() - 1])
    {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        assert!(taken(&flipped).is_err(), "byte {at}");
    }
    assert!(matches!(taken(&good[..good.len() - 1]), Err(OpenError::Damaged)));
    assert!(matches!(taken(&[&good[..], &[0]].concat()), Err(OpenError::Damaged)));
    assert!(matches!(taken(b""), Err(OpenError::Foreign)));
    assert!(matches!(taken(&[b'x'; 1000]), Err(OpenError::Foreign)));
    let mut newer = good.clone();
    newer[9] = 2;
    assert!(matches!(taken(&newer), Err(OpenError::Newer(2))));
    fs::remove_file(&file).expect("removed");
    assert!(matches!(BreachedFile::open(&file), Err(OpenError::Unreadable(_))));
}
