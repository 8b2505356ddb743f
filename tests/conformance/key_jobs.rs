//! Jobs of keys: one worker holds one, and each page counts once.

use sealgate::{
    domain::{
        ids::{KeyJobId, WorkerId},
        user_type::UserType,
    },
    storage::{
        Change, Changed, Inserted, Ref, Unique, change,
        key_jobs::{KeyJobRecord, LEASE, Stage, Tally},
    },
};

use crate::{
    harness::{World, at_once, count},
    records::NOW,
};

fn key(user_type: &str) -> Ref<KeyJobId> {
    let user_type: UserType = user_type.parse().expect("valid");
    Ref::new(&user_type, KeyJobId::of("kek", 2, &user_type))
}

fn worker(n: usize) -> WorkerId {
    format!("wrk_{n:0>26}").parse().expect("an id")
}

pub(crate) async fn whoever_begins_it_second_finds_it(world: World) {
    let jobs = [key("User1"), key("User2")].map(|key| KeyJobRecord::new(&key, Stage::Rewrap, 7, NOW));
    for job in &jobs {
        assert_eq!(
            world.stores.key_jobs.insert(job).await.expect("answers"),
            Inserted::Stored
        );
        let again = world.other.key_jobs.insert(job).await.expect("answers");
        assert_eq!(again, Inserted::Taken(Unique::Id));
    }
    for job in jobs {
        let key = Ref::new(&job.user_type, job.id.clone());
        assert_eq!(world.other.key_jobs.find(&key).await.expect("answers"), Some(job));
    }
}

pub(crate) async fn of_fifty_workers_one_holds_it(world: World) {
    let key = key("User1");
    let job = KeyJobRecord::new(&key, Stage::Rewrap, 7, NOW);
    world.stores.key_jobs.insert(&job).await.expect("answers");
    let taken = at_once(50, |n| {
        let (stores, key) = (world.by_turns(n), key.clone());
        async move {
            let taken = change(&*stores.key_jobs, &key, |job: &mut KeyJobRecord| {
                if job.take(&worker(n), NOW) {
                    Change::Store(())
                } else {
                    Change::Leave(())
                }
            });
            taken.await.expect("answers") == Changed::Stored(())
        }
    })
    .await;
    assert_eq!(count(&taken, &true), 1);
}

pub(crate) async fn a_page_counts_once_whoever_noted_it(world: World) {
    let key = key("User1");
    let mut job = KeyJobRecord::new(&key, Stage::Rewrap, 7, NOW);
    assert!(job.take(&worker(1), NOW));
    world.stores.key_jobs.insert(&job).await.expect("answers");
    let tally = Tally {
        seen: 3,
        changed: 2,
        failed: 0,
    };
    let noted = at_once(20, |n| {
        let (stores, key, was) = (world.by_turns(n), key.clone(), job.clone());
        async move {
            let noted = change(&*stores.key_jobs, &key, |job: &mut KeyJobRecord| {
                if job.note_page(&was, &worker(1), "usr_c", tally, NOW) {
                    Change::Store(())
                } else {
                    Change::Leave(())
                }
            });
            noted.await.expect("answers") == Changed::Stored(())
        }
    })
    .await;
    assert_eq!(count(&noted, &true), 1);
    let found = world.other.key_jobs.find(&key).await.expect("answers").expect("there");
    assert_eq!((found.tally, found.after.as_deref()), (tally, Some("usr_c")));
    // Silent for too long, it is another's, who goes on from there.
    let mut taken = found;
    assert!(taken.take(&worker(2), NOW.plus(LEASE)));
    assert_eq!(taken.after.as_deref(), Some("usr_c"));
}
