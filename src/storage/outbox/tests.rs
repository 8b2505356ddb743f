use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);

fn id(n: u8) -> MessageId {
    format!("msg_{}{n}", "0".repeat(25)).parse().expect("valid id")
}

fn outbox() -> Outbox {
    Outbox::with(&id(1), OutboxEntry::new(MessageKind::ConfirmAddress, NOW))
}

#[test]
fn a_message_is_handed_over_once_until_its_time_comes_again() {
    let mut outbox = outbox();
    assert_eq!(outbox.hand_over_due(NOW), [id(1)]);
    assert_eq!(outbox.hand_over_due(NOW), []);
    assert_eq!(outbox.due(), NOW.plus(HAND_OVER));
    assert_eq!(outbox.hand_over_due(NOW.plus(HAND_OVER)), [id(1)]);
}

#[test]
fn one_worker_holds_a_message_until_its_lease_ends() {
    let mut outbox = outbox();
    assert!(outbox.take(&id(1), NOW).is_some());
    assert!(outbox.take(&id(1), NOW).is_none(), "held");
    assert!(outbox.take(&id(1), NOW.plus(LEASE)).is_some(), "its worker is gone");
    assert!(
        LEASE < HAND_OVER,
        "or a killed worker's message would wait for two rounds"
    );
}

#[test]
fn a_failure_is_tried_again_inside_the_useful_life_only() {
    let mut outbox = outbox();
    assert_eq!(
        outbox.fail(&id(1), NOW, 0, Failed::ForNow("away")),
        Some(DeliveryState::Pending)
    );
    assert_eq!(outbox.due(), NOW.plus(Duration::from_secs(2)));
    let end = NOW.plus(MessageKind::ConfirmAddress.useful_for());
    assert_eq!(
        outbox.fail(&id(1), end, 0, Failed::ForNow("away")),
        Some(DeliveryState::Dead)
    );
    assert_eq!(outbox.due(), Timestamp::NEVER);
    assert!(outbox.take(&id(1), NOW).is_none());
    assert!(outbox.get(&id(1)).is_some(), "a dead letter stays for the operator");
}

#[test]
fn a_newer_link_takes_the_place_of_those_that_wait() {
    let mut outbox = outbox();
    outbox.push(&id(2), OutboxEntry::new(MessageKind::Welcome, NOW));
    outbox.push(&id(3), OutboxEntry::new(MessageKind::ConfirmAddress, NOW));
    outbox.fail(&id(3), NOW, 0, Failed::ForGood("refused"));
    for _ in 0..2 {
        outbox.replace(&id(4), OutboxEntry::new(MessageKind::ConfirmAddress, NOW));
        let left: Vec<MessageId> = outbox.ids().collect();
        assert_eq!(
            left,
            [id(2), id(3), id(4)],
            "another kind, a dead letter, and the newest"
        );
    }
}

#[test]
fn whose_work_it_is_stays_known_until_it_is_sent() {
    let parent = TraceParent::new(7, 8, true);
    let entry = OutboxEntry::new(MessageKind::ConfirmAddress, NOW).in_trace(parent);
    let mut outbox = Outbox::with(&id(1), entry);
    outbox.hand_over_due(NOW);
    outbox.fail(&id(1), NOW, 0, Failed::ForNow("away"));
    assert_eq!(outbox.get(&id(1)).expect("there").traceparent, parent);
    outbox.fail(&id(1), NOW, 0, Failed::ForGood("refused"));
    outbox.revive(&id(1), NOW);
    let taken = outbox.take(&id(1), NOW).expect("due");
    assert_eq!(taken.traceparent, parent);
}

/// As a server of the version before wrote it, and as that reads what is written today.
#[test]
fn an_entry_with_and_without_a_trace_is_read_both_ways() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Before {
        kind: MessageKind,
        due: Timestamp,
        #[serde(default)]
        reason: Option<String>,
    }

    let plain = OutboxEntry::new(MessageKind::Welcome, NOW);
    let traced = OutboxEntry {
        traceparent: TraceParent::new(7, 8, true),
        ..plain.clone()
    };
    let written = |entry: &OutboxEntry| bson::serialize_to_document(entry).expect("a document");
    assert!(!written(&plain).contains_key("traceparent"), "byte for byte as before");
    for entry in [plain, traced] {
        let document = written(&entry);
        let before = Before {
            kind: entry.kind,
            due: entry.due,
            reason: None,
        };
        let read_before: Before = bson::deserialize_from_document(document.clone()).expect("an entry");
        assert_eq!(read_before, before);
        let read: OutboxEntry = bson::deserialize_from_document(document).expect("an entry");
        assert_eq!(read, entry);
    }
}

#[test]
fn a_completed_message_leaves_nothing() {
    let mut outbox = outbox();
    assert!(outbox.complete(&id(1)));
    assert_eq!(outbox, Outbox::default());
}
