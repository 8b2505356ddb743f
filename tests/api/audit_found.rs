//! Whatever is changed in the audit behind the service's back is found and named.

use std::time::Duration;

use bson::{Bson, Document, doc};
use sealgate::service::{
    audit_chain::{LATE, retain},
    verify_audit::Finding,
};

use crate::{
    audit_tampering::{Chain, ENTRIES, LINKS},
    support::StoreSet,
};

cases_per_store! {
    whatever_is_changed_is_found_and_named
    links_that_are_removed_or_altered_are_found
}

/// Every field, one by one, and fields that were not there.
async fn whatever_is_changed_is_found_and_named(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    let ours = chain.three_links().await;
    let (id, place) = (ours[5].clone(), 3);
    let whole = chain.tamperer.read(ENTRIES, id.as_str()).await;
    let changed = |change: &dyn Fn(&mut Document)| {
        let mut other = whole.clone();
        change(&mut other);
        other
    };
    for other in [
        changed(&|entry| drop(entry.insert("event", "signed_out"))),
        changed(&|entry| drop(entry.insert("outcome", "refused"))),
        changed(&|entry| drop(entry.insert("at", 1_i64))),
        changed(&|entry| drop(entry.insert("schema", 2))),
        changed(&|entry| drop(entry.insert("user_type", "User1"))),
        changed(&|entry| drop(entry.insert("account_id", "usr_other"))),
        changed(&|entry| drop(entry.insert("account_id", Bson::Null))),
        changed(&|entry| drop(entry.insert("request_id", "made-up"))),
        changed(&|entry| drop(entry.insert("network", "203.0.113.0/24"))),
        changed(&|entry| drop(entry.insert("details", doc! { "reason": "made up" }))),
        changed(&|entry| drop(entry.insert("note", 1))),
        changed(&|entry| drop(entry.remove("request_id"))),
    ] {
        assert_ne!(other, whole);
        chain.tamperer.write(ENTRIES, id.as_str(), &other).await;
        let entry = id.clone();
        assert_eq!(chain.found().await, [Finding::Changed { entry, place }], "{other}");
        // What was covered once stays covered as it was.
        assert_eq!(chain.cover().await, 0);
        assert_eq!(chain.found().await.len(), 1);
    }
    chain.tamperer.write(ENTRIES, id.as_str(), &whole).await;
    assert_eq!(chain.found().await, []);

    // Removed.
    chain.tamperer.remove(ENTRIES, id.as_str()).await;
    let entry = id.clone();
    assert_eq!(chain.found().await, [Finding::Removed { entry, place }]);
    chain.tamperer.write(ENTRIES, id.as_str(), &whole).await;
    assert_eq!(chain.found().await, []);

    // Swapped, within a link and across.
    for (other, other_place) in [(ours[6].clone(), 3), (ours[9].clone(), 4)] {
        swap(&chain, ENTRIES, id.as_str(), other.as_str()).await;
        let named: Vec<_> = chain.found().await;
        let both = [(id.clone(), place), (other.clone(), other_place)];
        assert_eq!(named.len(), 2, "{named:?}");
        for (finding, (entry, place)) in named.into_iter().zip(both) {
            let moved = Finding::Moved {
                entry: entry.clone(),
                place,
            };
            let changed = Finding::Changed { entry, place };
            assert!(finding == moved || finding == changed, "{finding:?}");
        }
        swap(&chain, ENTRIES, id.as_str(), other.as_str()).await;
        assert_eq!(chain.found().await, []);
    }

    // Put in, where everything is covered already.
    let made_at = id.made_at().expect("ours").plus(Duration::from_millis(1));
    chain.setup.clock.advance(LATE * 2);
    chain.note(1).await;
    chain.cover().await;
    chain.setup.clock.advance(LATE * 2);
    chain.note(1).await;
    chain.cover().await;
    let entry = chain.append(made_at).await;
    chain.cover().await;
    assert_eq!(chain.found().await, [Finding::Unnamed { entry: entry.clone() }]);
    chain.tamperer.remove(ENTRIES, entry.as_str()).await;
    assert_eq!(chain.found().await, []);
    chain.end().await;
}

