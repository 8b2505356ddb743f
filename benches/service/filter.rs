//! The e-mail filter beside the database: the copy's "no" and the look-up that it saves by turns, memory against theory.

use std::{
    fs,
    hint::black_box,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use mongodb::{
    bson::{Binary, RawDocumentBuf, doc, spec::BinarySubtype},
    options::ClientOptions,
};
use sealgate::config::stores::ProductionStores;
use sealgate::{
    app::{Foundation, World},
    crypto::{
        blind_index::{Candidate, Slot},
        filter_item::{FilterItem, filter_items, filter_seed},
        keyring::KeyUse,
        system_entropy::SystemEntropy,
    },
    domain::{email::Email, user_type::UserType},
    service::Core,
    storage::{
        email_filter::{EmailFilter as _, Lookup},
        redis::{self, FilterOptions, RedisFilter, RedisOptions},
    },
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    fill::fill,
    people::{self, candidates, email, scattered, stranger},
    servers,
    spread::Spread,
};

/// Rounds, each with one look-up of each kind and so many of the copy, which are too quick to be timed one by one.
const ROUNDS: u64 = 2_000;
const BATCH: u64 = 500;
/// Rounds that go before them uncounted.
const WARM_UP: u64 = 1_000;
/// Servers of which each has a copy: one alone would drown in what the allocator keeps of reading it.
const COPIES: u32 = 16;
/// Those before them, which are not counted: what the allocator keeps is a process's, and not a copy's.
const COPIES_BEFORE: u32 = 8;
/// For the allocator to give back what reading took.
const SETTLED: Duration = Duration::from_secs(2);
/// For a copy to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prints it for a filter with `items` addresses, of which `accounts` are in the database.
pub(crate) async fn measure(items: u64, accounts: u64) -> anyhow::Result<()> {
    anyhow::ensure!(
        (1..=items).contains(&accounts),
        "every account is in the filter, and there is one"
    );
    let config = servers::config()?;
    let stores = servers::production(&config)?;
    let foundation = Foundation::open(&config, World::default()).await?;
    let core = Arc::clone(&foundation.core);
    people::insert(&core, 0..accounts).await?;
    let user_type = people::user_type()?;
    let keyring = core.keyring.current();
    let values: Vec<Slot> = (0..items)
        .map(|number| Ok(active_value(&core, &candidates(&keyring, &user_type, &email(number)?)?)?.clone()))
        .collect::<anyhow::Result<_>>()?;

    let stop = CancellationToken::new();
    let options = FilterOptions {
        capacity: items,
        false_positive_rate: stores.redis.filter.false_positive_rate,
        ..FilterOptions::default()
    };
    let filter = open(stores, &core, options).await?;
    let filled = fill(&core, &filter, &user_type, &values).await?;
    drop(values);
    let bench = Bench { core, user_type, stop };
    bench.follow(&filter).await?;
    bench.compare(stores, &filter, accounts).await?;
    bench.weigh(stores, options).await?;
    filled.print("filled with index values that are in memory")?;
    bench.stop.cancel();
    drop(bench);
    foundation.close().await;
    Ok(())
}

/// A server's filter; says "maybe" until it is followed.
pub(crate) async fn open(
    stores: &ProductionStores,
    core: &Core,
    options: FilterOptions,
) -> anyhow::Result<Arc<RedisFilter>> {
    let shared = redis::open(&RedisOptions {
        url: sealgate::domain::private::Private::new(stores.redis.url.expose().to_owned()),
        authority: stores.redis.authority.clone(),
        prefix: stores.redis.prefix.clone(),
    })
    .await?;
    let seed = filter_seed(&core.keyring.current())?;
    Ok(Arc::new(shared.email_filter(seed, options, Arc::new(SystemEntropy))))
}

/// Of what a look-up asks for, what new accounts are written with.
pub(crate) fn active_value<'c>(core: &Core, candidates: &'c [Candidate]) -> anyhow::Result<&'c Slot> {
    let keyring = core.keyring.current();
    let slot = keyring.active(&KeyUse::Index(people::user_type()?))?.version % 2;
    let candidate = candidates.iter().find(|candidate| u16::from(candidate.slot) == slot);
    Ok(&candidate.context("a value")?.value)
}

struct Bench {
    core: Arc<Core>,
    user_type: UserType,
    stop: CancellationToken,
}

