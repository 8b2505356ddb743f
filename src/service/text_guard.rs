//! What stands between an account and a text that costs money: the countries that are texted, limits, a cap of the day, and
//! an alarm when codes don't come back.
//!
//! Whoever earns with texts (toll fraud) has real accounts, many addresses and numbers in a row, and never sends a code
//! back. Limits slow them down, the caps end what a day can cost, and the alarm stops the prefix they use. The caps and the
//! alarm count whether or not limits are on.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    domain::{
        audit::{AuditEvent, Outcome},
        clock::Timestamp,
        ids::AccountId,
        limits::Limit,
        phone::Phone,
        text_scope::TextScope,
        user_type::UserType,
    },
    service::{
        core::Core,
        failure::Failure,
        limits::{spend, spend_of_all},
    },
    storage::{
        Ref, Verdict,
        limits::{Quota, Spent},
        text_counts::{Conversion, ConversionAlarm, Spend, TextCountRecord, count},
    },
};

/// Counts that nobody changed for so long say nothing any more.
pub const KEPT: Duration = Duration::from_hours(48);

/// What an operator may set for all user types together. By default nothing is held back.
#[derive(Clone, Debug)]
pub struct TextPolicy {
    /// Countries whose numbers are texted, in upper case; none is every one.
    pub countries: Option<BTreeSet<String>>,
    /// Texts a day, of all user types together; none is no cap.
    pub daily_cap: Option<u32>,
    /// When too few codes come back.
    pub alarm: ConversionAlarm,
}

impl Default for TextPolicy {
    fn default() -> Self {
        let alarm = ConversionAlarm { volume: 1, percent: 0 };
        Self {
            countries: None,
            daily_cap: None,
            alarm,
        }
    }
}

/// Why no text goes.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// One of the limits.
    #[error("too many texts")]
    TooMany {
        /// The limit that was met.
        quota: Quota,
        /// How long to wait.
        retry_after: Duration,
    },
    /// A breaker is open.
    #[error("texts are paused")]
    Paused {
        /// How long it is open, unless somebody closes it.
        retry_after: Duration,
    },
    /// Not the caller's doing.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// A text that may go and is counted: to be [sent](Self::sent), or [taken back](Self::take_back).
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    /// What each limit said.
    pub limits: Vec<(Quota, Spent)>,
    charged: Vec<TextScope>,
    prefix: TextScope,
    country: TextScope,
}

/// Whether numbers like this one are texted at all.
#[must_use]
pub fn is_served(core: &Core, phone: &Phone) -> bool {
    let countries = core.texts.countries.as_ref();
    countries.is_none_or(|served| phone.territory().is_some_and(|territory| served.contains(territory)))
}

/// Spends one text of `account` from each limit and cap; `client` is the address of its owner's client, as limits count it.
pub async fn admit(core: &Core, account: &Ref<AccountId>, client: &str, phone: &Phone) -> Result<Admitted, GuardError> {
    let user_type = &account.user_type;
    let (prefix, country) = (TextScope::prefix_of(phone), TextScope::country_of(phone));
    let now = core.clock.now();
    let known = core.stores.text_counts.find(&prefix).await.map_err(Failure::from)?;
    if let Some(until) = known.and_then(|record| record.paused_until(now)) {
        metrics::counter!("sealgate_texts_total", "outcome" => "paused").increment(1);
        return Err(paused(until, now));
    }
    let mut admitted = Admitted {
        limits: spend_limits(core, account, client, phone).await?,
        charged: Vec::new(),
        prefix,
        country,
    };
    let caps = [
        (
            TextScope::UserType(user_type.clone()),
            core.settings(user_type).daily_texts,
        ),
        (TextScope::All, core.texts.daily_cap),
    ];
    for (scope, cap) in caps {
        let cap = cap.unwrap_or(u32::MAX);
        let spent = count(&*core.stores.text_counts, &scope, now, |record| record.spend(cap, now)).await;
        let refused = match spent {
            Ok(Some(Spend::Done)) => {
                admitted.charged.push(scope);
                continue;
            }
            Ok(Some(Spend::Refused { until, is_first })) => {
                metrics::counter!("sealgate_texts_total", "outcome" => "paused").increment(1);
                if is_first {
                    tell_paused(core, user_type, &scope, "the cap of the day is reached", until).await;
                }
                paused(until, now)
            }
            // A count that can't be made is not one that may be passed over.
            Ok(None) => Failure::from(crate::storage::StoreError::Contended).into(),
            Err(error) => Failure::from(error).into(),
        };
        admitted.take_back(core).await;
        return Err(refused);
    }
    Ok(admitted)
}

fn paused(until: Timestamp, now: Timestamp) -> GuardError {
    GuardError::Paused {
        retry_after: until.since(now),
    }
}

async fn spend_limits(
    core: &Core,
    account: &Ref<AccountId>,
    client: &str,
    phone: &Phone,
) -> Result<Vec<(Quota, Spent)>, GuardError> {
    let user_type = &account.user_type;
    let account = account.id.as_str();
    let country = TextScope::country_of(phone).to_string();
    let prefix = TextScope::prefix_of(phone).to_string();
    let mut said = Vec::new();
    // A number, a client and a country are the same in every user type: as many types would be as many times the texts.
    for (route, subject, limit) in [
        ("/otp_phone to a number", phone.expose(), Limit::TextsToNumber),
        ("/otp_phone of an account", account, Limit::TextsOfAccount),
        ("/otp_phone of a client", client, Limit::TextsOfClient),
        ("/otp_phone to a prefix", prefix.as_str(), Limit::TextsToPrefix),
        ("/otp_phone to a country", country.as_str(), Limit::TextsToCountry),
    ] {
        let quota = core.quota(limit);
        let spent = if limit == Limit::TextsOfAccount {
            spend(core, user_type, route, subject, quota).await?
        } else {
            spend_of_all(core, user_type, route, subject, quota).await?
        };
        if let Spent::Refused { retry_after } = spent {
            metrics::counter!("sealgate_texts_total", "outcome" => "limited").increment(1);
            return Err(GuardError::TooMany { quota, retry_after });
        }
        said.push((quota, spent));
    }
    Ok(said)
}

