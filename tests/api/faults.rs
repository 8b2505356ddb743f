//! A store is gone, empty or slow: what the service promises then, and when it is itself again. Each case says its figure
//! (`cargo nextest run -E 'test(/faults::/)' --success-output immediate`); docs/TESTING.md has those that were seen.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    fault_proxy::Fault,
    support::{Answer, Faulty, Pair, Person, Setup, StoreSet, Tally, TestApp, Timed, eventually, say, until},
};

cases_on_production! {
    the_database_is_gone
    the_database_is_gone_and_tells_no_stranger_who_has_an_account
    the_database_is_slow
    the_database_hangs
    redis_is_gone
    redis_is_gone_and_two_servers_halve_each_limit
    redis_is_flushed
    redis_is_slow
}

/// An answer is promised within two seconds, which the figures show; a machine that is busy with other tests gets more.
const AT_ONCE: Duration = Duration::from_secs(5);
/// The same of being itself again, promised within five.
const RECOVERED: Duration = Duration::from_secs(20);

async fn start(stores: &StoreSet) -> (Faulty, TestApp) {
    let faulty = Faulty::before(stores).await;
    let app = faulty.lead(&Setup::new(stores)).spawn().await;
    until(&app, "/readyz", 200).await;
    (faulty, app)
}

/// Somebody who has signed out, with the token that was good until then.
async fn signed_out(app: &TestApp) -> Pair {
    let (_, pair) = app.member("User1").await;
    app.post("/User1/logout").bearer(&pair.access).send().await.expect(200);
    pair
}

/// Every kind of request that `person` can make, once and at once; the last ends the session.
async fn one_of_each(app: &TestApp, tally: &mut Tally, person: &Person, pair: &Pair) -> Vec<Answer> {
    let newcomer = Person::new();
    let asked: [Timed; 5] = tokio::join!(
        Box::pin(Timed::ask(
            "login",
            app.sign_in("User1", &person.email, &person.password)
        )),
        Box::pin(Timed::ask("profile", app.profile("User1", &pair.access))),
        Box::pin(Timed::ask("create", app.create("User1", &newcomer))),
        Box::pin(Timed::ask("forget", app.forget("User1", &person.email))),
        Box::pin(Timed::ask("refresh", app.refresh("User1", &pair.refresh))),
    )
    .into();
    let mut answers: Vec<Answer> = asked.iter().map(|timed| tally.note(timed)).collect();
    let logout = app.post("/User1/logout").bearer(&pair.access).send();
    answers.push(tally.ask("logout", logout).await);
    answers
}

async fn the_database_is_gone(stores: &StoreSet) {
    let (faulty, app) = start(stores).await;
    let ended = signed_out(&app).await;
    let (person, pair) = app.member("User1").await;
    let early = Person::new();
    let token = app.register("User1", &early).await;

    faulty.mongo.set(Fault::Gone);
    let mut tally = Tally::default();
    for _ in 0..3 {
        for answer in one_of_each(&app, &mut tally, &person, &pair).await {
            answer.expect_problem(503, "unavailable");
        }
        let confirmed = tally.ask("verify", app.confirm("User1", &token)).await;
        confirmed.expect_problem(503, "unavailable");
        let refused = tally.ask("ended", app.profile("User1", &ended.access)).await;
        // Redis knows that it ended.
        refused.expect_problem(401, "invalid_token");
    }
    until(&app, "/readyz", 503).await;
    tally
        .ask("livez", async { app.get("/livez").send_unchecked().await })
        .await
        .expect(200);
    assert!(tally.longest() < AT_ONCE, "{tally}");

    faulty.mongo.set(Fault::None);
    let began = Instant::now();
    eventually("a profile again", async || {
        (app.profile("User1", &pair.access).await.status == 200).then_some(())
    })
    .await;
    let served = began.elapsed();
    until(&app, "/readyz", 200).await;
    let ready = began.elapsed();
    assert!(served < RECOVERED && ready < RECOVERED, "{served:?} {ready:?}");
    app.profile("User1", &ended.access)
        .await
        .expect_problem(401, "invalid_token");
    // What was refused was not done.
    app.refresh("User1", &pair.refresh).await.expect(200);
    app.confirm("User1", &token).await.expect(200);
    app.login("User1", &early).await;
    app.settle().await;
    let mails = app.mails(&person.email).len();
    assert_eq!(mails, 2, "a link and a welcome, and nothing of what was refused");
    say(&format!(
        "database gone: {tally}; served again after {served:.2?}, ready after {ready:.2?}"
    ));
    app.shut_down().await;
}

