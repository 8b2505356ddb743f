//! A generation of the e-mail filter, built as a rebuild builds it, and what took how long.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use sealgate::{
    crypto::{blind_index::Slot, filter_item::filter_items},
    domain::user_type::UserType,
    service::{Core, email_filter},
    storage::{email_filter::EmailFilter as _, redis::RedisFilter},
};
use tokio::time::Instant;

/// Values that are taken in at a time, as a rebuild does.
const PAGE: usize = 10_000;

/// What filling a generation took.
pub(crate) struct Filled {
    items: usize,
    digests: Duration,
    bits: Duration,
    redis: Duration,
}

impl Filled {
    pub(crate) fn print(&self, what: &str) -> anyhow::Result<()> {
        let whole = self.digests + self.bits + self.redis;
        writeln!(
            io::stdout(),
            "\n| a generation of {}, {what} | s |\n|---|---:|\n| keyed digests | {:.2} |\n| bits | {:.2} |\n\
             | Redis: held page by page, written, switched to | {:.2} |\n| together | {:.2} |",
            self.items,
            self.digests.as_secs_f64(),
            self.bits.as_secs_f64(),
            self.redis.as_secs_f64(),
            whole.as_secs_f64(),
        )?;
        Ok(())
    }
}

/// Builds a generation from index values, as a rebuild does, and makes it the current one.
pub(crate) async fn fill(
    core: &Core,
    filter: &RedisFilter,
    user_type: &UserType,
    values: &[Slot],
) -> anyhow::Result<Filled> {
    let (mut digests, mut bits) = (Duration::ZERO, Duration::ZERO);
    let began = Instant::now();
    let keyring = core.keyring.current();
    let mut draft = filter.begin(values.len() as u64, core.clock.now()).await?;
    for page in values.chunks(PAGE) {
        let before = Instant::now();
        let items = filter_items(&keyring, user_type, page)?;
        let between = Instant::now();
        draft.take(&items);
        digests += between - before;
        bits += between.elapsed();
        anyhow::ensure!(draft.hold().await?, "somebody else builds it too");
    }
    anyhow::ensure!(
        draft.finish(&email_filter::basis(core)).await?,
        "somebody else builds it too"
    );
    Ok(Filled {
        items: values.len(),
        digests,
        bits,
        redis: began.elapsed().saturating_sub(digests + bits),
    })
}
