//! What replacing keys costs: all data keys wrapped anew, all accounts sealed anew, and what a client notices of it.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use reqwest::{Client, StatusCode};
use sealgate::{
    app::{Foundation, Server, World},
    config::{Config, Source},
    crypto::{keyring::KeyUse, password_hasher::HashCost},
    domain::{
        clock::{Clock as _, ManualClock, SystemClock},
        ids::WorkerId,
        share::Share,
    },
    http::server::Limits,
    service::{
        Core,
        rotation::{
            self,
            jobs::{Round, round},
            progress::{Progress, Standing, progress},
        },
        token_keys::{PENDING, Versions},
    },
    storage::key_jobs::Stage,
};
use tokio::time::Instant;

use crate::people::{self, PASSWORD, email};

/// Clients that ask for their profile at a time.
const CLIENTS: u64 = 2;
/// How long they ask while nothing else goes on.
const IDLE: Duration = Duration::from_secs(20);
/// A sign-in is not what is measured.
const CHEAP: HashCost = HashCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

/// Prints it, for so many accounts in the stores of the environment.
pub(crate) async fn measure(accounts: u64) -> anyhow::Result<()> {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let mut config: Config = crate::load(Source::from_environment(std::path::Path::new(".")))?;
    config.passwords.cost = CHEAP;
    // The first measure works by itself, the second has the server's worker.
    config.worker.keys_period = Duration::from_hours(1);
    config.worker.key_jobs_period = Duration::from_hours(1);
    config.tokens.reread = Duration::from_millis(500);
    let mut out = io::stdout();

    let foundation = Foundation::open(&config, world(&clock)).await?;
    let began = Instant::now();
    people::insert_whole(&foundation.core, 0..accounts).await?;
    writeln!(
        out,
        "{accounts} accounts with data keys of their own, made in {:.0} s\n\n| work | s | records a second |\n|---|---:|---:|",
        began.elapsed().as_secs_f64()
    )?;
    let took = rewrap(&foundation.core, &clock).await?;
    row(&mut out, "data keys wrapped by another key, share 100", accounts, took)?;
    foundation.close().await;

    config.worker.keys_period = Duration::from_millis(200);
    config.worker.key_jobs_period = Duration::from_millis(200);
    let operator = Foundation::open(&config, world(&clock)).await?;
    let share = config.worker.key_jobs_share;
    let server = Server::start(config, world(&clock), Limits::default()).await?;
    let base = format!("http://{}/{}", server.address, people::user_type()?);
    let quiet = until(&base, async || {
        tokio::time::sleep(IDLE).await;
        Ok(())
    })
    .await?;
    let core = &operator.core;
    rotation::rotate(core, &KeyUse::Dek).await?;
    clock.advance(PENDING);
    wait_for(core, |job| matches!(job.standing, Standing::Waits { .. })).await?;
    // Longer than every process takes to read that it is active.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut took = Duration::ZERO;
    let busy = until(&base, async || {
        let began = Instant::now();
        clock.advance(PENDING);
        wait_for(core, |job| {
            !matches!(
                job.standing,
                Standing::Waits { .. }
                    | Standing::Runs {
                        stage: Stage::Reseal,
                        pass: 1
                    }
            )
        })
        .await?;
        took = began.elapsed();
        Ok(())
    })
    .await?;
    row(
        &mut out,
        &format!("accounts sealed anew beside serving, {share:?}"),
        accounts,
        took,
    )?;
    writeln!(
        out,
        "\n| `GET /User1/`, {CLIENTS} connections | p50 ms | p99 ms | asked |\n|---|---:|---:|---:|"
    )?;
    for (name, times) in [("nothing else goes on", &quiet), ("accounts are sealed anew", &busy)] {
        let [p50, p99] = [0.5, 0.99].map(|part| percentile_ms(times, part));
        writeln!(out, "| {name} | {p50:.3} | {p99:.3} | {} |", times.len())?;
    }
    let [quiet, busy] = [&quiet, &busy].map(|times| percentile_ms(times, 0.99));
    writeln!(out, "\np99 busy beside quiet: {:.2}", busy / quiet)?;
    server.shut_down().await?;
    operator.close().await;
    Ok(())
}

fn world(clock: &Arc<ManualClock>) -> World {
    World {
        clock: Arc::clone(clock) as Arc<_>,
        ..World::default()
    }
}

fn row(out: &mut impl io::Write, what: &str, records: u64, took: Duration) -> anyhow::Result<()> {
    let seconds = took.as_secs_f64();
    let records = f64::from(u32::try_from(records)?);
    writeln!(out, "| {what} | {seconds:.1} | {:.0} |", records / seconds)?;
    Ok(())
}

/// One pass over all data keys, by this process alone.
async fn rewrap(core: &Core, clock: &ManualClock) -> anyhow::Result<Duration> {
    rotation::rotate(core, &KeyUse::Kek).await?;
    clock.advance(PENDING);
    rotation::advance(core).await?;
    core.keys.reread(core).await?;
    clock.advance(PENDING);
    let worker = WorkerId::make(clock.now(), &*core.entropy);
    let is_over = || false;
    let all = Round {
        worker: &worker,
        share: Share::new(100).context("a share")?,
        is_over: &is_over,
    };
    let versions = Versions::read(core).await?;
    let began = Instant::now();
    round(core, &versions, &all).await?;
    let took = began.elapsed();
    let jobs = progress(core).await?;
    anyhow::ensure!(jobs.iter().any(|job| job.changed > 0), "nothing was wrapped: {jobs:?}");
    // Until nothing is left to do, so that the next measure stands alone.
    while !progress(core).await?.iter().all(|job| job.standing == Standing::Done) {
        round(core, &versions, &all).await?;
    }
    Ok(took)
}

/// Until the job of data keys stands so.
async fn wait_for(core: &Core, is_there: impl Fn(&Progress) -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_hours(1);
    let user_type = people::user_type()?;
    while Instant::now() < deadline {
        let jobs = progress(core).await?;
        let mut jobs = jobs
            .iter()
            .filter(|job| job.key_use == "dek" && job.user_type == user_type);
        if jobs.next().is_some_and(&is_there) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the work does not come that far: {:?}", progress(core).await)
}

/// Times of answers to clients that ask for their profile until `work` is done.
async fn until(base: &str, work: impl AsyncFnOnce() -> anyhow::Result<()>) -> anyhow::Result<Vec<Duration>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let client = Client::builder().no_proxy().build()?;
        let form = [
            ("username", email(number)?.expose().to_owned()),
            ("password", PASSWORD.to_owned()),
        ];
        let answer = client.post(format!("{base}/login")).form(&form).send().await?;
        let pair: serde_json::Value = answer.error_for_status()?.json().await?;
        let token = pair["access_token"].as_str().context("a token")?.to_owned();
        let (base, is_over) = (base.to_owned(), Arc::clone(&is_over));
        clients.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let began = Instant::now();
                let answer = client.get(format!("{base}/")).bearer_auth(&token).send().await?;
                let status = answer.status();
                answer.bytes().await?;
                times.push(began.elapsed());
                anyhow::ensure!(status == StatusCode::OK, "the profile answered {status}");
            }
            Ok(times)
        }));
    }
    let done = work().await;
    is_over.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await??);
    }
    done?;
    all.sort_unstable();
    Ok(all)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list"
)]
fn percentile_ms(sorted: &[Duration], part: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1) as f64 * part) as usize;
    sorted.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
}
