//! Key-encryption keys in a file: the lines of [`local_keks`](crate::crypto::local_keks), oldest first.
//!
//! A new file is made once, with mode 0600, and never put in the place of one that is there. A file that others may read is
//! refused: whoever copies it together with the database reads everything.

mod rewrite;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};
use zeroize::Zeroizing;

use crate::{
    crypto::{
        kek::{KekError, KekProvider, WrappedKey},
        kek_file::rewrite::{create, rewrite, sync_folder_of},
        local_keks::{KekLinesError, LocalKeks, make_line},
    },
    domain::{
        clock::{Clock, Timestamp},
        ids::KekId,
    },
};

const HEADER: &str = "# Key-encryption keys. Whoever has this file and the database reads every account:\n\
                      # keep it apart from the data's back-ups, and keep a copy, for nothing opens without it.\n";

/// At most so often is the file read because of an unknown key.
const PAUSE: Duration = Duration::from_secs(1);

/// What is wrong with a key file, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum KekFileError {
    /// Not there.
    #[error("the key file is missing; put it back")]
    Missing,
    /// Other users of the machine may read it.
    #[error("the key file may be read by other users (mode {0:04o}); run `chmod 600` on it")]
    Exposed(u32),
    /// It holds something else than keys.
    #[error("the key file can't be read: {0}; restore it from its back-up")]
    Lines(#[from] KekLinesError),
    /// The file system refused.
    #[error("the key file can't be read or made: {0}")]
    Io(#[from] io::Error),
}

impl From<KekFileError> for KekError {
    fn from(error: KekFileError) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// The file, as it was read last.
pub struct KekFile {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    keys: RwLock<Arc<LocalKeks>>,
    /// Between two readings because of unknown keys.
    pause: Duration,
    /// When it was last read because of one.
    asked: Mutex<Option<Instant>>,
}

impl KekFile {
    /// Reads it.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, KekFileError> {
        Ok(Self {
            keys: RwLock::new(Arc::new(read(path)?)),
            path: path.to_owned(),
            clock,
            pause: PAUSE,
            asked: Mutex::default(),
        })
    }

    fn keys(&self) -> Arc<LocalKeks> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does `work` where it may wait for a disk, and takes the keys that it gives.
    async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<(LocalKeks, T), KekFileError> + Send + 'static,
    ) -> Result<T, KekFileError> {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        let (keys, result) = done.map_err(io::Error::other)??;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(result)
    }

    /// The keys, read again where `id` is none of them. Whoever asks meanwhile shares the reading, or waits for the next.
    async fn with(&self, id: &KekId) -> Result<Arc<LocalKeks>, KekError> {
        let holds = |keys: &LocalKeks| keys.ids().any(|known| known == id);
        let keys = self.keys();
        if holds(&keys) {
            return Ok(keys);
        }
        let now = Instant::now();
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|last| last < now) {
            if let Some(last) = *asked {
                sleep_until(last + self.pause).await;
            }
            *asked = Some(Instant::now());
            self.take(|path| Ok((read(path)?, ()))).await?;
        }
        Ok(self.keys())
    }
}

#[async_trait]
impl KekProvider for KekFile {
    async fn known(&self) -> Result<Vec<KekId>, KekError> {
        self.take(|path| Ok((read(path)?, ()))).await?;
        Ok(self.keys().ids().cloned().collect())
    }

    async fn make(&self) -> Result<KekId, KekError> {
        let now = self.clock.now();
        let made = self.take(move |path| {
            let (id, line) = make_line(now);
            let keys = rewrite(path, |text| {
                let end = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    "\n"
                };
                Zeroizing::new([text, end, &line, "\n"].concat())
            })?;
            Ok((keys, id))
        });
        made.await.map_err(|error| match error {
            KekFileError::Io(error) => KekError::CannotMake(format!(
                "the key file or its folder can't be written here ({}); do it where they can be, or append the line that \
                 `sealgate keys new --print` prints",
                error.kind()
            )),
            error => error.into(),
        })
    }

    async fn destroy(&self, id: &KekId) -> Result<(), KekError> {
        let keys = self.keys();
        if keys.ids().all(|known| known == id) {
            return Err(KekError::Unusable("its only key can't be removed".to_owned()));
        }
        let id = id.clone();
        let is_other = move |line: &&str| line.split_whitespace().next() != Some(id.as_str());
        let removed = self.take(move |path| {
            let without = |text: &str| Zeroizing::new(text.split_inclusive('\n').filter(is_other).collect());
            Ok((rewrite(path, without)?, ()))
        });
        Ok(removed.await?)
    }

    async fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError> {
        self.with(under).await?.wrap(under, key)
    }

    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        self.with(&wrapped.kek_id).await?.unwrap(wrapped)
    }

    /// One that it did not have may have been added since.
    fn is_own(&self, id: &KekId) -> Option<bool> {
        self.keys().ids().any(|known| known == id).then_some(true)
    }
}

