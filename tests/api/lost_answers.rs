//! The database does what it is asked, and its answer is lost: with every write in turn, until a run needs no more. The
//! client, told 503, asks again as it was told to; what comes of it happened once.
//!
//! A MongoDB that knows retryable writes lets the driver ask again by itself; one that does not (a standalone server, the
//! one of the tests) leaves that to the client, which is the harder case.

use std::{ops::AsyncFn, time::Duration};

use sealgate::{
    domain::user_type::UserType,
    storage::{Documents, Record},
};
use serde_json::json;

use crate::{
    fault_proxy::Fault,
    support::{Answer, Faulty, Pair, Person, Setup, StoreSet, TestApp, eventually, say},
};

cases_on_production! {
    an_account_is_made_once_and_each_mail_comes
    a_session_that_was_ended_stays_ended
    a_password_is_set_once_and_ends_every_session
    a_deletion_is_done_whoever_is_told
    a_mail_whose_delivery_was_not_acknowledged_comes_once
}

/// More writes than any run has.
const MOST: u32 = 40;
const NEW_PASSWORD: &str = "An0ther-S3cret-of-mine";

/// A server behind the proxy, and a worker that has nothing to do with it; or the other way round.
struct Pieces {
    faulty: Faulty,
    server: TestApp,
    worker: TestApp,
}

impl Pieces {
    async fn start(stores: &StoreSet, is_server_behind: bool) -> Self {
        let faulty = Faulty::before(stores).await;
        // Tokens of the one are good at the other.
        let setup = Setup::new(stores).set("PUBLIC_URL", "http://id.example.com");
        let behind = faulty.lead(&setup);
        let (server, worker) = if is_server_behind {
            (&behind, &setup)
        } else {
            (&setup, &behind)
        };
        let worker = worker.spawn().await;
        let server = server.clone().set("WORKER", "off").spawn().await;
        Self { faulty, server, worker }
    }

    async fn stop(self) {
        self.server.shut_down().await;
        self.worker.shut_down().await;
    }

    /// Runs `flow` with the answer to its first write lost, then with that to its second, and so on; which those were.
    async fn each_write(&self, flow: impl AsyncFn(&TestApp) -> u32) -> Lost {
        let mut lost = Lost::default();
        for number in 0..MOST {
            self.faulty.mongo.set(Fault::LoseWrite(number));
            lost.again += flow(&self.server).await;
            let Some(write) = self.faulty.mongo.hit() else {
                assert!(number > 0, "the flow writes nothing");
                return lost;
            };
            self.faulty.mongo.set(Fault::None);
            lost.writes.push(write);
        }
        panic!("the flow writes more than {MOST} times: {lost:?}");
    }
}

#[derive(Debug, Default)]
struct Lost {
    writes: Vec<String>,
    /// Requests that were sent again.
    again: u32,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { writes, again } = self;
        write!(
            f,
            "{} answers lost ({}), {again} requests sent again",
            writes.len(),
            writes.join(", ")
        )
    }
}

