//! The journal as a file that is only ever appended to: it may carry the file system's append-only flag. Servers and workers
//! of one machine may share one; on several machines each has its own.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use crate::storage::{
    StoreError,
    erasures::{ErasureLine, Erasures},
};

/// A file of lines. Its folder must be there: one that is made in the place of a volume that is not mounted would be lost
/// with the container.
#[derive(Clone, Debug)]
pub struct FileErasures(PathBuf);

impl FileErasures {
    /// At that path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

#[async_trait]
impl Erasures for FileErasures {
    async fn append(&self, line: &ErasureLine) -> Result<(), StoreError> {
        let (path, text) = (self.0.clone(), line.to_text());
        blocking(move || append(&path, &text)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let path = self.0.clone();
        blocking(move || open(&path).map(drop)).await
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), StoreError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    // The path is the operator's own; the error's kind says enough.
    done.and_then(|done| done)
        .map_err(|error| StoreError::Unavailable(format!("ERASURE_JOURNAL can't be written ({})", error.kind())))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path)?;
            // The name survives a crash, too.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        }
        opened => opened,
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = open(path)?;
    // Another process of this machine may be about it.
    file.lock()?;
    let mut line = String::with_capacity(text.len() + 2);
    if !ends_a_line(&mut file)? {
        // What a crash, or a disk that was full, cut off stays a line of its own.
        line.push('\n');
    }
    line.push_str(text);
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::domain::clock::Timestamp;

    fn line(id: &str) -> ErasureLine {
        ErasureLine {
            user_type: "User1".parse().expect("valid"),
            account_id: id.parse().expect("valid"),
            erased_at: Timestamp::from_millis(1_764_000_000_000),
            receipt: "a.b.c".to_owned(),
            mac: vec![0; 34],
        }
    }

    fn ids(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).expect("readable");
        let lines = text.lines().filter_map(ErasureLine::parse);
        lines.map(|line| line.account_id.to_string()).collect()
    }

    #[tokio::test]
    async fn lines_are_appended_also_after_one_that_was_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("erasures.jsonl");
        let journal = FileErasures::new(path.clone());
        journal.probe().await.expect("writable");
        journal.append(&line("usr_a")).await.expect("appended");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let whole = fs::read(&path).expect("readable");
        for cut in 1..whole.len() {
            let torn = [&whole[..], &whole[..cut]].concat();
            fs::write(&path, torn).expect("written");
            journal.append(&line("usr_b")).await.expect("appended");
            let found = ids(&path);
            assert_eq!(
                (found.first(), found.last()),
                (Some(&"usr_a".into()), Some(&"usr_b".into()))
            );
            assert!(fs::read(&path).expect("readable").ends_with(b"\n"));
        }
    }

    #[tokio::test]
    async fn many_at_once_spoil_no_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("erasures.jsonl");
        // Each opens the file by itself, as another process does.
        let appends = (0..40).map(|n| {
            let journal = FileErasures::new(path.clone());
            tokio::spawn(async move { journal.append(&line(&format!("usr_{n}"))).await })
        });
        for append in appends.collect::<Vec<_>>() {
            append.await.expect("no panic").expect("appended");
        }
        assert_eq!(ids(&path).len(), 40);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = FileErasures::new(folder.path().join("unmounted/erasures.jsonl"));
        let refused = journal.probe().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(journal.append(&line("usr_a")).await.is_err());
        assert!(!folder.path().join("unmounted").exists());
    }
}
