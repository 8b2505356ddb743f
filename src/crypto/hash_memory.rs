//! The memory that password hashes fill, kept from one hash to the next.
//!
//! Fresh memory costs a hash a tenth of its time: the system hands it out page by page, and it is cleared first. Each
//! hash overwrites all of it. What nobody used for a moment is wiped and given back, so that an idle service holds none.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use argon2::Block;
use zeroize::Zeroize as _;

/// How long memory is kept that nobody uses.
const PATIENCE: Duration = Duration::from_secs(2);

/// As much memory as hashes ran at once. Cheap to clone.
#[derive(Clone)]
pub(in crate::crypto) struct HashMemory {
    kept: Arc<Mutex<Kept>>,
    patience: Duration,
}

impl Default for HashMemory {
    fn default() -> Self {
        let (kept, patience) = (Arc::default(), PATIENCE);
        Self { kept, patience }
    }
}

#[derive(Default)]
struct Kept {
    free: Vec<Vec<Block>>,
    /// Counts hashes, so that the one who gives back sees whether there were any.
    uses: u64,
    is_watched: bool,
}

impl HashMemory {
    /// Runs `work` with `blocks` of memory, in which anything may stand.
    pub(in crate::crypto) fn with<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let mut memory = self.kept().free.pop().unwrap_or_default();
        if memory.len() < blocks {
            wipe(&mut memory);
            memory = in_huge_pages(|| vec![Block::new(); blocks]);
        }
        let done = work(&mut memory[..blocks]);
        {
            let mut kept = self.kept();
            kept.free.push(memory);
            kept.uses += 1;
        }
        self.watch();
        done
    }

    /// Sees to it that what is free is given back once nobody used any of it for a while.
    fn watch(&self) {
        // Outside the run time there are tests and benches alone.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if std::mem::replace(&mut self.kept().is_watched, true) {
            return;
        }
        let memory = self.clone();
        runtime.spawn(async move {
            let mut seen = memory.kept().uses;
            loop {
                tokio::time::sleep(memory.patience).await;
                if memory.give_back(&mut seen) {
                    return;
                }
            }
        });
    }

    /// Wipes and gives back what is free, unless it was used since `seen`; whether it did.
    fn give_back(&self, seen: &mut u64) -> bool {
        let mut free = {
            let mut kept = self.kept();
            if kept.uses != *seen {
                *seen = kept.uses;
                return false;
            }
            kept.is_watched = false;
            std::mem::take(&mut kept.free)
        };
        for memory in &mut free {
            wipe(memory);
        }
        true
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes memory with huge pages allowed, which the process else does without: Argon2 jumps about in all of it, and takes a
/// fifth longer where each jump is looked up in a table of small pages.
#[cfg(target_os = "linux")]
fn in_huge_pages<T>(take: impl FnOnce() -> T) -> T {
    use nix::sys::prctl::{get_thp_disable, set_thp_disable};
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if get_thp_disable() != Ok(true) || set_thp_disable(false).is_err() {
        return take();
    }
    // Pages that are there by now stay.
    let taken = take();
    let _ = set_thp_disable(true);
    taken
}

#[cfg(not(target_os = "linux"))]
fn in_huge_pages<T>(take: impl FnOnce() -> T) -> T {
    take()
}

fn wipe(memory: &mut [Block]) {
    for block in memory {
        block.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_given_back_only_once_it_was_not() {
        let memory = HashMemory::default();
        let place = |blocks| memory.with(blocks, |blocks| (blocks.as_ptr(), blocks.len()));
        let first = place(8);
        assert_eq!(place(8), first);
        assert_eq!(place(4), (first.0, 4), "less of the same");
        assert_eq!(place(16).1, 16, "more takes more");
        assert_eq!(memory.kept().free.len(), 1);

        let mut seen = 0;
        assert!(!memory.give_back(&mut seen), "used since");
        assert!(memory.give_back(&mut seen));
        assert!(memory.kept().free.is_empty());
    }

    #[tokio::test]
    async fn idle_memory_goes_by_itself_each_time() {
        let memory = HashMemory {
            patience: Duration::from_millis(1),
            ..HashMemory::default()
        };
        for _ in 0..2 {
            memory.with(8, |_| ());
            let gone = async {
                while memory.kept().is_watched || !memory.kept().free.is_empty() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), gone).await.expect("goes");
        }
    }
}