impl Bench {
    /// Keeps the copy, and waits until it says "no".
    async fn follow(&self, filter: &Arc<RedisFilter>) -> anyhow::Result<()> {
        let (following, stop) = (Arc::clone(filter), self.stop.clone());
        tokio::spawn(async move { following.follow(stop).await });
        let deadline = Instant::now() + PATIENCE;
        // One of them may be a false positive.
        let asked = [self.question(&stranger(0)?)?, self.question(&stranger(1)?)?];
        while !asked.iter().any(|question| question.is_denied(filter)) {
            anyhow::ensure!(Instant::now() < deadline, "the copy does not come to say \"no\"");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn question(&self, email: &Email) -> anyhow::Result<Question> {
        let keyring = self.core.keyring.current();
        let candidates = candidates(&keyring, &self.user_type, email)?;
        let values = candidates.iter().map(|candidate| &candidate.value);
        let index = KeyUse::Index(self.user_type.clone());
        Ok(Question {
            items: filter_items(&keyring, &self.user_type, values)?,
            versions: keyring.all_readable(&index).map(|key| key.version).collect(),
            user_type: self.user_type.clone(),
            candidates,
        })
    }

    async fn compare(&self, stores: &ProductionStores, filter: &RedisFilter, accounts: u64) -> anyhow::Result<()> {
        // As the store's own client has it: one more connection to the same server.
        let mut options = ClientOptions::parse(stores.mongo.url.expose()).await?;
        options.max_pool_size = Some(1);
        let admin = mongodb::Client::with_options(options)?.database("admin");
        let mut redis = servers::redis(stores).await?;
        // The port also asks for the user type, which no index of a collection of one user type holds: a `mongod` compares
        // it in the record that the slot's index found, mongo-java-server reads the whole collection.
        let slot_alone = admin
            .client()
            .database(&stores.mongo.database)
            .collection::<RawDocumentBuf>(&format!("accounts_{}", self.user_type));
        let find = async |question: &Question, is_there: bool| {
            let began = Instant::now();
            let accounts = &self.core.stores.accounts;
            let found = accounts.find_by_email(&self.user_type, &question.candidates).await?;
            let took = began.elapsed();
            anyhow::ensure!(found.is_some() == is_there, "the database found something else");
            Ok(took)
        };
        let (mut nos, mut checks, mut maybes) = (Vec::new(), Vec::new(), 0_u64);
        let mut trips = [const { Vec::new() }; 5];
        for round in 0..WARM_UP + ROUNDS {
            let questions: Vec<_> = (0..BATCH)
                .map(|number| self.question(&stranger(round * BATCH + number)?))
                .collect::<anyhow::Result<_>>()?;
            // All that sign-in does to be told "no", once the address is its blind index.
            let began = Instant::now();
            for question in &questions {
                let keyring = self.core.keyring.current();
                let values = question.candidates.iter().map(|candidate| &candidate.value);
                let items = filter_items(&keyring, &self.user_type, values)?;
                black_box(question.is_denied_as(filter, &items));
            }
            let no = began.elapsed() / u32::try_from(BATCH)?;
            let began = Instant::now();
            let mut denied = 0;
            for question in &questions {
                denied += u64::from(black_box(question.is_denied(filter)));
            }
            let check = began.elapsed() / u32::try_from(BATCH)?;
            let known = self.question(&email(scattered(round) % accounts)?)?;
            // The first after the busy loop wakes everybody up: each is it as often.
            let mut took = [Duration::ZERO; 5];
            for turn in 0..5 {
                let trip = usize::try_from((round + turn) % 5)?;
                took[trip] = match trip {
                    0 => find(&questions[0], false).await?,
                    1 => find(&known, true).await?,
                    2 => {
                        let began = Instant::now();
                        admin.run_command(doc! { "ping": 1 }).await?;
                        began.elapsed()
                    }
                    3 => {
                        let value = active_value(&self.core, &questions[1].candidates)?.as_bytes().to_vec();
                        let slot = questions[1].candidates[0].slot;
                        let bytes = Binary {
                            subtype: BinarySubtype::Generic,
                            bytes: value,
                        };
                        let began = Instant::now();
                        let found = slot_alone.find_one(doc! { format!("email_ix_{slot}"): bytes }).await?;
                        let took = began.elapsed();
                        anyhow::ensure!(found.is_none(), "the database found a stranger");
                        took
                    }
                    _ => {
                        let began = Instant::now();
                        let () = ::redis::cmd("PING").exec_async(&mut redis).await?;
                        began.elapsed()
                    }
                };
            }
            if round >= WARM_UP {
                nos.push(no);
                checks.push(check);
                maybes += BATCH - denied;
                for (times, took) in trips.iter_mut().zip(took) {
                    times.push(took);
                }
            }
        }
        print_comparison(Spread::of(nos), Spread::of(checks), trips.map(Spread::of), maybes)
    }

    /// What a generation and its copies take, against what a Bloom filter must.
    async fn weigh(&self, stores: &ProductionStores, options: FilterOptions) -> anyhow::Result<()> {
        let mut redis = servers::redis(stores).await?;
        let mut usage = 0_u64;
        for key in servers::keys(stores).await? {
            if key.starts_with(&format!("{}f:", stores.redis.prefix)) {
                let mut command = ::redis::cmd("MEMORY");
                let command = command.arg("USAGE").arg(key).arg("SAMPLES").arg(0);
                usage += command.query_async::<Option<u64>>(&mut redis).await?.unwrap_or(0);
            }
        }
        let (mut copies, mut before) = (Vec::new(), 0);
        for count in 0..COPIES_BEFORE + COPIES {
            if count == COPIES_BEFORE {
                sleep(SETTLED).await;
                before = resident_bytes()?;
            }
            let copy = open(stores, &self.core, options).await?;
            self.follow(&copy).await?;
            copies.push(copy);
        }
        sleep(SETTLED).await;
        let copy = resident_bytes()?.saturating_sub(before) / u64::from(COPIES);
        drop(copies);
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let (theory, usage, copy) = (
            options.capacity as f64 * -options.false_positive_rate.ln() / f64::ln(2.0).powi(2) / 8.0,
            usage as f64,
            copy as f64,
        );
        let rate = options.false_positive_rate * 100.0;
        let mut out = io::stdout();
        writeln!(
            out,
            "\n| {} addresses at {rate} % | bytes | of theory |\n|---|---:|---:|",
            options.capacity
        )?;
        for (what, bytes) in [
            ("theory: n · log2(1/p) / ln 2 bits", theory),
            ("Redis, MEMORY USAGE of every key of the filter", usage),
            (
                "a copy: resident growth by each of sixteen more servers in one process",
                copy,
            ),
        ] {
            writeln!(out, "| {what} | {bytes:.0} | {:.3} |", bytes / theory)?;
        }
        Ok(())
    }
}

fn print_comparison(no: Spread, check: Spread, trips: [Spread; 5], maybes: u64) -> anyhow::Result<()> {
    let [unknown, known, ping, indexed, redis_ping] = trips;
    let database = indexed.median.saturating_sub(ping.median);
    let mut out = io::stdout();
    writeln!(out, "| one look-up of an address, median (p10 to p90) | |\n|---|---:|")?;
    for (what, spread) in [
        ("\"no\" of the copy, from the keyed digest on", check),
        ("\"no\" of the copy, with the keyed digest", no),
        (
            "an unknown address in the database, by the slot's unique index alone",
            indexed,
        ),
        ("the same through the port", unknown),
        ("a known one through the port", known),
        ("the database's ping", ping),
        ("Redis's ping", redis_ping),
    ] {
        writeln!(out, "| {what} | {spread} |")?;
    }
    writeln!(
        out,
        "\n| the time by index / the copy's | from the keyed digest on | with it |\n|---|---:|---:|"
    )?;
    for (what, time) in [("whole", indexed.median), ("without the ping's", database)] {
        writeln!(
            out,
            "| {what} | {:.0} | {:.0} |",
            time.as_secs_f64() / check.median.as_secs_f64(),
            time.as_secs_f64() / no.median.as_secs_f64(),
        )?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of a few digits")]
    let share = maybes as f64 / (ROUNDS * BATCH) as f64 * 100.0;
    writeln!(
        out,
        "\n{maybes} of {} strangers were a \"maybe\": {share:.3} %",
        ROUNDS * BATCH
    )?;
    Ok(())
}

struct Question {
    user_type: UserType,
    candidates: Vec<Candidate>,
    versions: Vec<u16>,
    items: Vec<FilterItem>,
}

impl Question {
    fn is_denied(&self, filter: &RedisFilter) -> bool {
        self.is_denied_as(filter, &self.items)
    }

    fn is_denied_as(&self, filter: &RedisFilter, items: &[FilterItem]) -> bool {
        filter.has_none_of(Lookup {
            user_type: &self.user_type,
            versions: &self.versions,
            items,
        })
    }
}

fn resident_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.context("no VmRSS")?.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