/// Makes a file with one fresh key. Whoever comes second, or finds one there, leaves it as it is.
pub fn make(path: &Path, now: Timestamp) -> Result<(), KekFileError> {
    let (id, line) = make_line(now);
    let text = Zeroizing::new([HEADER, &line, "\n"].concat());
    // Written whole under another name, then linked: a crash leaves no half-written key file, and an existing one wins.
    let draft = path.with_extension(format!("{id}.tmp"));
    let mut file = create(&draft)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    fs::remove_file(&draft)?;
    linked?;
    Ok(sync_folder_of(path)?)
}

fn read(path: &Path) -> Result<LocalKeks, KekFileError> {
    let text = read_text(&mut open(OpenOptions::new().read(true), path)?)?;
    Ok(LocalKeks::parse(text.lines())?)
}

fn open(options: &OpenOptions, path: &Path) -> Result<File, KekFileError> {
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KekFileError::Missing),
        opened => Ok(opened?),
    }
}

fn read_text(file: &mut File) -> Result<Zeroizing<String>, KekFileError> {
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o777;
    if is_exposed(mode, metadata.uid(), nix::unistd::geteuid().as_raw()) {
        return Err(KekFileError::Exposed(mode));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// A mounted secret is root's, and its group's for a process that is not root (Kubernetes' `fsGroup`): it couldn't read it else.
fn is_exposed(mode: u32, owner: u32, reader: u32) -> bool {
    mode & if owner == 0 && reader != 0 { 0o037 } else { 0o077 } != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::frozen::{Frozen, bytes, hex, text},
        domain::clock::ManualClock,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

    struct Place {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    /// A file with one key.
    fn place() -> Place {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("kek.keys");
        make(&path, NOW).expect("made");
        Place { folder, path }
    }

    impl Place {
        fn open(&self) -> KekFile {
            KekFile::open(&self.path, Arc::new(ManualClock::new(NOW))).expect("readable")
        }

        fn names(&self) -> usize {
            fs::read_dir(self.folder.path()).expect("folder").count()
        }

        fn mode(&self) -> u32 {
            fs::metadata(&self.path).expect("there").permissions().mode() & 0o777
        }
    }

    #[tokio::test]
    async fn a_made_file_is_private_and_is_never_replaced() {
        let place = place();
        assert_eq!(place.mode(), 0o600);
        let first = place.open().known().await;
        make(&place.path, NOW).expect("left alone");
        assert_eq!(place.open().known().await, first);
        assert_eq!(place.names(), 1, "no draft is left behind");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let place = place();
        fs::set_permissions(&place.path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(read(&place.path), Err(KekFileError::Exposed(0o640))));
        let roots = [0o400, 0o440, 0o640, 0o444, 0o460, 0o450].map(|mode| is_exposed(mode, 0, 65532));
        assert_eq!(roots, [false, false, false, true, true, true], "a mounted secret");
        assert!(
            [(0, 0), (65532, 65532), (1000, 65532)].map(|(owner, reader)| is_exposed(0o440, owner, reader))
                == [true; 3]
        );
    }

    #[test]
    fn frozen_vector() {
        let frozen = Frozen::read().0;
        let vector = &frozen["wrapped_dek"];
        let wrapped = WrappedKey {
            kek_id: text(&vector["kek_id"]).parse().expect("an id"),
            wrapped: bytes(&vector["wrapped"]),
        };
        let keks = LocalKeks::parse(text(&vector["key_file"]).lines()).expect("a key file");
        assert_eq!(hex(&keks.unwrap(&wrapped).expect("unwraps")), frozen["dek"]);
    }

    #[tokio::test]
    async fn a_key_that_is_made_is_the_last_and_another_process_finds_it_when_it_is_named() {
        let place = place();
        let (here, there) = (place.open(), place.open());
        let [first] = &here.known().await.expect("keys")[..] else {
            panic!("one key")
        };
        let second = here.make().await.expect("made");
        assert_eq!(here.known().await, Ok(vec![first.clone(), second.clone()]));
        assert_eq!((place.mode(), place.names()), (0o600, 1));
        let text = fs::read_to_string(&place.path).expect("readable");
        assert!(text.starts_with(HEADER), "comments stay");
        let wrapped = here.wrap(&second, &[7; 32]).await.expect("wraps");
        assert_eq!(there.unwrap(&wrapped).await.expect("read again").as_slice(), [7; 32]);
    }

    #[tokio::test]
    async fn unknown_keys_make_it_read_once_in_a_while_and_whoever_names_one_waits_for_it() {
        let place = place();
        let here = place.open();
        let there = KekFile {
            pause: Duration::from_millis(200),
            ..place.open()
        };
        let made_up: KekId = format!("kek_{}", "0".repeat(26)).parse().expect("an id");
        assert_eq!(
            there.wrap(&made_up, &[1]).await,
            Err(KekError::Unknown(made_up.clone()))
        );
        // Made after the reading: whoever names it waits for the next.
        let made = here.make().await.expect("made");
        let before = there.asked.lock().await.expect("read");
        assert!(there.wrap(&made, &[1]).await.is_ok());
        let after = there.asked.lock().await.expect("read");
        assert!(after - before >= there.pause, "{:?}", after - before);
    }

    #[tokio::test]
    async fn what_is_destroyed_is_gone_and_the_only_key_stays() {
        let place = place();
        let keks = place.open();
        let second = keks.make().await.expect("made");
        let known = keks.known().await.expect("keys");
        let wrapped = keks.wrap(&known[0], &[7; 32]).await.expect("wraps");
        keks.destroy(&known[0]).await.expect("removed");
        keks.destroy(&known[0]).await.expect("gone already");
        assert_eq!(keks.known().await, Ok(vec![second.clone()]));
        assert_eq!(keks.unwrap(&wrapped).await, Err(KekError::Unknown(known[0].clone())));
        assert!(matches!(keks.destroy(&second).await, Err(KekError::Unusable(_))));
        assert!(
            fs::read_to_string(&place.path)
                .expect("readable")
                .contains(second.as_str())
        );
        assert_eq!((place.mode(), place.names()), (0o600, 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_keys_that_many_make_at_once_none_is_lost() {
        let place = place();
        let mut made = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let keks = place.open();
            made.spawn(async move { keks.make().await.expect("made") });
        }
        let mut made = made.join_all().await;
        let known = place.open().known().await.expect("keys");
        assert_eq!(known.len(), 17);
        made.retain(|id| !known.contains(id));
        assert!(made.is_empty(), "{made:?}");
    }

    #[tokio::test]
    async fn what_a_crash_left_is_cleared_and_a_link_stays_a_link() {
        let place = place();
        fs::write(place.folder.path().join("kek.keys.new"), "half").expect("written");
        let link = place.folder.path().join("link");
        std::os::unix::fs::symlink(&place.path, &link).expect("linked");
        let keks = KekFile::open(&link, Arc::new(ManualClock::new(NOW))).expect("readable");
        keks.make().await.expect("made");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(place.open().known().await.expect("keys").len(), 2);
        assert_eq!(place.names(), 2);
    }

    #[tokio::test]
    async fn a_file_that_went_missing_is_said_and_none_is_made() {
        let place = place();
        let keks = place.open();
        let id = keks.known().await.expect("keys").remove(0);
        fs::remove_file(&place.path).expect("removed");
        assert!(matches!(keks.known().await, Err(KekError::Unusable(says)) if says.contains("missing")));
        assert!(matches!(keks.make().await, Err(KekError::Unusable(_))));
        assert!(!place.path.exists());
        assert!(keks.wrap(&id, &[1]).await.is_ok(), "what is known serves on");
    }
}