impl Admitted {
    /// Counts what became of it; answers what the limits said.
    pub async fn settle(mut self, core: &Core, user_type: &UserType, is_sent: bool) -> Vec<(Quota, Spent)> {
        let limits = std::mem::take(&mut self.limits);
        if is_sent {
            self.sent(core, user_type).await;
        } else {
            self.take_back(core).await;
        }
        limits
    }

    /// Counts the code that goes out, and raises the alarm where those before it don't come back. It is on its way: what
    /// can't be counted is told and stops nothing.
    pub async fn sent(self, core: &Core, user_type: &UserType) {
        metrics::counter!("sealgate_texts_total", "outcome" => "sent").increment(1);
        let now = core.clock.now();
        for scope in [self.prefix, self.country] {
            let noted = count(&*core.stores.text_counts, &scope, now, |record| {
                let alarm = record.note_sent(core.texts.alarm, now);
                alarm.map(|conversion| (conversion, record.paused_until(now).unwrap_or(now)))
            });
            match noted.await.map(Option::flatten) {
                Ok(None) => {}
                Ok(Some((conversion, until))) => alarm(core, user_type, &scope, conversion, until).await,
                Err(error) => tracing::error!(%error, "a text was not counted"),
            }
        }
    }

    /// It does not go after all.
    pub async fn take_back(self, core: &Core) {
        let now = core.clock.now();
        for scope in &self.charged {
            let given = count(&*core.stores.text_counts, scope, now, |record| record.give_back(now)).await;
            if let Err(error) = given {
                tracing::error!(%error, "a text that was not sent stays counted");
            }
        }
    }
}

async fn alarm(core: &Core, user_type: &UserType, scope: &TextScope, conversion: Conversion, until: Timestamp) {
    metrics::counter!("sealgate_text_alarms_total", "kind" => "conversion").increment(1);
    let Conversion { sent, verified } = conversion;
    if matches!(scope, TextScope::Prefix(_)) {
        let why = format!("{verified} of {sent} codes came back within the hour");
        tell_paused(core, user_type, scope, &why, until).await;
        return;
    }
    tracing::warn!(%scope, sent, verified, "few codes come back from there; look at `sealgate texts status`");
    core.note_of_nobody(user_type, AuditEvent::TextConversionLow, Outcome::Refused)
        .await;
}

async fn tell_paused(core: &Core, user_type: &UserType, scope: &TextScope, why: &str, until: Timestamp) {
    metrics::counter!("sealgate_text_alarms_total", "kind" => "pause").increment(1);
    tracing::warn!(%scope, %until, why, "texts are paused; `sealgate texts lift` lets them go again");
    core.note_of_nobody(user_type, AuditEvent::TextsPaused, Outcome::Refused)
        .await;
}

/// Counts a code that was sent to `phone` at `sent_at` and came back. It is done already: what can't be counted is told.
pub async fn note_verified(core: &Core, phone: &Phone, sent_at: Timestamp) {
    metrics::counter!("sealgate_text_codes_verified_total").increment(1);
    let now = core.clock.now();
    for scope in [TextScope::prefix_of(phone), TextScope::country_of(phone)] {
        let mut note = |record: &mut TextCountRecord| record.note_verified(sent_at);
        if let Err(error) = core.stores.text_counts.update(&scope, now, &mut note).await {
            tracing::error!(%error, "a code that came back was not counted");
        }
    }
}

/// Lets texts of a scope go again; `false` where nothing held them back.
pub async fn lift(core: &Core, scope: &TextScope) -> Result<bool, Failure> {
    let now = core.clock.now();
    let cap = cap_of(core, scope);
    let mut is_lifted = false;
    let mut lift = |record: &mut TextCountRecord| {
        is_lifted = record.paused_until(now).is_some() || record.capped_until(cap, now).is_some();
        if !is_lifted {
            return Verdict::Leave;
        }
        record.lift(now);
        Verdict::Store
    };
    core.stores.text_counts.update(scope, now, &mut lift).await?;
    if is_lifted {
        let concerned: Vec<&UserType> = match scope {
            TextScope::UserType(user_type) => vec![user_type],
            _ => core.user_types.keys().collect(),
        };
        for user_type in concerned {
            core.note_of_nobody(user_type, AuditEvent::TextsLifted, Outcome::Success)
                .await;
        }
    }
    Ok(is_lifted)
}

/// The cap of a day, of those scopes that have one.
#[must_use]
pub fn cap_of(core: &Core, scope: &TextScope) -> u32 {
    let cap = match scope {
        TextScope::All => core.texts.daily_cap,
        TextScope::UserType(user_type) => core.settings(user_type).daily_texts,
        TextScope::Country(_) | TextScope::Prefix(_) => None,
    };
    cap.unwrap_or(u32::MAX)
}
