//! The chain over the audit, on the service's own stores and keys: what only looks odd is no alarm, and what is over goes.
//! What is changed behind the service's back: `audit_found.rs`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sealgate::{
    app::{Foundation, World},
    domain::{clock::Clock as _, ids::AuditId},
    service::{
        Core,
        audit_chain::{extend, retain},
        verify_audit::{Anchor, Finding, verify_audit},
    },
};

use crate::{
    audit_tampering::{Chain, ENTRIES, LINKS, Tamperer, open},
    support::{Setup, StoreSet},
};

cases_per_store! {
    what_was_written_is_sound
    an_entry_that_came_late_is_named_by_the_next_link
    two_workers_at_once_leave_no_gap_and_no_false_alarm
    the_end_of_the_chain_is_known_by_a_link_that_was_kept
    what_is_over_goes_and_the_rest_is_sound
    an_installation_from_before_the_chain_gets_its_key
}

const DAY: Duration = Duration::from_hours(24);

async fn what_was_written_is_sound(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    let nothing = chain.verify().await;
    assert!(nothing.is_sound(), "{nothing:?}");
    let ours = chain.three_links().await;
    assert_eq!(ours.len(), 12);
    chain.note(5).await;
    let report = chain.verify().await;
    assert!(report.is_sound(), "{report:?}");
    let made = chain.ids().await.len() as u64;
    assert_eq!((report.entries, report.waiting), (made - 5, 5));
    assert_eq!((report.links, report.begins_at), (4, 1));
    assert_eq!(report.last.expect("a link").place, 4);
    // Nothing new is nothing to be covered.
    assert_eq!(chain.cover().await, 5);
    assert_eq!(chain.cover().await, 0);
    // More than one link holds, and more than one page.
    chain.note(1203).await;
    assert_eq!(chain.cover().await, 1203);
    let report = chain.verify().await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.links), (made + 1203, 8));
    chain.end().await;
}

async fn an_entry_that_came_late_is_named_by_the_next_link(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    chain.three_links().await;
    let now = chain.setup.clock.now();
    // From a server whose clock is minutes slow, or whose store was.
    let late = chain.append(now.minus(Duration::from_mins(5))).await;
    let report = chain.verify().await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.waiting, 1);
    assert_eq!(chain.cover().await, 1);
    let last = chain
        .core()
        .stores
        .audit
        .last_checkpoint()
        .await
        .expect("read")
        .expect("a link");
    assert_eq!(last.entries, [late]);
    // One from the future waits until its time has come.
    chain.append(chain.setup.clock.now().plus(Duration::from_mins(2))).await;
    assert_eq!(chain.cover().await, 0);
    assert!(chain.verify().await.is_sound());
    chain.setup.clock.advance(Duration::from_mins(3));
    assert_eq!(chain.cover().await, 1);
    let report = chain.verify().await;
    assert!(report.is_sound() && report.waiting == 0, "{report:?}");
    chain.end().await;
}

async fn two_workers_at_once_leave_no_gap_and_no_false_alarm(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    let other = open(&chain.setup).await;
    for _ in 0..8 {
        chain.note(7).await;
        chain.setup.clock.advance(Duration::from_secs(31));
        let (one, two) = (Arc::clone(chain.core()), Arc::clone(&other.core));
        let work = |core: Arc<Core>| tokio::spawn(async move { extend(&core).await.expect("extended") });
        let (one, two, report) = tokio::join!(work(one), work(two), chain.verify());
        // Who lost looks again at its next turn; nothing is counted twice.
        assert!(one.expect("no panic") + two.expect("no panic") >= 7);
        assert!(report.is_sound(), "{report:?}");
    }
    chain.cover().await;
    let report = chain.verify().await;
    assert!(report.is_sound() && report.waiting == 0, "{report:?}");
    let links = chain.core().stores.audit.checkpoints(1, 1000).await.expect("listed");
    let named: Vec<&AuditId> = links.iter().flat_map(|link| &link.entries).collect();
    let ids = chain.ids().await;
    assert_eq!(named.len(), ids.len(), "each is named once");
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), ids.iter().collect());
    other.close().await;
    chain.end().await;
}

