//! Counts of texts.

use std::time::Duration;

use sealgate::{
    domain::text_scope::TextScope,
    storage::{
        Verdict,
        text_counts::{Conversion, ConversionAlarm, Spend, TextCountRecord, count},
    },
};

use crate::{
    harness::{World, at_once},
    records::{NOW, at},
};

fn scope(text: &str) -> TextScope {
    text.parse().expect("a scope")
}

pub(crate) async fn of_fifty_texts_of_two_servers_the_cap_goes(world: World) {
    let spent = at_once(50, |n| {
        let stores = world.by_turns(n);
        async move {
            let spend = |record: &mut TextCountRecord| record.spend(17, NOW);
            count(&*stores.text_counts, &scope("all"), NOW, spend)
                .await
                .expect("answers")
        }
    })
    .await;
    let done = spent.iter().filter(|spent| **spent == Some(Spend::Done)).count();
    let opened = |spent: &&Option<Spend>| matches!(spent, Some(Spend::Refused { is_first: true, .. }));
    assert_eq!((done, spent.iter().filter(opened).count()), (17, 1), "{spent:?}");
    let found = world.other.text_counts.find(&scope("all")).await.expect("answers");
    let found = found.expect("counted");
    assert_eq!(found.sent_on(NOW), 17);
    assert!(found.capped_until(17, NOW).is_some());
}

pub(crate) async fn a_count_comes_back_as_it_was(world: World) {
    let (counts, alarm) = (&world.stores.text_counts, ConversionAlarm { volume: 1, percent: 50 });
    let name = scope("prefix:4915120");
    let hour = NOW.plus(Duration::from_mins(20));
    let note = |record: &mut TextCountRecord| record.note_sent(alarm, NOW);
    assert_eq!(count(&**counts, &name, NOW, note).await.expect("answers"), Some(None));
    let note = |record: &mut TextCountRecord| record.note_sent(alarm, hour);
    let told = count(&**counts, &name, hour, note).await.expect("answers");
    assert_eq!(told, Some(Some(Conversion { sent: 1, verified: 0 })));
    let mut expected = TextCountRecord::new(name.clone(), NOW);
    expected.note_sent(alarm, NOW);
    expected.note_sent(alarm, hour);
    expected.rev = 2;
    assert_eq!(
        world.other.text_counts.find(&name).await.expect("answers"),
        Some(expected)
    );
}

pub(crate) async fn what_is_left_is_not_stored(world: World) {
    let name = scope("country:41");
    let mut leave = |record: &mut TextCountRecord| {
        record.spend(1, NOW);
        Verdict::Leave
    };
    world
        .stores
        .text_counts
        .update(&name, NOW, &mut leave)
        .await
        .expect("answers");
    assert_eq!(world.other.text_counts.find(&name).await.expect("answers"), None);
}

pub(crate) async fn old_counts_are_removed_and_the_others_listed(world: World) {
    for (n, name) in ["prefix:1415555", "all", "type:User1"].into_iter().enumerate() {
        let now = at(i64::try_from(n).expect("small"));
        let spend = |record: &mut TextCountRecord| record.spend(9, now);
        count(&*world.stores.text_counts, &scope(name), now, spend)
            .await
            .expect("answers");
    }
    world.stores.text_counts.remove(at(1)).await.expect("answers");
    let left = world.other.text_counts.list().await.expect("answers");
    let names: Vec<String> = left.iter().map(|record| record.id.to_string()).collect();
    assert_eq!(names, ["all", "type:User1"]);
}
