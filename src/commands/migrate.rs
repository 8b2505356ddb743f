//! `sealgate migrate`: records of older versions to the newest, beside servers that serve.

use std::io::{self, Write as _};

use sealgate::{
    app::OpenStores,
    config::Config,
    service::migrate::{Progress, migrate},
};

/// A line is written at the end of each record, and after so many of it.
const STRIDE: u64 = 10_000;

pub(crate) async fn run(config: &Config, is_dry: bool) -> anyhow::Result<()> {
    let opened = OpenStores::open(config).await?;
    let mut damaged = 0;
    let mut tell = |progress: &Progress| {
        if progress.is_done {
            damaged += progress.damaged;
        }
        if progress.is_done || progress.seen.is_multiple_of(STRIDE) {
            writeln!(io::stdout(), "{}", line(progress, is_dry))
        } else {
            Ok(())
        }
    };
    let done = migrate(&opened.stores(), &config.user_types.order, is_dry, &mut tell).await;
    opened.close().await;
    done?;
    anyhow::ensure!(damaged == 0, "{damaged} record(s) can't be read; the log names them");
    Ok(())
}

fn line(progress: &Progress, is_dry: bool) -> String {
    let Progress {
        record,
        user_type,
        seen,
        older,
        migrated,
        newer,
        ..
    } = progress;
    let did = if is_dry {
        format!("{older} to migrate")
    } else {
        format!("{migrated} migrated")
    };
    let newer = if *newer == 0 {
        String::new()
    } else {
        format!(", {newer} of a newer version left alone")
    };
    let end = if progress.is_done { "" } else { " so far" };
    format!("{record} of {user_type}: {seen} seen, {did}{newer}{end}")
}
