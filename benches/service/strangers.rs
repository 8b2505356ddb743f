//! Whether the time of an answer tells a stranger if an address has an account: tries with addresses that have one and
//! with addresses that have none, in an order of chance, one after the other over one connection, and the area under the
//! curve of who would tell them apart by time alone (Mann and Whitney's U: 0.5 is guessing, 1 is knowing).

use std::{
    io::{self, Write as _},
    path::Path,
};

use anyhow::Context as _;
use reqwest::{Client, RequestBuilder, StatusCode};
use sealgate::{
    app::{Foundation, Server, World},
    config::Source,
    domain::{account::NewPerson, ids::AccountId, person_name::PersonName, token::LinkToken},
    http::server::Limits,
    service::{
        Core,
        make_admin::{Reach, make_admin},
    },
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    load,
    people::{email, scattered, stranger, user_type},
};

/// Addresses that have an account.
const MEMBERS: u64 = 200;
/// Tries that go before and are not counted.
const WARM_UP: u64 = 200;

/// One question, and the status of its answer.
struct Question {
    name: &'static str,
    status: StatusCode,
    ask: fn(&Client, &str, &Asked) -> RequestBuilder,
}

/// Whom it is about.
struct Asked {
    address: String,
    link: String,
}

const QUESTIONS: [Question; 7] = [
    Question {
        name: "login",
        status: StatusCode::UNAUTHORIZED,
        ask: |client, base, asked| {
            let form = [("username", asked.address.as_str()), ("password", "Wr0ng-Passw0rd!")];
            client.post(format!("{base}/login")).form(&form)
        },
    },
    Question {
        name: "create",
        status: StatusCode::CREATED,
        ask: |client, base, asked| {
            let person = json!({
                "first_name": "Ada", "last_name": "Lovelace", "email": asked.address, "password": "SecureP@ssw0rd123!",
            });
            client.post(format!("{base}/create")).json(&person)
        },
    },
    Question {
        name: "forget_password",
        status: StatusCode::ACCEPTED,
        ask: |client, base, asked| {
            client
                .post(format!("{base}/forget_password"))
                .json(&json!({ "email": asked.address }))
        },
    },
    Question {
        name: "resend-verification",
        status: StatusCode::ACCEPTED,
        ask: |client, base, asked| {
            client
                .post(format!("{base}/resend-verification"))
                .json(&json!({ "email": asked.address }))
        },
    },
    Question {
        name: "verify, a made-up link",
        status: StatusCode::BAD_REQUEST,
        ask: |client, base, asked| {
            client
                .post(format!("{base}/verify"))
                .json(&json!({ "token": asked.link }))
        },
    },
    Question {
        name: "reset_password_form, a made-up link",
        status: StatusCode::BAD_REQUEST,
        ask: |client, base, asked| client.get(format!("{base}/reset_password_form?token={}", asked.link)),
    },
    // What the method makes of two halves of the same: how far from 0.5 chance alone leads.
    Question {
        name: "nobody against nobody: login",
        status: StatusCode::UNAUTHORIZED,
        ask: |client, base, asked| {
            let form = [("username", asked.link.as_str()), ("password", "Wr0ng-Passw0rd!")];
            client.post(format!("{base}/login")).form(&form)
        },
    },
];

/// Prints it for `tries` a side, on the store that the environment names.
pub(crate) async fn measure(tries: u64) -> anyhow::Result<()> {
    let config = || load(Source::from_environment(Path::new(".")));
    let foundation = Foundation::open(&config()?, World::default()).await?;
    let members = members(&foundation.core).await;
    foundation.close().await;
    let members = members?;
    let server = Server::start(config()?, World::default(), Limits::default()).await?;
    let base = format!("http://{}/{}", server.address, user_type()?);
    let client = Client::builder().no_proxy().build()?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{tries} tries a side\n\n| asked | median, has an account | median, has none | area under the curve |\n|---|---:|---:|---:|"
    )?;
    let mut number = 0;
    for question in &QUESTIONS {
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..WARM_UP + 2 * tries {
            number += 1;
            let has_account = scattered(number).is_multiple_of(2);
            let id: AccountId = if has_account {
                let member = usize::try_from(scattered(number) % MEMBERS)?;
                members.get(member).context("a member")?.clone()
            } else {
                AccountId::make(
                    sealgate::domain::clock::Timestamp::from_millis(i64::try_from(number)?),
                    &Chance(number),
                )
            };
            let asked = Asked {
                address: if has_account {
                    // As long as the others'.
                    email(scattered(number) % MEMBERS)?.expose().to_owned()
                } else {
                    stranger(number)?.expose().to_owned()
                },
                link: LinkToken::make(id, &Chance(number)).expose().expose().to_owned(),
            };
            let request = (question.ask)(&client, &base, &asked).build()?;
            let began = Instant::now();
            let answer = client.execute(request).await?;
            let status = answer.status();
            answer.bytes().await?;
            let took = began.elapsed();
            anyhow::ensure!(status == question.status, "{} answered {status}", question.name);
            if round >= WARM_UP {
                times[usize::from(!has_account)].push(took.as_nanos());
            }
        }
        let [known, unknown] = &mut times;
        let area = area_under_the_curve(known, unknown);
        writeln!(
            out,
            "| {} | {:.3} ms | {:.3} ms | {area:.3} |",
            question.name,
            median_ms(known),
            median_ms(unknown),
        )?;
        out.flush()?;
    }
    server.shut_down().await?;
    Ok(())
}

async fn members(core: &Core) -> anyhow::Result<Vec<AccountId>> {
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        let person = NewPerson {
            email: email(number)?,
            username: None,
            first_name: PersonName::parse("Ada").ok().context("a name")?,
            last_name: PersonName::parse("Lovelace").ok().context("a name")?,
            phone: None,
            country_code: None,
            attributes: None,
        };
        members.push(make_admin(core, &user_type()?, person, Reach::UserType).await?.id);
    }
    Ok(members)
}

/// Bytes without an order, the same in every run.
struct Chance(u64);

impl sealgate::domain::entropy::Entropy for Chance {
    fn fill(&self, out: &mut [u8]) {
        for (n, chunk) in out.chunks_mut(8).enumerate() {
            let bytes = scattered(self.0.wrapping_mul(31).wrapping_add(n as u64)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The chance that one of `known` took longer than one of `unknown`; ties count half.
#[expect(clippy::cast_precision_loss, reason = "counts of tries are far below 2^52")]
fn area_under_the_curve(known: &[u128], unknown: &[u128]) -> f64 {
    let mut all: Vec<(u128, bool)> = known
        .iter()
        .map(|time| (*time, true))
        .chain(unknown.iter().map(|time| (*time, false)))
        .collect();
    all.sort_unstable();
    let (mut rank_sum, mut at) = (0.0, 0);
    while at < all.len() {
        let end = at + all[at..].iter().take_while(|(time, _)| *time == all[at].0).count();
        // Ranks count from 1; those of a tie are all its middle.
        let middle = (at + 1 + end) as f64 / 2.0;
        rank_sum += middle * all[at..end].iter().filter(|(_, is_known)| *is_known).count() as f64;
        at = end;
    }
    let (known, unknown) = (known.len() as f64, unknown.len() as f64);
    (rank_sum - known * (known + 1.0) / 2.0) / (known * unknown)
}

#[expect(clippy::cast_precision_loss, reason = "a try takes far less than 2^52 ns")]
fn median_ms(times: &mut [u128]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default() as f64 / 1e6
}