/// What the chain itself can't tell: that its end is gone, entries and all.
async fn the_end_of_the_chain_is_known_by_a_link_that_was_kept(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    let ours = chain.three_links().await;
    let kept = chain.verify().await.last.expect("a link");
    let ask = async |anchor: &Anchor| verify_audit(chain.core(), Some(anchor)).await.expect("verified");
    assert!(ask(&kept).await.is_sound());
    chain.tamperer.remove(LINKS, &format!("{:020}", kept.place)).await;
    for id in &ours[8..] {
        chain.tamperer.remove(ENTRIES, id.as_str()).await;
    }
    assert_eq!(chain.found().await, [], "it ends with the link before");
    let gone = Finding::NotTheOne { place: kept.place };
    assert_eq!(ask(&kept).await.findings, std::slice::from_ref(&gone));
    // And another in its place is another.
    chain.note(2).await;
    chain.cover().await;
    assert_eq!(chain.found().await, []);
    assert_eq!(ask(&kept).await.findings, [gone]);
    chain.end().await;
}

async fn what_is_over_goes_and_the_rest_is_sound(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    let retention = DAY * 90;
    let old = chain.three_links().await;
    chain.setup.clock.advance(DAY * 60);
    chain.note(4).await;
    chain.cover().await;
    assert_eq!(
        retain(chain.core(), retention).await.expect("retained").entries,
        0,
        "nothing is over"
    );
    chain.setup.clock.advance(DAY * 31);
    let young = chain.append(chain.setup.clock.now()).await;
    let all = chain.ids().await;
    let removed = retain(chain.core(), retention).await.expect("retained");
    assert_eq!(
        (removed.links, removed.entries),
        (4, all.len() as u64 - 5),
        "{removed:?}"
    );
    let left = chain.ids().await;
    assert!(left.contains(&young) && old.iter().all(|id| !left.contains(id)));
    assert_eq!(left.len(), 5);
    assert_eq!(retain(chain.core(), retention).await.expect("retained"), <_>::default());
    chain.cover().await;
    let report = chain.verify().await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.begins_at, report.entries), (5, 5));
    // Where it begins is written down: what is kept can't be passed off as over.
    let first = chain.tamperer.read(LINKS, &format!("{:020}", 5)).await;
    chain.tamperer.remove(LINKS, &format!("{:020}", 5)).await;
    let found = chain.found().await;
    assert!(
        found.contains(&Finding::LinksMissing { first: 5, last: 5 }),
        "{found:?}"
    );
    chain.tamperer.write(LINKS, &format!("{:020}", 5), &first).await;
    chain.tamperer.remove(ENTRIES, left[0].as_str()).await;
    let gone = Finding::Removed {
        entry: left[0].clone(),
        place: 5,
    };
    assert_eq!(chain.found().await, [gone]);
    // All of it, when nothing happens for long enough.
    chain.setup.clock.advance(DAY * 400);
    retain(chain.core(), retention).await.expect("retained");
    chain.note(1).await;
    chain.cover().await;
    let report = chain.verify().await;
    assert!(report.is_sound(), "{report:?}");
    assert!(chain.ids().await.len() <= 2, "{:?}", chain.ids().await);
    chain.end().await;
}

async fn an_installation_from_before_the_chain_gets_its_key(stores: &StoreSet) {
    let setup = Setup::new(stores);
    let app = setup.spawn().await;
    let person = crate::support::Person::new();
    app.join("User1", &person).await;
    app.shut_down().await;
    let tamperer = Tamperer::of(stores, setup.folder()).await;
    tamperer.forget_key("audit/1").await;
    // Accounts there are, and nothing that the key could be missing for.
    let foundation = open(&setup).await;
    extend(&foundation.core).await.expect("extended");
    setup.clock.advance(Duration::from_mins(1));
    assert!(extend(&foundation.core).await.expect("extended") > 0);
    foundation.close().await;
    // From the first link on there is: then a missing key is no start.
    tamperer.forget_key("audit/1").await;
    let world = World::default();
    let refused = Foundation::open(&setup.config(), world).await.err().expect("refused");
    assert!(format!("{refused:#}").contains("`audit`"), "{refused:#}");
    tamperer.close().await;
}
