use super::*;

/// 16:00:00 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_764_000_000_000);
const ALARM: ConversionAlarm = ConversionAlarm {
    volume: 10,
    percent: 20,
};

fn minutes(count: u64) -> Timestamp {
    NOW.plus(Duration::from_mins(count))
}

fn record() -> TextCountRecord {
    TextCountRecord::new(TextScope::Country(41), NOW)
}

#[test]
fn a_cap_is_of_a_day_and_opens_once() {
    let mut count = record();
    let midnight = minutes(8 * 60);
    let refused = |is_first| Spend::Refused {
        until: midnight,
        is_first,
    };
    assert_eq!(
        [(); 4].map(|()| count.spend(3, NOW)),
        [Spend::Done, Spend::Done, Spend::Done, refused(true)]
    );
    assert_eq!(count.spend(3, midnight.minus(Duration::from_millis(1))), refused(false));
    assert_eq!((count.sent_on(NOW), count.capped_until(3, NOW)), (3, Some(midnight)));
    count.give_back(NOW);
    assert_eq!(count.spend(3, NOW), Spend::Done, "one was taken back");
    assert_eq!((count.capped_until(3, midnight), count.sent_on(midnight)), (None, 0));
    assert_eq!(count.spend(3, midnight), Spend::Done, "a new day");
}

#[test]
fn lifting_grants_the_cap_once_more() {
    let mut count = record();
    for _ in 0..4 {
        count.spend(3, NOW);
    }
    count.lift(NOW);
    assert_eq!([(); 3].map(|()| count.spend(3, NOW)), [Spend::Done; 3]);
    assert!(matches!(count.spend(3, NOW), Spend::Refused { is_first: true, .. }));
    assert_eq!(count.sent_on(NOW), 6);
}

#[test]
fn codes_that_never_come_back_are_an_alarm_once_they_had_their_time() {
    let mut count = record();
    assert!(
        (0..30).all(|_| count.note_sent(ALARM, NOW).is_none()),
        "they have not had it"
    );
    assert_eq!(count.note_sent(ALARM, minutes(9)), None);
    let told = count.note_sent(ALARM, minutes(10)).expect("an alarm");
    assert_eq!(told, Conversion { sent: 30, verified: 0 });
    assert_eq!(count.note_sent(ALARM, minutes(11)), None, "told once");
    assert_eq!(count.paused_until(minutes(11)), Some(minutes(8 * 60)));
    assert_eq!(count.paused_until(minutes(8 * 60)), None);
    count.lift(minutes(11));
    assert_eq!(
        (count.paused_until(minutes(11)), count.conversion(minutes(30))),
        (None, Conversion::default())
    );
}

#[test]
fn a_share_that_comes_back_is_none_and_few_codes_say_nothing() {
    let mut count = record();
    for _ in 0..10 {
        count.note_sent(ALARM, NOW);
    }
    for _ in 0..2 {
        assert_eq!(count.note_verified(NOW), Verdict::Store);
    }
    assert_eq!(count.note_sent(ALARM, minutes(10)), None, "a fifth came back");
    assert_eq!(count.conversion(minutes(10)), Conversion { sent: 10, verified: 2 });
    assert_eq!(
        count.conversion(minutes(71)),
        Conversion { sent: 1, verified: 0 },
        "an hour's"
    );

    let mut count = record();
    for _ in 0..9 {
        count.note_sent(ALARM, NOW);
    }
    assert_eq!(count.note_sent(ALARM, minutes(10)), None, "nine");
    assert!(count.slots.len() <= 2);
    for minute in 0..600 {
        count.note_sent(ConversionAlarm { percent: 0, ..ALARM }, minutes(minute));
    }
    assert!(count.slots.len() <= 14, "{} are kept", count.slots.len());
}

#[test]
fn a_pause_late_in_the_day_lasts_an_hour() {
    let mut count = record();
    let late = minutes(8 * 60 - 11);
    for _ in 0..10 {
        count.note_sent(ALARM, late);
    }
    let now = late.plus(Duration::from_mins(10));
    assert!(count.note_sent(ALARM, now).is_some());
    assert_eq!(count.paused_until(now), Some(now.plus(LEAST_PAUSE)));
}

#[test]
fn no_more_come_back_than_were_sent() {
    let mut count = record();
    assert_eq!(count.note_verified(NOW), Verdict::Leave);
    count.note_sent(ALARM, NOW);
    assert_eq!(
        [(); 2].map(|()| count.note_verified(NOW)),
        [Verdict::Store, Verdict::Leave]
    );
}
