//! `sealgate doctor --records`: every stored record, looked at.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use sealgate::{
    app::{Foundation, World},
    config::Config,
    service::check_records::{Finding, Listener, Progress, Wrong, check_records},
};

/// How it ends when something is wrong; 1 is that it could not look.
const WRONG: u8 = 3;
/// Progress is told at the end of each kind, and after so many of it.
const STRIDE: u64 = 10_000;

struct Teller {
    is_json: bool,
    findings: u64,
}

pub(crate) async fn run(config: &Config, is_json: bool) -> anyhow::Result<ExitCode> {
    let foundation = Foundation::open(config, World::default()).await?;
    let mut teller = Teller { is_json, findings: 0 };
    let checked = check_records(&foundation.core, &mut teller).await;
    foundation.close().await;
    checked?;
    if !is_json {
        let verdict = match teller.findings {
            0 => "Every record is as the service wrote it.".to_owned(),
            more => format!("{more} finding(s): docs/OPERATIONS.md says what to do."),
        };
        writeln!(io::stdout(), "{verdict}")?;
    }
    Ok(if teller.findings == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(WRONG)
    })
}

impl Listener for Teller {
    fn found(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings += 1;
        let text = if self.is_json { to_json(finding) } else { line(finding) };
        writeln!(io::stdout(), "{text}")
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        let Progress {
            record,
            user_type,
            seen,
            is_done,
        } = progress;
        if *is_done || seen.is_multiple_of(STRIDE) {
            let end = if *is_done { "" } else { " so far" };
            writeln!(io::stderr(), "{record} of {user_type}: {seen} looked at{end}")?;
        }
        Ok(())
    }
}

fn line(finding: &Finding) -> String {
    let says = match &finding.wrong {
        Wrong::Mac => "its MAC does not verify: it was changed behind the service's back".to_owned(),
        Wrong::Damaged => "it can't be read".to_owned(),
        Wrong::Newer => "it is of a newer version of Sealgate".to_owned(),
        Wrong::NoDataKey => "its data key is not there".to_owned(),
        Wrong::DataKey => "its data key does not unwrap".to_owned(),
        Wrong::Field(name) => format!("its field `{name}` does not open"),
    };
    format!("{}  {}/{}  {says}", finding.record, finding.user_type, finding.id)
}

fn to_json(finding: &Finding) -> String {
    let field = match finding.wrong {
        Wrong::Field(name) => Some(name),
        _ => None,
    };
    serde_json::json!({
        "record": finding.record,
        "user_type": finding.user_type,
        "id": finding.id,
        "wrong": finding.wrong.as_str(),
        "field": field,
    })
    .to_string()
}