/// Asks until the answer is not 503, counting in `again`.
async fn ask(again: &mut u32, request: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..20 {
        let answer = request().await;
        if answer.status != 503 {
            return answer;
        }
        *again += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("503 and nothing else, though only one answer was lost");
}

/// The same, of what is done once: where the answer was lost that it was, the second one says `done`.
async fn ask_once(again: &mut u32, done: u16, request: impl AsyncFn() -> Answer) {
    let before = *again;
    let answer = ask(again, request).await;
    let expected = answer.status == 200 || (answer.status == done && *again > before);
    assert!(expected, "{} {} {}", answer.call, answer.status, answer.text());
}

async fn count<R: Record>(port: &(impl Documents<R> + ?Sized)) -> usize {
    let user_type: UserType = "User1".parse().expect("valid");
    port.versions(&user_type, None, 1000).await.expect("a store").len()
}

async fn an_account_is_made_once_and_each_mail_comes(stores: &StoreSet) {
    let pieces = Pieces::start(stores, true).await;
    let open = pieces.server.open_stores().await;
    let lost = pieces
        .each_write(async |app| {
            let (person, mut again) = (Person::new().with_username(), 0);
            let before = (count(&*open.accounts).await, count(&*open.registrations).await);
            ask(&mut again, async || app.create("User1", &person).await)
                .await
                .expect(201);
            // One that was told 503 may wait beside it, with a mail of its own.
            let links = eventually("a mail for each registration", async || {
                // What was handed over and not told is due again after a minute.
                app.clock.advance(Duration::from_secs(2));
                let waiting = count(&*open.registrations).await - before.1;
                let mails = app.mails(&person.email);
                (waiting == mails.len()).then_some(mails)
            })
            .await;
            assert!((1..=2).contains(&links.len()), "{links:?}");
            for link in &links {
                let used = ask(&mut again, async || app.confirm("User1", &link.token()).await).await;
                // The other's registration went with the first confirmation; so did this one's, where that was not told.
                assert!([200, 400].contains(&used.status), "{}", used.text());
            }
            ask(&mut again, async || {
                app.sign_in("User1", &person.email, &person.password).await
            })
            .await
            .expect(200);
            let name = person.username.clone().expect("one");
            ask(&mut again, async || app.sign_in("User1", &name, &person.password).await)
                .await
                .expect(200);
            eventually("the welcome", async || {
                app.clock.advance(Duration::from_secs(2));
                app.mails(&person.email)
                    .iter()
                    .any(|mail| mail.subject.starts_with("Welcome"))
                    .then_some(())
            })
            .await;
            let mails = app.all_mails(&person.email).await;
            let welcomes = mails.iter().filter(|mail| mail.subject.starts_with("Welcome")).count();
            assert_eq!((welcomes, mails.len()), (1, links.len() + 1), "{mails:?}");
            eventually("nothing left of the registrations", async || {
                app.clock.advance(Duration::from_mins(1));
                (count(&*open.registrations).await == before.1).then_some(())
            })
            .await;
            assert_eq!(count(&*open.accounts).await, before.0 + 1, "one account");
            again
        })
        .await;
    say(&format!(
        "database's answer lost, create to sign-in: {lost}; one account and one welcome each time"
    ));
    pieces.stop().await;
}

async fn a_session_that_was_ended_stays_ended(stores: &StoreSet) {
    let pieces = Pieces::start(stores, true).await;
    let (person, _) = pieces.server.member("User1").await;
    let lost = pieces
        .each_write(async |app| {
            let mut again = 0;
            let signed_in = ask(&mut again, async || {
                app.sign_in("User1", &person.email, &person.password).await
            })
            .await;
            let first = Pair::of(app, &signed_in.expect(200));
            let renewed = ask(&mut again, async || app.refresh("User1", &first.refresh).await).await;
            let second = Pair::of(app, &renewed.expect(200));
            // The family lives: asking again was no reuse.
            app.profile("User1", &second.access).await.expect(200);
            ask_once(&mut again, 401, async || {
                app.post("/User1/logout").bearer(&second.access).send().await
            })
            .await;
            for pair in [&first, &second] {
                app.profile("User1", &pair.access)
                    .await
                    .expect_problem(401, "invalid_token");
                app.refresh("User1", &pair.refresh).await.expect(401);
            }
            again
        })
        .await;
    say(&format!(
        "database's answer lost, sign-in, refresh, logout: {lost}; no ended session accepted"
    ));
    pieces.stop().await;
}

async fn a_password_is_set_once_and_ends_every_session(stores: &StoreSet) {
    let pieces = Pieces::start(stores, true).await;
    let lost = pieces
        .each_write(async |app| {
            let mut again = 0;
            // The worker's server has no lost answers: what is tested is the reset.
            let person = Person::new();
            pieces.worker.join("User1", &person).await;
            let pair = pieces.worker.login("User1", &person).await;
            ask(&mut again, async || app.forget("User1", &person.email).await)
                .await
                .expect(202);
            eventually("a link", async || {
                app.clock.advance(Duration::from_secs(2));
                let mails = app.mails(&person.email);
                mails
                    .iter()
                    .any(|mail| mail.text.contains("reset_password"))
                    .then_some(())
            })
            .await;
            // Who asked twice gets two, and one of them counts: the form tells which, and uses nothing up.
            let mails = app.all_mails(&person.email).await;
            let links = mails.iter().filter(|mail| mail.text.contains("reset_password"));
            let mut good = None;
            for link in links.map(super::support::Mail::token) {
                let form = format!("/User1/reset_password_form?token={link}");
                if pieces.worker.get(&form).send().await.status == 200 {
                    good = Some(link);
                }
            }
            let link = good.expect("one of them");
            ask_once(&mut again, 400, async || app.reset("User1", &link, NEW_PASSWORD).await).await;
            app.sign_in("User1", &person.email, &person.password)
                .await
                .expect_problem(401, "invalid_credentials");
            app.profile("User1", &pair.access)
                .await
                .expect_problem(401, "invalid_token");
            app.refresh("User1", &pair.refresh).await.expect(401);
            ask(&mut again, async || {
                app.sign_in("User1", &person.email, NEW_PASSWORD).await
            })
            .await
            .expect(200);
            eventually("the notice", async || {
                app.clock.advance(Duration::from_secs(2));
                (app.mails(&person.email).len() >= 4).then_some(())
            })
            .await;
            let subjects: Vec<String> = app
                .all_mails(&person.email)
                .await
                .into_iter()
                .map(|mail| mail.subject)
                .collect();
            // Of two requests for a link, the later one's may be another mail.
            let notices = subjects.iter().filter(|subject| subject.contains("changed")).count();
            assert_eq!(notices, 1, "{subjects:?}");
            again
        })
        .await;
    say(&format!(
        "database's answer lost, forgotten password: {lost}; the new one holds, old sessions ended, one notice"
    ));
    pieces.stop().await;
}

async fn a_deletion_is_done_whoever_is_told(stores: &StoreSet) {
    let pieces = Pieces::start(stores, true).await;
    let open = pieces.server.open_stores().await;
    let lost = pieces
        .each_write(async |app| {
            let mut again = 0;
            let person = Person::new();
            pieces.worker.join("User1", &person).await;
            let pair = pieces.worker.login("User1", &person).await;
            let proof = json!({ "password": person.password });
            ask_once(&mut again, 401, async || {
                app.delete("User1", &pair.access, &proof).await
            })
            .await;
            app.profile("User1", &pair.access)
                .await
                .expect_problem(401, "invalid_token");
            app.sign_in("User1", &person.email, &person.password)
                .await
                .expect_problem(401, "invalid_credentials");
            eventually("no key and no record", async || {
                app.clock.advance(Duration::from_secs(2));
                let left = (
                    count(&*open.accounts).await,
                    count(&*open.deks).await,
                    count(&*open.sessions).await,
                );
                (left == (0, 0, 0)).then_some(())
            })
            .await;
            again
        })
        .await;
    say(&format!(
        "database's answer lost, deletion: {lost}; no record, no key, no session left"
    ));
    pieces.stop().await;
}

async fn a_mail_whose_delivery_was_not_acknowledged_comes_once(stores: &StoreSet) {
    let pieces = Pieces::start(stores, false).await;
    let lost = pieces
        .each_write(async |app| {
            let person = Person::new();
            app.create("User1", &person).await.expect(201);
            eventually("the mail", async || {
                app.clock.advance(Duration::from_secs(2));
                (!app.mails(&person.email).is_empty()).then_some(())
            })
            .await;
            // Past every lease and hand-over: what would come a second time comes now.
            for _ in 0..20 {
                app.clock.advance(Duration::from_secs(30));
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            let mails = app.all_mails(&person.email).await;
            assert_eq!(mails.len(), 1, "{mails:?}");
            app.confirm("User1", &mails[0].token()).await.expect(200);
            app.login("User1", &person).await;
            0
        })
        .await;
    say(&format!(
        "database's answer lost to the worker: {lost}; every mail came, none twice"
    ));
    pieces.stop().await;
}
