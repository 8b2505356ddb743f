//! The database file in the file system: made so that only its owner reads it, and known again.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// A database file that is open, and which file that was.
#[derive(Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode; nothing where the file system has no such thing.
type Identity = Option<(u64, u64)>;

impl DatabaseFile {
    /// Makes the folder (mode 0700) and the file (mode 0600) unless they are there. An empty file is a new database;
    /// what stands beside it (`-wal`, `-shm`) gets its mode from it.
    pub(super) fn prepare(folder: &Path, name: &str) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        private_folder(builder.recursive(true)).create(folder)?;
        let path = folder.join(name);
        match private_file(OpenOptions::new().write(true).create_new(true)).open(&path) {
            // The entry itself must outlive a crash before anything in the file may be called durable.
            Ok(file) => file.sync_all().and_then(|()| sync_folder(folder))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still names the file that was opened. Writes to a file that was removed or replaced would
    /// succeed and be lost.
    pub(super) fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|now| now == self.identity)
    }
}

#[cfg(unix)]
fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700)
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).map(|file| Some((file.dev(), file.ino())))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn private_folder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

#[cfg(not(unix))]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|_| None)
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
