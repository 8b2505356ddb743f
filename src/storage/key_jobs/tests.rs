use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

fn worker(n: u8) -> WorkerId {
    format!("wrk_{}{n}", "0".repeat(25)).parse().expect("an id")
}

fn job(stage: Stage) -> KeyJobRecord {
    let user_type = "User1".parse().expect("valid");
    let id = KeyJobId::of("index.User1", 2, &user_type);
    assert_eq!(id.as_str(), "job_index-2-User1");
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    KeyJobRecord::new(&Ref::new(&user_type, id), stage, 3, NOW)
}

fn tally(changed: u64, failed: u64) -> Tally {
    Tally {
        seen: 3,
        changed,
        failed,
    }
}

#[test]
fn one_worker_holds_it_and_another_takes_over_when_it_is_silent() {
    let mut job = job(Stage::Rewrap);
    assert!(job.take(&worker(1), NOW));
    assert!(!job.take(&worker(2), NOW.plus(LEASE).minus(Duration::from_millis(1))));
    let was = job.clone();
    assert!(job.take(&worker(2), NOW.plus(LEASE)));
    assert!(!job.note_page(&was, &worker(1), "usr_a", tally(3, 0), NOW.plus(LEASE)));
    assert!(job.note_page(&was, &worker(2), "usr_a", tally(3, 0), NOW.plus(LEASE)));
    assert!(
        !job.note_page(&was, &worker(2), "usr_a", tally(3, 0), NOW.plus(LEASE)),
        "a page counts once"
    );
    assert_eq!((job.changed, job.after.as_deref()), (3, Some("usr_a")));
}

#[test]
fn a_paused_job_is_taken_by_nobody() {
    let mut job = job(Stage::Rewrap);
    job.is_paused = true;
    assert!(!job.take(&worker(1), NOW));
}

#[test]
fn a_stage_is_over_when_a_pass_finds_nothing_to_do() {
    let mut job = job(Stage::Reseal);
    let us = worker(1);
    let mut now = NOW;
    let mut pass = |changed, failed| {
        now = now.plus(SETTLE);
        assert!(job.take(&us, now));
        let was = job.clone();
        assert!(job.note_page(&was, &us, "usr_a", tally(changed, failed), now));
        let turn = job.end_walk(&us, now);
        // Whoever changed how it is written waits before the next look.
        let is_resting = !job.clone().take(&us, now);
        (turn, is_resting)
    };
    assert_eq!(pass(3, 0), (Some(Turn::Again), true));
    assert_eq!(pass(0, 1), (Some(Turn::Again), true));
    assert_eq!(pass(0, 0), (Some(Turn::Enters(Stage::Clear)), true));
    assert_eq!(pass(1, 0), (Some(Turn::Again), false));
    assert_eq!(pass(0, 0), (Some(Turn::Done), true));
    assert_eq!((job.changed, job.left()), (4, 0));
}

#[test]
fn a_pass_goes_over_registrations_before_accounts() {
    let mut job = job(Stage::Backfill);
    assert!(job.take(&worker(1), NOW));
    assert_eq!(job.end_walk(&worker(1), NOW), Some(Turn::Walks(Walk::Accounts)));
    assert_eq!(job.end_walk(&worker(2), NOW), None);
    assert_eq!(job.end_walk(&worker(1), NOW), Some(Turn::Enters(Stage::Refill)));
    assert_eq!(job.walk, Walk::Registrations);
}
