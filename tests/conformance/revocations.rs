//! What servers tell each other of ended sessions, in Redis.

use std::{sync::Arc, time::Duration};

use sealgate::{
    crypto::system_entropy::SystemEntropy,
    domain::{
        clock::Timestamp,
        entropy::make_bytes,
        ids::{AccountId, SessionId},
        private::Private,
        user_type::UserType,
    },
    storage::{
        Ref,
        redis::{self, RedisOptions},
        revocations::{LiveSession, REMEMBERED, Revocations, SessionState, Standing},
    },
};

use crate::{harness::runtime, shared::test_redis_url};

const LIFETIME: Duration = Duration::from_mins(30);

struct Servers([Arc<dyn Revocations>; 2]);

fn two<F: Future<Output = ()>>(case: impl FnOnce(Servers) -> F) {
    runtime().block_on(async {
        let options = RedisOptions {
            url: Private::new(test_redis_url()),
            authority: None,
            prefix: format!(
                "test:{}:",
                data_encoding::HEXLOWER.encode(&make_bytes::<8>(&SystemEntropy))
            ),
        };
        let [one, two] = [redis::open(&options).await, redis::open(&options).await];
        let servers = [
            Arc::new(one.expect("Redis answers").revocations()) as Arc<dyn Revocations>,
            Arc::new(two.expect("Redis answers").revocations()),
        ];
        case(Servers(servers)).await;
    });
}

fn session(user_type: &str) -> Ref<SessionId> {
    let user_type: UserType = user_type.parse().expect("valid");
    Ref::new(&user_type, "ses_00000000000000000000000000".parse().expect("valid"))
}

fn account() -> Ref<AccountId> {
    let user_type: UserType = "User1".parse().expect("valid");
    Ref::new(&user_type, "usr_a".parse().expect("valid"))
}

fn live() -> LiveSession {
    LiveSession {
        account_id: account().id,
        epoch: 3,
        authenticated_at: Timestamp::from_millis(1),
        idle_expires_at: Timestamp::from_millis(2),
        expires_at: Timestamp::NEVER,
    }
}

fn standing(epoch: u64) -> Standing {
    Standing {
        epoch,
        kept_session: None,
        is_active: true,
    }
}

#[test]
fn what_one_remembers_the_other_knows_and_both_forget_it() {
    two(async |Servers([one, other])| {
        let (session, account) = (session("User1"), account());
        assert_eq!(other.look(&session, &account).await.expect("answers"), (None, None));
        one.remember_session(&session, &live()).await.expect("answers");
        one.remember_standing(&account, &standing(3)).await.expect("answers");
        let known = other.look(&session, &account).await.expect("answers");
        assert_eq!(known, (Some(SessionState::Live(live())), Some(standing(3))));
        let elsewhere = other.look(&self::session("User2"), &account).await.expect("answers");
        assert_eq!(elsewhere.0, None, "ids of another user type are others");
        let deadline = tokio::time::Instant::now() + REMEMBERED * 3;
        while other.look(&session, &account).await.expect("answers") != (None, None) {
            assert!(tokio::time::Instant::now() < deadline, "it is remembered for ever");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Read before it ended, remembered after: in whatever order, fifty times.
#[test]
fn what_ended_stays_ended_whoever_remembers_it_live() {
    two(async |Servers([one, other])| {
        let user_type: UserType = "User1".parse().expect("valid");
        for number in 0..50 {
            let id = format!("ses_{number:026}").parse().expect("valid");
            let (session, live) = (Ref::new(&user_type, id), live());
            let (ended, remembered) = tokio::join!(
                one.end_session(&session, LIFETIME),
                other.remember_session(&session, &live),
            );
            ended.expect("answers");
            remembered.expect("answers");
            other.remember_session(&session, &live).await.expect("answers");
            let (state, _) = other.look(&session, &account()).await.expect("answers");
            assert_eq!(state, Some(SessionState::Ended));
        }
    });
}

/// Two changes of a password whose news arrive in any order.
#[test]
fn an_epoch_never_falls() {
    two(async |Servers([one, other])| {
        let user_type: UserType = "User1".parse().expect("valid");
        for number in 0..50 {
            let account = Ref::new(&user_type, format!("usr_{number}").parse().expect("valid"));
            let (low, high, old) = (standing(9), standing(10), standing(8));
            let (first, second, third) = tokio::join!(
                one.raise(&account, &high, LIFETIME),
                other.raise(&account, &low, LIFETIME),
                other.remember_standing(&account, &old),
            );
            first.expect("answers");
            second.expect("answers");
            third.expect("answers");
            let (_, known) = one.look(&session("User1"), &account).await.expect("answers");
            assert_eq!(known, Some(standing(10)));
        }
    });
}
