//! A change of the key file: the whole of it is written anew beside it and renamed, under a lock that every process takes, so
//! that no key is lost by two changes at once or by a crash.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
    path::Path,
};

use zeroize::Zeroizing;

use crate::crypto::{
    kek_file::{KekFileError, open, read_text},
    local_keks::LocalKeks,
};

/// Puts what `change` makes of the text in its place; the keys that are in it then.
pub(super) fn rewrite(path: &Path, change: impl FnOnce(&str) -> Zeroizing<String>) -> Result<LocalKeks, KekFileError> {
    // What a link leads to is replaced, not the link.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KekFileError::Missing),
        path => path?,
    };
    let mut file = lock(&path)?;
    let text = change(&read_text(&mut file)?);
    let keys = LocalKeks::parse(text.lines())?;
    // Nobody else writes it while the lock is held: one that is there was left by a crash.
    let draft = path.with_added_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?,
    }
    let mut new = create(&draft)?;
    let (old, own) = (file.metadata()?, new.metadata()?);
    let replaced = if (old.uid(), old.gid()) == (own.uid(), own.gid()) {
        Ok(())
    } else {
        // Whoever serves could not read what root made.
        fchown(&new, Some(old.uid()), Some(old.gid()))
    };
    let replaced = replaced
        .and_then(|()| new.write_all(text.as_bytes()))
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&draft, &path));
    if let Err(error) = replaced {
        // The first failure is what is told.
        let _ = fs::remove_file(&draft);
        return Err(error.into());
    }
    sync_folder_of(&path)?;
    Ok(keys)
}

/// The file that stands there once the lock is had: whoever had it before may have put another in its place.
fn lock(path: &Path) -> Result<File, KekFileError> {
    loop {
        let file = open(OpenOptions::new().read(true).write(true), path)?;
        file.lock()?;
        let (held, there) = (file.metadata()?, fs::metadata(path)?);
        if (held.dev(), held.ino()) == (there.dev(), there.ino()) {
            return Ok(file);
        }
    }
}

/// A private file where none is.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What was renamed or linked in it is there after a power cut too.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    // A bare name has an empty parent.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
