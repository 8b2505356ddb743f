//! Two embedded stores, one with many more accounts: what the look-up of a sign-in costs in each, by turns; and the
//! e-mail filter rebuilt from the larger.

use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use sealgate::{
    app::{Foundation, World},
    config::{Config, Source},
    crypto::{blind_index::Slot, keyring::KeyUse, password_hasher::HashCost},
    domain::{device::Device, password::Password, private::Private, user_type::UserType},
    service::{
        email_filter,
        sign_in::{SignIn, sign_in},
    },
    storage::{email_filter::EmailFilter as _, redis::FilterOptions},
};
use tokio::time::Instant;

use crate::{
    fill::fill,
    filter,
    people::{self, PASSWORD, candidates, email, scattered},
    servers,
    spread::Spread,
};

/// Look-ups in each store, and sign-ins.
const LOOK_UPS: u64 = 20_000;
const SIGN_INS: u64 = 4_000;
/// What goes before them uncounted.
const WARM_UP: u64 = 2_000;
/// Index values of a page, as a rebuild asks for them.
const PAGE: u32 = 10_000;
/// A password hash that hides nothing behind its own time.
const CHEAP: HashCost = HashCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

/// Prints it, with stores under `folder` that are filled where they are new. The filter is rebuilt in the Redis of the
/// environment.
pub(crate) async fn measure(folder: &Path, sizes: [u64; 2]) -> anyhow::Result<()> {
    // Whether they are there is known before minutes are spent.
    servers::config()?;
    let user_type = people::user_type()?;
    let mut out = io::stdout();
    let mut populations = Vec::new();
    for size in sizes {
        populations.push(Population::open(folder, size, &user_type).await?);
    }
    for population in &populations {
        writeln!(out, "{} accounts: {}", population.size, population.filled)?;
    }
    writeln!(
        out,
        "\n| median (p10 to p90) | {} accounts | {} accounts | apart |",
        sizes[0], sizes[1]
    )?;
    writeln!(out, "|---|---:|---:|---:|")?;
    let look_ups = by_turns(&populations, LOOK_UPS, async |population, number| {
        population.look_up(&user_type, number).await
    })
    .await?;
    print("blind index and `find_by_email`", look_ups)?;
    let sign_ins = by_turns(&populations, SIGN_INS, async |population, number| {
        population.sign_in(&user_type, number).await
    })
    .await?;
    print("whole sign-in, with an Argon2id of 8 KiB", sign_ins)?;
    if let Some(larger) = populations.pop() {
        larger.rebuild(&user_type).await?;
    }
    for population in populations {
        population.foundation.close().await;
    }
    Ok(())
}

/// Times of `work` in each population, by turns, and each as often first.
async fn by_turns(
    populations: &[Population],
    count: u64,
    work: impl AsyncFn(&Population, u64) -> anyhow::Result<Duration>,
) -> anyhow::Result<[Spread; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..WARM_UP.min(count) + count {
        let turns: [usize; 2] = if round.is_multiple_of(2) { [0, 1] } else { [1, 0] };
        for turn in turns {
            let took = work(&populations[turn], scattered(round)).await?;
            if round >= WARM_UP.min(count) {
                times[turn].push(took);
            }
        }
    }
    Ok(times.map(Spread::of))
}

fn print(what: &str, [small, large]: [Spread; 2]) -> anyhow::Result<()> {
    let apart = large.median.as_secs_f64() / small.median.as_secs_f64();
    writeln!(io::stdout(), "| {what} | {small} | {large} | {apart:.3} |")?;
    Ok(())
}

struct Population {
    foundation: Foundation,
    size: u64,
    filled: String,
}

