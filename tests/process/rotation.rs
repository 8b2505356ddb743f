//! New data keys for everybody, by real workers: killed again and again, and two at a time.
//!
//! A process's clock can't be moved. What it would take is written as if it had passed: the key is made by an operator an
//! hour ago, and a job's rest, and a killed worker's lease, are over at once.

use std::{fs, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use sealgate::{
    app::{Foundation, World},
    config::{Config, Source},
    crypto::keyring::{KeyState, KeyUse},
    domain::{
        clock::{Clock as _, ManualClock, SystemClock, Timestamp},
        ids::AccountId,
        user_type::UserType,
    },
    service::{Core, rotation},
    storage::{
        Change, Ref, change,
        key_jobs::{KeyJobRecord, Stage},
    },
};
use serde_json::json;

use crate::{
    import::{err, out, vectors},
    installation::{Installation, Worker},
    stores::SharedStores,
    waiting::eventually,
};

/// More than a page, so that a worker that takes a hundredth of its time is in the middle for long.
const ACCOUNTS: usize = 120;
const PATIENCE: Duration = Duration::from_mins(1);

fn user1() -> UserType {
    "User1".parse().expect("valid")
}

/// Accounts whose data keys are to be replaced, and a look at the stores.
struct Scene<'s> {
    installation: &'s Installation,
    settings: Vec<(&'s str, &'s str)>,
    operator: Foundation,
    password: String,
}

impl<'s> Scene<'s> {
    async fn set(installation: &'s Installation, settings: Vec<(&'s str, &'s str)>) -> Self {
        let settings = [settings, vec![("USER_TYPES", "User1"), ("WORKER", "off")]].concat();
        let vectors = vectors();
        let hashes = vectors["password_hashes"].as_array().expect("a list");
        let cheap = hashes.iter().find(|hash| hash["kind"] == "argon2id").expect("one");
        let line = |n: usize| {
            json!({ "id": format!("person-{n:03}"), "email": email(n), "first_name": "Ada", "last_name": "O'Brien",
                "phone": "+14155550123", "password_hash": cheap["hash"], "is_email_verified": true })
        };
        let lines: Vec<String> = (0..ACCOUNTS).map(|n| line(n).to_string()).collect();
        let file = installation.path().join("accounts.jsonl");
        fs::write(&file, lines.join("\n")).expect("written");
        let file = file.to_str().expect("plain");
        let imported = installation.run(&["import", "accounts", file, "--type", "User1"], &settings);
        assert!(imported.status.success(), "{}{}", out(&imported), err(&imported));

        let whole = |name: &str, path: &str| {
            (
                name.to_owned(),
                installation.path().join(path).to_string_lossy().into_owned(),
            )
        };
        let pairs = settings.iter().map(|(name, value)| match *name {
            "KEK_FILE" => whole(name, value),
            _ => ((*name).to_owned(), (*value).to_owned()),
        });
        let own = [whole("DATA_DIR", "data")];
        let config = Config::load(&Source::from_pairs(own.into_iter().chain(pairs))).expect("valid");
        let clock = Arc::new(ManualClock::new(SystemClock.now().minus(Duration::from_hours(1))));
        let world = World {
            clock: Arc::clone(&clock) as Arc<_>,
            ..World::default()
        };
        let operator = Foundation::open(&config, world).await.expect("opens");
        let core = &operator.core;
        rotation::rotate(core, &KeyUse::Dek).await.expect("made");
        clock.advance(Duration::from_mins(3));
        rotation::advance(core).await.expect("answers");
        assert_eq!(states(core).await, [KeyState::VerifyOnly, KeyState::Active]);
        Self {
            installation,
            settings,
            operator,
            password: cheap["password"].as_str().expect("text").to_owned(),
        }
    }

    fn core(&self) -> &Core {
        &self.operator.core
    }

    async fn work(&self, share: &str) -> Worker {
        let settings = [&self.settings[..], &[("KEY_JOBS_SHARE", share)]].concat();
        self.installation.work(&settings).await
    }

    async fn job(&self) -> Option<KeyJobRecord> {
        let id = sealgate::domain::ids::KeyJobId::of("dek", 2, &user1());
        let job = self.core().stores.key_jobs.find(&Ref::new(&user1(), id)).await;
        job.expect("answers")
    }

    /// The rest of the job is over, and so is the lease of whoever was killed.
    async fn let_time_pass(&self, is_killed: bool) {
        let Some(job) = self.job().await else { return };
        let key = Ref::new(&user1(), job.id);
        let passed = change(&*self.core().stores.key_jobs, &key, |job: &mut KeyJobRecord| {
            job.rests_until = Timestamp::from_millis(0);
            if let Some(lease) = job.lease.as_mut().filter(|_| is_killed) {
                lease.until = Timestamp::from_millis(0);
            }
            Change::Store(())
        });
        passed.await.expect("answers");
    }

    /// Generation, number of keys and changes of the n-th account's data keys.
    async fn data_keys(&self, n: usize) -> (u16, usize, u64) {
        let key = Ref::new(&user1(), id(n));
        let record = self
            .core()
            .stores
            .deks
            .find(&key)
            .await
            .expect("answers")
            .expect("keys");
        (record.generation, record.deks.len(), record.rev)
    }

    async fn changes_of_account(&self, n: usize) -> u64 {
        let account = self.core().stores.accounts.find(&Ref::new(&user1(), id(n))).await;
        account.expect("answers").expect("an account").rev
    }

