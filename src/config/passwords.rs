//! What a password hash costs, how many are computed at once, and which passwords nobody may choose.

use std::{num::NonZeroUsize, path::PathBuf, thread::available_parallelism};

use crate::{config::source::Reader, crypto::password_hasher::HashCost};

/// Settings of the hashing pool, and of the list of breached passwords.
#[derive(Clone, Debug)]
pub struct PasswordsConfig {
    /// Of one hash.
    pub cost: HashCost,
    /// Hashes at a time.
    pub pool: usize,
    /// More that may wait.
    pub queue: usize,
    /// What `sealgate filter breached build` made.
    pub breached_file: Option<PathBuf>,
}

impl PasswordsConfig {
    pub(in crate::config) fn read(reader: &mut Reader<'_>) -> Self {
        let least = HashCost::MINIMUM;
        let cost = HashCost {
            memory_kib: reader.parse("ARGON2_MEMORY_KIB", least.memory_kib, "Write a number of KiB"),
            passes: reader.parse("ARGON2_PASSES", least.passes, "Write a number of passes"),
            lanes: least.lanes,
        };
        if !cost.is_enough() {
            let name = if cost.memory_kib < least.memory_kib {
                "ARGON2_MEMORY_KIB"
            } else {
                "ARGON2_PASSES"
            };
            let mend = format!("Write at least {} KiB and {} passes", least.memory_kib, least.passes);
            reader.report(name, "is weaker than the accepted minimum", mend);
        }
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let pool = reader.parse("PASSWORD_POOL", cores, "Write a number of hashes at a time");
        let queue = reader.parse("PASSWORD_QUEUE", cores * 16, "Write a number of hashes that may wait");
        if pool == 0 {
            reader.report(
                "PASSWORD_POOL",
                "is zero",
                "Write at least 1, or unset it to use the number of cores",
            );
        }
        Self {
            cost,
            pool: pool.max(1),
            queue,
            breached_file: reader.text("BREACHED_PASSWORDS_FILE").map(PathBuf::from),
        }
    }
}