async fn the_database_is_gone_and_tells_no_stranger_who_has_an_account(stores: &StoreSet) {
    let (faulty, app) = start(stores).await;
    let (person, _) = app.member("User1").await;
    let nobody = app.sign_in("User1", "nobody@mail.example", "Wr0ng-Passw0rd!").await;
    nobody.expect_problem(401, "invalid_credentials");
    faulty.mongo.set(Fault::Gone);
    // Until it is noticed, by the first who asks or by the prober.
    let known = app.sign_in("User1", &person.email, "Wr0ng-Passw0rd!").await;
    known.expect_problem(503, "unavailable");
    let names: Vec<String> = (0..20).map(|n| format!("nobody{n}@mail.example")).collect();
    let asked = names.iter().map(|name| app.sign_in("User1", name, "Wr0ng-Passw0rd!"));
    for answer in join_all(asked).await {
        answer.expect_problem(503, "unavailable");
    }
    faulty.mongo.set(Fault::None);
    eventually("the filter to answer again", async || {
        let nobody = app.sign_in("User1", "nobody@mail.example", "Wr0ng-Passw0rd!").await;
        (nobody.status == 401).then_some(())
    })
    .await;
    say("database gone: 20 of 20 unknown addresses get the 503 of a known one");
    app.shut_down().await;
}

async fn the_database_is_slow(stores: &StoreSet) {
    const DELAY: Duration = Duration::from_millis(150);
    let (faulty, app) = start(stores).await;
    let ended = signed_out(&app).await;
    let (person, pair) = app.member("User1").await;
    faulty.mongo.set(Fault::Slow(DELAY));
    let mut tally = Tally::default();
    for answer in one_of_each(&app, &mut tally, &person, &pair).await {
        assert!((200..300).contains(&answer.status), "{} {}", answer.call, answer.text());
    }
    for token in [&ended.access, &pair.access] {
        let refused = tally.ask("ended", app.profile("User1", token)).await;
        refused.expect_problem(401, "invalid_token");
    }
    let newcomer = Person::new();
    app.join("User1", &newcomer).await;
    tally
        .ask("login", app.sign_in("User1", &newcomer.email, &newcomer.password))
        .await
        .expect(200);
    assert_eq!(
        app.get("/readyz").send_unchecked().await.status,
        200,
        "slow is not down"
    );
    assert_eq!(app.all_mails(&newcomer.email).await.len(), 2);
    say(&format!("database slow, {DELAY:?} an answer: {tally}"));
    faulty.mongo.set(Fault::None);
    app.shut_down().await;
}

/// The connections stand and nothing comes, as when a machine is unplugged: the driver can't know.
async fn the_database_hangs(stores: &StoreSet) {
    let (faulty, app) = start(stores).await;
    let (person, pair) = app.member("User1").await;
    faulty.mongo.set(Fault::Hang);
    let mut tally = Tally::default();
    for answer in one_of_each(&app, &mut tally, &person, &pair).await {
        answer.expect_problem(503, "unavailable");
    }
    assert!(tally.longest() < AT_ONCE, "{tally}");
    until(&app, "/readyz", 503).await;
    tally
        .ask("livez", async { app.get("/livez").send_unchecked().await })
        .await
        .expect(200);
    faulty.mongo.set(Fault::None);
    let began = Instant::now();
    eventually("a profile again", async || {
        (app.profile("User1", &pair.access).await.status == 200).then_some(())
    })
    .await;
    let served = began.elapsed();
    assert!(served < RECOVERED, "{served:?}");
    say(&format!("database hangs: {tally}; served again after {served:.2?}"));
    app.shut_down().await;
}

