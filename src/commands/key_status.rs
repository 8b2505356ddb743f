//! `sealgate keys status`: what happens to each key next, and how far the work is that it makes.

use std::{io, time::Duration};

use sealgate::{
    app::Foundation,
    config::Config,
    crypto::{
        keyring::{KeyState, KeyUse},
        token_signer::SigningMethod,
    },
    domain::clock::Timestamp,
    service::{
        keyring::waits_for_rotation,
        rotation::{
            self, OTP_OVERLAP,
            progress::{Progress, Standing, progress},
        },
        token_keys::{self, KeyInfo, OVERLAP, PENDING},
    },
};

use crate::commands::keys::{line, said};

/// Writes it.
pub(super) async fn write(
    config: &Config,
    foundation: &Foundation,
    is_json: bool,
    out: &mut impl io::Write,
) -> anyhow::Result<()> {
    let core = &foundation.core;
    let now = core.clock.now();
    let work = progress(core).await?;
    if is_json {
        for job in &work {
            writeln!(out, "{}", to_json(job))?;
        }
        return Ok(());
    }
    let uses: Vec<String> = rotation::uses(core).iter().map(KeyUse::name).collect();
    let token = KeyUse::Token.name();
    for key in token_keys::list(core).await? {
        if key.key_use == token {
            writeln!(out, "{}\n  {}", line(&key, now), outlook(&key, now))?;
        } else if uses.contains(&key.key_use) {
            writeln!(out, "{}\n  {}", line(&key, now), outlook_of_data(&key, now))?;
        }
    }
    for job in &work {
        writeln!(out, "{}", told(job, now))?;
    }
    writeln!(out, "{}", signs(config, foundation))?;
    Ok(())
}

/// What happens to it next.
fn outlook(key: &KeyInfo, now: Timestamp) -> String {
    let left = |period: Duration| match period.saturating_sub(now.since(key.since)) {
        Duration::ZERO => "as soon as a worker runs".to_owned(),
        left => format!("in {}", said(left)),
    };
    match key.state {
        KeyState::Pending => format!("published; signs {}", left(PENDING)),
        KeyState::Active => format!("in the keyring the one that signs, since {}", key.since),
        KeyState::VerifyOnly => format!("verifies; retired {}", left(OVERLAP)),
        KeyState::Retired if key.is_removed => format!("removed {}: nothing that it signed counts", key.since),
        KeyState::Retired => format!("retired {}: its public half is kept for receipts", key.since),
    }
}

/// What signs, and what would.
fn signs(config: &Config, foundation: &Foundation) -> String {
    let tokens = &config.tokens;
    let waits = waits_for_rotation(&foundation.core.signer, &tokens.method, tokens.algorithm);
    match &tokens.method {
        SigningMethod::Hs256(_) => "Tokens are signed with JWT_SECRET (HS256).".to_owned(),
        SigningMethod::Rs256(_) => "Tokens are signed with JWT_PRIVATE_KEY (RS256).".to_owned(),
        SigningMethod::Keyring => match waits {
            Some(waits) => format!("{waits}."),
            None => format!("New keys are made for {}.", tokens.algorithm),
        },
    }
}

/// The same of keys that data hangs on.
fn outlook_of_data(key: &KeyInfo, now: Timestamp) -> String {
    match key.state {
        KeyState::Pending => match PENDING.saturating_sub(now.since(key.since)) {
            Duration::ZERO => "takes over as soon as a worker runs".to_owned(),
            left => format!("takes over in {}", said(left)),
        },
        KeyState::Active => format!("the one that writes, since {}", key.since),
        KeyState::VerifyOnly if key.key_use == KeyUse::Otp.name() => {
            let left = OTP_OVERLAP.saturating_sub(now.since(key.since));
            format!("reads; retired in {}", said(left))
        }
        KeyState::VerifyOnly => "reads; retired when nothing names it any more".to_owned(),
        KeyState::Retired if key.is_removed => format!("destroyed {}", key.since),
        KeyState::Retired => format!(
            "retired {}: nothing names it; `sealgate keys remove` destroys it, when no back-up needs it",
            key.since
        ),
    }
}

fn told(job: &Progress, now: Timestamp) -> String {
    let name = format!("{}/{} over {}", job.key_use, job.version, job.user_type);
    let failed = match job.tally.failed {
        0 => String::new(),
        failed => format!("; {failed} can't be changed, see the worker's log and `sealgate doctor --records`"),
    };
    let counts = format!("{} changed so far{failed}", job.changed);
    match job.standing {
        Standing::Waits { until } => format!("{name}: begins in {}", said(until.since(now))),
        Standing::Runs { stage, pass } => {
            let pace = job
                .per_second
                .map_or_else(String::new, |rate| format!(", {rate:.0} a second"));
            let left = job
                .time_left()
                .map_or_else(String::new, |left| format!(", about {} left", said(left)));
            format!(
                "{name}: {}, pass {pass}: {} of {} looked at{pace}{left}; {counts}",
                stage.as_str(),
                job.tally.seen,
                job.total
            )
        }
        Standing::Rests { stage, until } => {
            format!(
                "{name}: {} goes on in {}; {counts}",
                stage.as_str(),
                said(until.since(now))
            )
        }
        Standing::Paused { stage } => {
            format!("{name}: {} waits for `sealgate keys resume`; {counts}", stage.as_str())
        }
        Standing::Done => format!("{name}: done; {counts}"),
    }
}

fn to_json(job: &Progress) -> String {
    let (standing, stage) = match job.standing {
        Standing::Waits { .. } => ("waits", None),
        Standing::Runs { stage, .. } => ("runs", Some(stage)),
        Standing::Rests { stage, .. } => ("rests", Some(stage)),
        Standing::Paused { stage } => ("paused", Some(stage)),
        Standing::Done => ("done", None),
    };
    serde_json::json!({
        "use": job.key_use,
        "version": job.version,
        "user_type": job.user_type.to_string(),
        "standing": standing,
        "stage": stage.map(sealgate::storage::key_jobs::Stage::as_str),
        "total": job.total,
        "seen": job.tally.seen,
        "failed": job.tally.failed,
        "changed": job.changed,
        "left": job.left,
        "per_second": job.per_second,
        "seconds_left": job.time_left().map(|left| left.as_secs()),
    })
    .to_string()
}
