//! Key-encryption keys in a file: one `kek_… <base64>` a line, oldest first, the last one active; `#` begins a comment.
//!
//! The file is made once, with mode 0600, and never overwritten. A file that others may read is refused: whoever
//! copies it together with the database reads everything.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::{
    crypto::{kek::LocalKeks, system_entropy},
    domain::{clock::Timestamp, ids::KekId},
};

const HEADER: &str = "# Key-encryption keys. Whoever has this file and the database reads every account:\n\
                      # keep it apart from the data's back-ups, and keep a copy, for nothing opens without it.\n";

/// What is wrong with a key file, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum KekFileError {
    /// Not there.
    #[error("the key file is missing")]
    Missing,
    /// Other users of the machine may read it.
    #[error("the key file may be read by other users (mode {0:04o}); run `chmod 600` on it")]
    Exposed(u32),
    /// A line can't be read. The line is not repeated: it may hold a key.
    #[error("line {0} of the key file is not `kek_… <base64 of 32 bytes>`; restore the file from its back-up")]
    Line(usize),
    /// No key in it.
    #[error("the key file holds no key; restore it from its back-up")]
    Empty,
    /// The file system refused.
    #[error("the key file can't be read or made: {0}")]
    Io(#[from] io::Error),
}

/// Reads the keys.
pub fn read(path: &Path) -> Result<LocalKeks, KekFileError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KekFileError::Missing),
        opened => opened?,
    };
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KekFileError::Exposed(mode));
    }
    let text = Zeroizing::new(io::read_to_string(file)?);
    parse(&text)
}

/// Makes a file with one fresh key. Whoever comes second, or finds one there, leaves it as it is.
pub fn make(path: &Path, now: Timestamp) -> Result<(), KekFileError> {
    let id = KekId::make(now, &system_entropy::SystemEntropy);
    let key = system_entropy::make_key();
    let line = Zeroizing::new(format!("{HEADER}{id} {}\n", BASE64.encode(key.as_slice())));
    // Written whole under another name, then linked: a crash leaves no half-written key file, and an existing one wins.
    let draft = path.with_extension(format!("{id}.tmp"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    fs::remove_file(&draft)?;
    linked?;
    if let Some(folder) = path.parent() {
        // A bare name has an empty parent.
        let is_bare = folder.as_os_str().is_empty();
        File::open(if is_bare { Path::new(".") } else { folder })?.sync_all()?;
    }
    Ok(())
}

fn parse(text: &str) -> Result<LocalKeks, KekFileError> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        keys.push(parse_line(line).ok_or(KekFileError::Line(index + 1))?);
    }
    LocalKeks::new(keys).ok_or(KekFileError::Empty)
}

fn parse_line(line: &str) -> Option<(KekId, Zeroizing<[u8; 32]>)> {
    let (id, key) = line.split_once(' ')?;
    let key = Zeroizing::new(BASE64.decode(key.trim().as_bytes()).ok()?);
    Some((id.parse().ok()?, Zeroizing::new(key.as_slice().try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{
        frozen::{Frozen, bytes, hex, text},
        kek::{KekProvider, WrappedKey},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    #[test]
    fn a_made_file_is_private_and_is_never_replaced() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("kek.keys");
        make(&path, NOW).expect("made");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let first = read(&path).expect("readable").active().clone();
        make(&path, NOW).expect("left alone");
        assert_eq!(read(&path).expect("readable").active(), &first);
        assert_eq!(
            fs::read_dir(folder.path()).expect("folder").count(),
            1,
            "no draft is left behind"
        );
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("kek.keys");
        make(&path, NOW).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(read(&path), Err(KekFileError::Exposed(0o640))));
    }

    #[tokio::test]
    async fn frozen_vector() {
        let frozen = Frozen::read().0;
        let vector = &frozen["wrapped_dek"];
        let wrapped = WrappedKey {
            kek_id: text(&vector["kek_id"]).parse().expect("an id"),
            wrapped: bytes(&vector["wrapped"]),
        };
        let keks = parse(text(&vector["key_file"])).expect("a key file");
        assert_eq!(hex(&keks.unwrap(&wrapped).await.expect("unwraps")), frozen["dek"]);
    }

    #[test]
    fn a_damaged_line_is_named_by_number_and_not_repeated() {
        let Err(error) = parse("# comment\nkek_x c2VjcmV0\n") else {
            panic!("must be refused")
        };
        assert!(error.to_string().contains("line 2") && !error.to_string().contains("c2VjcmV0"));
        assert!(matches!(parse("# nothing\n"), Err(KekFileError::Empty)));
    }
}