async fn redis_is_gone(stores: &StoreSet) {
    const ROUNDS: usize = 3;
    let (faulty, app) = start(stores).await;
    let mut ended = vec![signed_out(&app).await];
    let mut members = Vec::new();
    for _ in 0..ROUNDS {
        members.push(app.member("User1").await);
    }
    faulty.redis.set(Fault::Gone);
    let mut tally = Tally::default();
    for (person, pair) in &members {
        for answer in one_of_each(&app, &mut tally, person, pair).await {
            let expected = match answer.call.rsplit('/').next() {
                Some("create") => 503,
                Some("forget_password") => 202,
                _ => 200,
            };
            assert_eq!(answer.status, expected, "{} {}", answer.call, answer.text());
        }
        ended.push(pair.clone());
        for pair in &ended {
            let refused = tally.ask("ended", app.profile("User1", &pair.access)).await;
            refused.expect_problem(401, "invalid_token");
        }
    }
    until(&app, "/readyz", 200).await;
    faulty.redis.set(Fault::None);
    let (began, newcomer) = (Instant::now(), Person::new());
    eventually("registrations again", async || {
        (app.create("User1", &newcomer).await.status == 201).then_some(())
    })
    .await;
    let served = began.elapsed();
    assert!(served < RECOVERED, "{served:?}");
    // Those that found no queue are due again after a minute: each has a confirmation, a welcome, and now a link.
    let count = || {
        members
            .iter()
            .map(|(person, _)| app.mails(&person.email).len())
            .sum::<usize>()
    };
    eventually("what waited", async || {
        app.clock.advance(Duration::from_secs(5));
        (count() >= 3 * ROUNDS).then_some(())
    })
    .await;
    app.settle().await;
    assert_eq!(count(), 3 * ROUNDS, "none twice");
    say(&format!(
        "Redis gone: {tally}; registrations again after {served:.2?}, {ROUNDS} of {ROUNDS} mails came, none twice"
    ));
    app.shut_down().await;
}

async fn redis_is_gone_and_two_servers_halve_each_limit(stores: &StoreSet) {
    const LIMIT: usize = 8;
    let faulty = Faulty::before(stores).await;
    let setup = Setup::new(stores)
        .set("RATE_LIMITS", "on")
        .set("LIMIT_LOGIN", format!("{LIMIT}/h"));
    let setup = faulty.lead(&setup);
    let servers = [setup.spawn().await, setup.spawn().await];
    // Each counts when it starts, and every ten seconds: until the first has seen the second.
    let name = stores.settings().into_iter().find(|(name, _)| name == "REDIS_PREFIX");
    let key = format!("{}servers", name.expect("a prefix").1);
    let joined = eventually("both servers to be counted", async || {
        let times = server_times(stores, &key).await;
        (times.len() == 2).then(|| times.last().copied()).flatten()
    })
    .await;
    eventually("the first server to count both", async || {
        server_times(stores, &key)
            .await
            .iter()
            .all(|at| *at >= joined)
            .then_some(())
    })
    .await;
    faulty.redis.set(Fault::Gone);
    let mut allowed = [0; 2];
    for (server, allowed) in servers.iter().zip(&mut allowed) {
        for n in 0..LIMIT * 2 {
            // Each a name of its own: the same one is held up sooner.
            let name = format!("nobody{n}@mail.example");
            let answer = server.sign_in("User1", &name, "Wr0ng-Passw0rd!").await;
            *allowed += usize::from(answer.status == 401);
        }
    }
    assert_eq!(allowed, [LIMIT / 2; 2], "together what one limit allows");
    say(&format!(
        "Redis gone, {LIMIT} sign-ins an hour, two servers: {allowed:?} allowed of {} each",
        LIMIT * 2
    ));
    for server in servers {
        server.shut_down().await;
    }
}

