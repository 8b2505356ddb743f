//! The file, opened.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use crate::{
    crypto::breached_hash::BreachedHash,
    domain::password_rules::BreachedPasswords,
    storage::breached::{COVERED, HEADER, Header, Item, MAGIC, VERSION},
};

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be read.
    #[error("the file can't be read ({0}); check the path and its permissions")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("the file is no filter of breached passwords; make one with `sealgate filter breached build`")]
    Foreign,
    /// A later version made it.
    #[error("the file is of version {0}, and this process knows 1; make it anew, or bring the process up to date")]
    Newer(u16),
    /// Part of it is lost or changed.
    #[error("the file is damaged; copy it again, or make it anew with `sealgate filter breached build`")]
    Damaged,
}

/// A filter that is open. Reads what it is asked for and holds nothing.
#[derive(Debug)]
pub struct BreachedFile {
    file: File,
    header: Header,
    checksum: [u8; 32],
}

impl BreachedFile {
    /// Opens the file and looks at its header and size.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path)?;
        let mut bytes = [0; HEADER];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(OpenError::Foreign),
            read => read?,
        }
        let (covered, checksum) = bytes.split_at(COVERED);
        let version = u16::from_be_bytes([covered[8], covered[9]]);
        match (covered.starts_with(MAGIC), version) {
            (false, _) => return Err(OpenError::Foreign),
            (true, VERSION) => {}
            (true, version) => return Err(OpenError::Newer(version)),
        }
        let mut head = [0; COVERED];
        head.copy_from_slice(covered);
        let header = Header::read(&head).ok_or(OpenError::Damaged)?;
        if header.bytes.checked_add(HEADER as u64) != Some(file.metadata()?.len()) {
            return Err(OpenError::Damaged);
        }
        let mut opened = Self {
            file,
            header,
            checksum: [0; 32],
        };
        opened.checksum.copy_from_slice(checksum);
        Ok(opened)
    }

    /// Reads all of it and compares the checksum: a bit that was lost would let a breached password through, one that was
    /// won refuse good ones.
    pub fn verify(&self) -> Result<(), OpenError> {
        let mut checksum = Sha256::new_with_prefix(self.header.write());
        let mut buffer = vec![0; 1 << 20];
        let (mut at, end) = (HEADER as u64, HEADER as u64 + self.header.bytes);
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            match self.file.read_exact_at(&mut buffer[..length], at) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(OpenError::Damaged),
                read => read?,
            }
            checksum.update(&buffer[..length]);
            at += length as u64;
        }
        let is_whole = checksum.finalize().as_slice() == self.checksum;
        is_whole.then_some(()).ok_or(OpenError::Damaged)
    }

    /// How many passwords it was made of.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.header.items
    }

    /// The hash that its list had.
    #[must_use]
    pub fn hash(&self) -> BreachedHash {
        self.header.hash
    }

    fn find(&self, item: &Item) -> io::Result<bool> {
        for offset in self.header.offsets(item) {
            let mut byte = [0];
            self.file.read_exact_at(&mut byte, HEADER as u64 + offset / 8)?;
            if byte[0] & (1 << (offset % 8)) == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl BreachedPasswords for BreachedFile {
    /// A file that can't be read any more keeps nobody from choosing a password; whoever runs the service is told.
    fn has(&self, password: &str) -> bool {
        let item = Item::of(&self.header.hash.of(password));
        self.find(&item).unwrap_or_else(|error| {
            tracing::error!(%error, "BREACHED_PASSWORDS_FILE can't be read; a password was not looked up");
            false
        })
    }
}

/// Writes a whole file beside `path` and puts it in its place.
pub(super) fn write(path: &Path, header: Header, bitmap: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    let covered = header.write();
    let checksum = Sha256::new_with_prefix(covered).chain_update(bitmap).finalize();
    let written = File::create(unfinished).and_then(|mut file| {
        file.write_all(&covered)?;
        file.write_all(&checksum)?;
        file.write_all(bitmap)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(unfinished, path));
    if placed.is_err() {
        let _ = std::fs::remove_file(unfinished);
    }
    placed
}