    /// Everybody has the new data key alone, the old generation retires, and what every record holds opens.
    async fn is_complete(&self) {
        for n in 0..ACCOUNTS {
            let (generation, keys, _) = self.data_keys(n).await;
            assert_eq!((generation, keys), (2, 1), "{n}");
        }
        rotation::advance(self.core()).await.expect("answers");
        assert_eq!(states(self.core()).await, [KeyState::Retired, KeyState::Active]);
        let looked = self.installation.run(&["doctor", "--records"], &self.settings);
        assert!(looked.status.success(), "{}{}", out(&looked), err(&looked));
        let server = self.installation.serve(&self.settings).await;
        let sign_in = |n: usize| {
            let (client, password) = (&server.client, &self.password);
            async move {
                let session = client.try_login_with("User1", &email(n), password).await.expect(200);
                let profile = client
                    .profile("User1", &session.member("access_token"))
                    .await
                    .expect(200);
                assert_eq!(profile.json()["last_name"], "O'Brien");
            }
        };
        stream::iter((0..ACCOUNTS).map(sign_in))
            .buffer_unordered(4)
            .collect::<Vec<()>>()
            .await;
    }
}

fn email(n: usize) -> String {
    format!("person.{n}@import.example")
}

fn id(n: usize) -> AccountId {
    format!("person-{n:03}").parse().expect("an id")
}

async fn states(core: &Core) -> Vec<KeyState> {
    let mut keys = core.stores.keyring.list().await.expect("answers");
    keys.retain(|record| record.key_use == "dek");
    keys.sort_by_key(|record| record.version);
    keys.into_iter().map(|record| record.state).collect()
}

async fn killed_again_and_again(installation: &Installation, settings: Vec<(&str, &str)>) {
    let scene = Scene::set(installation, settings).await;
    let place = |job: &KeyJobRecord| (job.stage, job.pass);
    // In the middle of the first page.
    let mut worker = scene.work("1").await;
    eventually("some have a new data key", PATIENCE, async || {
        (scene.data_keys(20).await.0 == 2).then_some(())
    })
    .await;
    worker.process.kill();
    assert_eq!(scene.data_keys(ACCOUNTS - 1).await, (1, 1, 0), "not everybody");
    // Then wherever it has come a step further, until there is none.
    let mut seen = vec![(Stage::Reseal, 1)];
    for _ in 0..20 {
        scene.let_time_pass(true).await;
        let before = place(&scene.job().await.expect("made"));
        let mut worker = scene.work("100").await;
        let job = eventually("the job comes further", PATIENCE, async || {
            let job = scene.job().await?;
            (place(&job) != before || job.done_at.is_some()).then_some(job)
        })
        .await;
        worker.process.kill();
        if job.done_at.is_some() {
            break;
        }
        seen.push(place(&job));
    }
    let job = scene.job().await.expect("made");
    assert!(job.done_at.is_some() && job.tally.failed == 0, "{job:?}");
    assert_eq!(
        seen,
        [
            (Stage::Reseal, 1),
            (Stage::Reseal, 2),
            (Stage::Clear, 1),
            (Stage::Clear, 2)
        ]
    );
    scene.is_complete().await;
    scene.operator.close().await;
}

async fn shared_by_two(installation: &Installation, settings: Vec<(&str, &str)>) {
    let scene = Scene::set(installation, settings).await;
    let mut accounts = Vec::new();
    for n in 0..ACCOUNTS {
        accounts.push(scene.changes_of_account(n).await);
    }
    let (mut one, mut two) = tokio::join!(scene.work("100"), scene.work("100"));
    let job = eventually("the job is done", PATIENCE, async || {
        let job = scene.job().await?;
        if SystemClock.now() < job.rests_until && job.lease.is_none() {
            scene.let_time_pass(false).await;
        }
        job.done_at.is_some().then_some(job)
    })
    .await;
    // Each got a key and lost one, whoever did it, and was sealed anew once.
    let all = u64::try_from(ACCOUNTS).expect("few");
    assert_eq!((job.changed, job.tally.failed), (2 * all, 0), "{job:?}");
    for (n, before) in accounts.into_iter().enumerate() {
        assert_eq!(scene.data_keys(n).await, (2, 1, 2), "{n}");
        assert_eq!(scene.changes_of_account(n).await, before + 1, "{n}");
    }
    for worker in [&mut one, &mut two] {
        worker.process.terminate();
        assert!(worker.process.wait(Duration::from_secs(20)).await.success());
        assert!(
            !worker.process.logged().contains("ERROR"),
            "{}",
            worker.process.logged()
        );
    }
    scene.operator.close().await;
}

#[tokio::test]
async fn workers_that_are_killed_in_a_reseal_end_it_on_the_embedded_store() {
    killed_again_and_again(&Installation::new(), Vec::new()).await;
}

#[tokio::test]
async fn workers_that_are_killed_in_a_reseal_end_it_on_shared_stores() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    killed_again_and_again(&installation, settings).await;
    stores.remove().await;
}

#[tokio::test]
async fn two_workers_share_a_reseal_on_the_embedded_store() {
    shared_by_two(&Installation::new(), Vec::new()).await;
}

#[tokio::test]
async fn two_workers_share_a_reseal_on_shared_stores() {
    let (installation, stores) = (Installation::new(), SharedStores::new());
    let settings = stores.settings_with(&[]);
    assert!(installation.run(&["keys", "new"], &settings).status.success());
    shared_by_two(&installation, settings).await;
    stores.remove().await;
}
