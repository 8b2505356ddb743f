//! Sessions and standings in Redis: `s:<user type>/<session>` is `ended`, or `live` with account, epoch and times;
//! `e:<user type>/<account>` is epoch, 1 or 0 for in use or not, and the kept session or `-`.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use redis::Script;

use crate::{
    domain::{
        clock::Timestamp,
        ids::{AccountId, SessionId},
    },
    storage::{
        Ref, StoreError,
        redis::connection::Connection,
        revocations::{LiveSession, REMEMBERED, Revocations, SessionState, Standing},
    },
};

/// Sets a standing unless one of a higher epoch is there. Arguments: epoch, value, milliseconds.
static RAISE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local known = redis.call('GET', KEYS[1])
        if known and tonumber(string.match(known, '^%d+')) > tonumber(ARGV[1]) then return 0 end
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
        return 1
        ",
    )
});

/// The adapter.
#[derive(Clone, Debug)]
pub struct RedisRevocations(Connection);

impl RedisRevocations {
    pub(super) const fn new(connection: Connection) -> Self {
        Self(connection)
    }

    fn session(&self, session: &Ref<SessionId>) -> String {
        self.0.key(&format!("s:{session}"))
    }

    fn account(&self, account: &Ref<AccountId>) -> String {
        self.0.key(&format!("e:{account}"))
    }

    async fn remember(&self, key: String, value: String) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("NX").arg("PX").arg(millis(REMEMBERED));
        let _: Option<String> = self.0.ask(&command).await?;
        Ok(())
    }
}

#[async_trait]
impl Revocations for RedisRevocations {
    async fn look(
        &self,
        session: &Ref<SessionId>,
        account: &Ref<AccountId>,
    ) -> Result<(Option<SessionState>, Option<Standing>), StoreError> {
        let mut command = redis::cmd("MGET");
        command.arg(self.session(session)).arg(self.account(account));
        let (state, standing): (Option<String>, Option<String>) = self.0.ask(&command).await?;
        // What another version wrote is as good as nothing.
        Ok((
            state.as_deref().and_then(read_state),
            standing.as_deref().and_then(read_standing),
        ))
    }

    async fn remember_session(&self, session: &Ref<SessionId>, live: &LiveSession) -> Result<(), StoreError> {
        let value = format!(
            "live {} {} {} {} {}",
            live.account_id,
            live.epoch,
            live.authenticated_at.as_millis(),
            live.idle_expires_at.as_millis(),
            live.expires_at.as_millis()
        );
        self.remember(self.session(session), value).await
    }

    async fn remember_standing(&self, account: &Ref<AccountId>, standing: &Standing) -> Result<(), StoreError> {
        self.remember(self.account(account), write_standing(standing)).await
    }

    async fn end_session(&self, session: &Ref<SessionId>, lifetime: Duration) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command
            .arg(self.session(session))
            .arg("ended")
            .arg("PX")
            .arg(millis(lifetime));
        self.0.ask(&command).await
    }

    async fn raise(&self, account: &Ref<AccountId>, standing: &Standing, lifetime: Duration) -> Result<(), StoreError> {
        let mut call = RAISE.key(self.account(account));
        call.arg(standing.epoch)
            .arg(write_standing(standing))
            .arg(millis(lifetime));
        let _: u8 = self.0.run(&call).await?;
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn write_standing(standing: &Standing) -> String {
    let kept = standing.kept_session.as_ref().map_or("-", SessionId::as_str);
    format!("{} {} {kept}", standing.epoch, u8::from(standing.is_active))
}

fn read_standing(text: &str) -> Option<Standing> {
    let parts: Vec<&str> = text.split(' ').collect();
    let [epoch, is_active @ ("0" | "1"), kept] = parts.as_slice() else {
        return None;
    };
    Some(Standing {
        epoch: epoch.parse().ok()?,
        kept_session: match *kept {
            "-" => None,
            kept => Some(kept.parse().ok()?),
        },
        is_active: *is_active == "1",
    })
}

fn read_state(text: &str) -> Option<SessionState> {
    let parts: Vec<&str> = text.split(' ').collect();
    let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
    match parts.as_slice() {
        ["ended"] => Some(SessionState::Ended),
        ["live", account_id, epoch, authenticated_at, idle_expires_at, expires_at] => {
            Some(SessionState::Live(LiveSession {
                account_id: account_id.parse().ok()?,
                epoch: epoch.parse().ok()?,
                authenticated_at: time(authenticated_at)?,
                idle_expires_at: time(idle_expires_at)?,
                expires_at: time(expires_at)?,
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_wrote_is_nothing() {
        for text in [
            "",
            "live",
            "live usr_a 1 2 3",
            "dead",
            "ended now",
            "live usr_a x 1 2 3",
        ] {
            assert_eq!(read_state(text), None, "{text}");
        }
        for text in ["", "1", "1 1", "x 1 -", "1 2 -", "1 1 not an id"] {
            assert_eq!(read_standing(text), None, "{text}");
        }
        let standing = Standing {
            epoch: 7,
            kept_session: Some("ses_00000000000000000000000000".parse().expect("valid")),
            is_active: true,
        };
        assert_eq!(read_standing(&write_standing(&standing)), Some(standing));
    }
}
