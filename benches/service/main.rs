//! The service as `scripts/bench` measures it: with a bare route beside it, in the same process and behind the same
//! listener's code, so that figures compare. Never part of the product.
//!
//! - `serve` prints the service's address, then the bare route's, and serves until it is told to end.
//! - `argon2 SECONDS` hashes passwords on every core, with the parameters of the service, and prints how many it made per
//!   second.
//! - `servers` names the production stores that the environment names; `forget` removes what was put into them.
//! - `filter ITEMS ACCOUNTS` measures the e-mail filter on them.
//! - `strangers TRIES` measures whether the time of an answer tells which addresses have accounts.
//! - `keys ACCOUNTS` measures what replacing keys costs, on the stores of the environment.
//! - `look-ups FOLDER SMALL LARGE` compares two embedded stores of so many accounts, and rebuilds the filter from the larger.

mod fill;
mod filter;
mod keys;
mod look_ups;
mod people;
mod servers;
mod spread;
mod strangers;

use std::{
    hint::black_box,
    io::{self, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use argon2::{Algorithm, Argon2, Params, Version};
use poem::{EndpointExt as _, Route, endpoint::make_sync};
use sealgate::{
    app::{Server, World},
    config::{Config, ConfigProblem, Source},
    http::server::{Limits, serve},
    process,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => run(both()),
        ["servers"] => run(servers::name()),
        ["forget"] => run(servers::forget()),
        ["filter", items, accounts] => run(filter::measure(items.parse()?, accounts.parse()?)),
        ["strangers", tries] => run(strangers::measure(tries.parse()?)),
        ["keys", accounts] => run(keys::measure(accounts.parse()?)),
        ["look-ups", folder, small, large] => {
            run(look_ups::measure(Path::new(folder), [small.parse()?, large.parse()?]))
        }
        // As any program has it: what the service does to its process is left out.
        ["argon2", seconds] => hash_for(Duration::from_secs(seconds.parse()?)),
        _ => anyhow::bail!(
            "usage: serve | argon2 SECONDS | servers | forget | filter ITEMS ACCOUNTS | strangers TRIES | keys ACCOUNTS | look-ups FOLDER SMALL LARGE"
        ),
    }
}

/// As the product's binaries run.
fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    process::prepare();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work)
}

fn load(source: Result<Source, ConfigProblem>) -> anyhow::Result<Config> {
    source
        .map_err(|problem| vec![problem])
        .and_then(|source| Config::load(&source))
        .map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

async fn both() -> anyhow::Result<()> {
    let config = load(Source::from_environment(Path::new(".")))?;
    let _logs = process::start_logs(&config.logs, "bench-service");
    let bare = TcpListener::bind("127.0.0.1:0").await?;
    let bare_address = bare.local_addr()?;
    let route = Route::new()
        .at("/", make_sync(|_| "{\"status\":\"alive\"}"))
        .map_to_response();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(bare, route, Limits::default(), None, stop.clone()));
    let server = Server::start(config, World::default(), Limits::default()).await?;
    let mut out = io::stdout();
    writeln!(out, "http://{}\nhttp://{bare_address}", server.address)?;
    out.flush()?;
    server
        .run_until(async {
            let _ = process::stop_signal().await;
        })
        .await?;
    stop.cancel();
    serving.await?.context("the bare route")
}

#[expect(clippy::disallowed_methods, reason = "how long it really takes is what is asked")]
fn hash_for(time: Duration) -> anyhow::Result<()> {
    let cores = thread::available_parallelism()?;
    let params = Params::new(19_456, 2, 1, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let began = Instant::now();
    let loops: Vec<_> = (0..cores.get())
        .map(|_| {
            let params = params.clone();
            thread::spawn(move || {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let (mut made, mut hash) = (0_u32, [0; 32]);
                while began.elapsed() < time {
                    let salt = [7; 16];
                    if argon2
                        .hash_password_into(black_box(b"SecureP@ssw0rd123!"), &salt, &mut hash)
                        .is_ok()
                    {
                        made += 1;
                    }
                    black_box(hash);
                }
                made
            })
        })
        .collect();
    let made: u32 = loops.into_iter().filter_map(|one| one.join().ok()).sum();
    writeln!(io::stdout(), "{:.1}", f64::from(made) / began.elapsed().as_secs_f64())?;
    Ok(())
}