async fn swap(chain: &Chain, table: &str, one: &str, two: &str) {
    let (mut first, mut second) = (
        chain.tamperer.read(table, one).await,
        chain.tamperer.read(table, two).await,
    );
    first.insert("_id", two);
    second.insert("_id", one);
    chain.tamperer.write(table, one, &second).await;
    chain.tamperer.write(table, two, &first).await;
}

async fn links_that_are_removed_or_altered_are_found(stores: &StoreSet) {
    let chain = Chain::begin(stores).await;
    chain.three_links().await;
    let link = |place: u64| format!("{place:020}");
    // In the middle, and at the beginning: nobody said that the chain begins later.
    for place in [1, 3] {
        let whole = chain.tamperer.read(LINKS, &link(place)).await;
        chain.tamperer.remove(LINKS, &link(place)).await;
        let missing = Finding::LinksMissing {
            first: place,
            last: place,
        };
        assert!(chain.found().await.contains(&missing), "{:?}", chain.found().await);
        chain.tamperer.write(LINKS, &link(place), &whole).await;
        assert_eq!(chain.found().await, []);
    }
    let millis = |link: &Document, name: &str| link.get_i64(name).expect("a time");
    for place in [1, 2, 4] {
        let whole = chain.tamperer.read(LINKS, &link(place)).await;
        let (names, mut mac) = (whole.get_array("entries").expect("names"), octets(&whole, "mac"));
        mac[40 % 34] ^= 1;
        let others = [
            doc! { "at": millis(&whole, "at") + 1 },
            doc! { "through": millis(&whole, "through") + 1 },
            doc! { "begins_at": 2_i64 },
            doc! { "begins_after": 5_i64 },
            doc! { "entries": &names[1..], "digests": binary(&octets(&whole, "digests")[32..]) },
            doc! { "digests": binary(&[0; 32].repeat(names.len())) },
            doc! { "previous": binary(&[1; 34]) },
            doc! { "mac": binary(&mac) },
            doc! { "mac": binary(&[]) },
            doc! { "entries": "none" },
        ];
        for change in others {
            let mut forged = whole.clone();
            forged.extend(change.clone());
            chain.tamperer.write(LINKS, &link(place), &forged).await;
            let found = chain.found().await;
            assert!(
                found.contains(&Finding::LinkForged { place }),
                "{place} {change}: {found:?}"
            );
        }
        chain.tamperer.write(LINKS, &link(place), &whole).await;
        assert_eq!(chain.found().await, []);
    }
    // A link that is put in another's place, and one that nobody with the key made.
    swap(&chain, LINKS, &link(2), &link(3)).await;
    let found = chain.found().await;
    for place in [2, 3] {
        assert!(found.contains(&Finding::LinkForged { place }), "{found:?}");
    }
    swap(&chain, LINKS, &link(2), &link(3)).await;
    let mut made_up = chain.tamperer.read(LINKS, &link(4)).await;
    made_up.insert("_id", link(5));
    made_up.insert("begins_at", 5_i64);
    chain.tamperer.write(LINKS, &link(5), &made_up).await;
    assert_eq!(chain.found().await, [Finding::LinkForged { place: 5 }]);
    // The next link does not believe it either: nothing is let go.
    chain.note(3).await;
    assert_eq!(chain.cover().await, 3);
    retain(chain.core(), Duration::from_hours(24 * 365))
        .await
        .expect("retained");
    assert_eq!(chain.found().await, [Finding::LinkForged { place: 5 }]);
    assert_eq!(chain.verify().await.begins_at, 1);
    chain.end().await;
}

fn octets(link: &Document, name: &str) -> Vec<u8> {
    link.get_binary_generic(name).expect("bytes").clone()
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(bson::Binary {
        subtype: bson::spec::BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}