impl Population {
    async fn open(folder: &Path, size: u64, user_type: &UserType) -> anyhow::Result<Self> {
        let data = folder.join(format!("{size}-accounts"));
        let data = data.to_str().context("a folder whose name is UTF-8")?;
        let pairs = [
            ("DATA_DIR".to_owned(), data.to_owned()),
            ("KEK_FILE".to_owned(), format!("{data}/kek.keys")),
        ];
        let mut config: Config = crate::load(Ok(Source::from_pairs(pairs)))?;
        config.passwords.cost = CHEAP;
        let foundation = Foundation::open(&config, World::default()).await?;
        let core = &foundation.core;
        let began = Instant::now();
        let filled = if core.stores.accounts.has_none(user_type).await? {
            people::insert(core, 0..size).await?;
            let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(size)?);
            format!("made in {:.0} s, {each:.0} µs each", began.elapsed().as_secs_f64())
        } else {
            "there already".to_owned()
        };
        let last = candidates(&core.keyring.current(), user_type, &email(size - 1)?)?;
        let found = core.stores.accounts.find_by_email(user_type, &last).await?;
        anyhow::ensure!(found.is_some(), "{data} was not filled to the end: remove it");
        Ok(Self {
            foundation,
            size,
            filled,
        })
    }

    async fn look_up(&self, user_type: &UserType, number: u64) -> anyhow::Result<Duration> {
        let core = &self.foundation.core;
        let email = email(number % self.size)?;
        let began = Instant::now();
        let candidates = candidates(&core.keyring.current(), user_type, &email)?;
        let found = core.stores.accounts.find_by_email(user_type, &candidates).await?;
        let took = began.elapsed();
        anyhow::ensure!(found.is_some(), "somebody is missing");
        Ok(took)
    }

    async fn sign_in(&self, user_type: &UserType, number: u64) -> anyhow::Result<Duration> {
        let attempt = SignIn {
            identifier: Private::new(email(number % self.size)?.expose().to_owned()),
            password: Password::for_check(PASSWORD.to_owned())?,
            remember: false,
            device: Device::default(),
        };
        let began = Instant::now();
        sign_in(&self.foundation.core, user_type, attempt).await?;
        Ok(began.elapsed())
    }

    /// Scan and fill apart, then the service's own rebuild as a whole.
    async fn rebuild(mut self, user_type: &UserType) -> anyhow::Result<()> {
        let config = servers::config()?;
        let stores = servers::production(&config)?;
        let options = FilterOptions {
            capacity: self.size,
            false_positive_rate: stores.redis.filter.false_positive_rate,
            ..FilterOptions::default()
        };
        let filter = filter::open(stores, &self.foundation.core, options).await?;
        let core = &self.foundation.core;
        let slot = core
            .keyring
            .current()
            .active(&KeyUse::Index(user_type.clone()))?
            .version
            % 2;
        let began = Instant::now();
        let mut values: Vec<Slot> = Vec::new();
        loop {
            let page = core
                .stores
                .accounts
                .email_values(user_type, u8::try_from(slot)?, values.last(), PAGE);
            let page = page.await?;
            if page.is_empty() {
                break;
            }
            values.extend(page);
        }
        let scanned = began.elapsed();
        anyhow::ensure!(values.len() as u64 == self.size, "{} values were found", values.len());
        let filled = fill(core, &filter, user_type, &values).await?;
        drop(values);
        filled.print("filled with what a scan found")?;
        let core = Arc::get_mut(&mut self.foundation.core).context("nothing else has it yet")?;
        core.filter = filter.clone();
        let began = Instant::now();
        let rebuilt = email_filter::rebuild(core).await?;
        let whole = began.elapsed();
        let status = filter.status().await?.context("a generation")?;
        writeln!(
            io::stdout(),
            "\n| the filter rebuilt from the embedded store | s |\n|---|---:|\n| scan of {} index values alone | {:.2} |\n\
             | the service's rebuild of {}, whole | {:.2} |\n\nof the bits {:.1} % are set",
            self.size,
            scanned.as_secs_f64(),
            rebuilt.items,
            whole.as_secs_f64(),
            status.fill() * 100.0,
        )?;
        self.foundation.close().await;
        Ok(())
    }
}