/// When each server was last seen, the oldest first.
async fn server_times(stores: &StoreSet, key: &str) -> Vec<u64> {
    let mut redis = stores.redis().await;
    let query = redis::cmd("ZRANGE")
        .arg(key)
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES")
        .to_owned();
    let seen: Vec<(String, u64)> = query.query_async(&mut redis).await.expect("a set");
    seen.into_iter().map(|(_, at)| at).collect()
}

async fn redis_is_flushed(stores: &StoreSet) {
    const WAITING: usize = 10;
    let setup = Setup::new(stores);
    let app = setup.clone().set("WORKER", "off").spawn().await;
    let people: Vec<Person> = (0..WAITING).map(|_| Person::new()).collect();
    for answer in join_all(people.iter().map(|person| app.create("User1", person))).await {
        answer.expect(201);
    }
    let mut redis = stores.redis().await;
    let waiting = stores.redis_keys(&mut redis, "jobs").await;
    assert!(!waiting.is_empty(), "the jobs are handed over");
    stores.flush().await;
    assert!(
        stores
            .redis_keys(&mut redis, "")
            .await
            .iter()
            .all(|key| !key.contains("jobs"))
    );

    let worker = setup.spawn().await;
    eventually("every mail", async || {
        app.clock.advance(Duration::from_secs(5));
        let came = people.iter().filter(|person| !app.mails(&person.email).is_empty());
        (came.count() == WAITING).then_some(())
    })
    .await;
    app.settle().await;
    let counts: Vec<usize> = people.iter().map(|person| app.mails(&person.email).len()).collect();
    assert_eq!(counts, [1; WAITING], "once");
    for person in &people {
        app.confirm("User1", &app.next_link(person).await).await.expect(200);
    }
    let pair = app.login("User1", &people[0]).await;
    app.post("/User1/logout").bearer(&pair.access).send().await.expect(200);
    let kept = app.login("User1", &people[1]).await;

    stores.flush().await;
    let mut accepted = 0;
    for _ in 0..20 {
        accepted += usize::from(app.profile("User1", &pair.access).await.status == 200);
        app.profile("User1", &kept.access).await.expect(200);
    }
    assert_eq!(accepted, 0);
    for person in &people {
        app.login("User1", person).await;
    }
    say(&format!(
        "Redis flushed: {WAITING} of {WAITING} mails, none twice; 0 of 20 ended sessions accepted, 10 of 10 sign-ins"
    ));
    app.shut_down().await;
    worker.shut_down().await;
}

async fn redis_is_slow(stores: &StoreSet) {
    let faulty = Faulty::before(stores).await;
    let app = faulty
        .lead(&Setup::new(stores).set("RATE_LIMITS", "on").set("LIMIT_LOGIN", "1000/h"))
        .spawn()
        .await;
    until(&app, "/readyz", 200).await;
    let ended = signed_out(&app).await;
    let (person, pair) = app.member("User1").await;
    let mut figures = Vec::new();
    // Within what a command may take, and past it.
    for delay in [Duration::from_millis(100), Duration::from_secs(2)] {
        faulty.redis.set(Fault::Slow(delay));
        let mut tally = Tally::default();
        for _ in 0..6 {
            tally
                .ask("login", app.sign_in("User1", &person.email, &person.password))
                .await
                .expect(200);
            tally
                .ask("profile", app.profile("User1", &pair.access))
                .await
                .expect(200);
            let refused = tally.ask("ended", app.profile("User1", &ended.access)).await;
            refused.expect_problem(401, "invalid_token");
            app.clock.advance(Duration::from_secs(1));
        }
        assert!(tally.longest() < AT_ONCE, "{tally}");
        figures.push(format!("{delay:?} an answer: {tally}"));
    }
    say(&format!("Redis slow, {}", figures.join("; ")));
    faulty.redis.set(Fault::None);
    app.shut_down().await;
}
