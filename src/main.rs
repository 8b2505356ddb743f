//! The server and its command line.

mod commands;

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use commands::keys::KeysCommand;
use sealgate::{
    app::{Server, World},
    config::{Config, ConfigProblem, Source, environment::Environment},
    doctor, health_check,
    http::{docs, error_code, server::Limits},
    metrics_listener, process,
};

/// Authentication service whose users' personal data is sealed field by field.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve,
    /// Say what is wrong with the configuration and how to mend it
    Doctor {
        /// Look at every stored record instead: what was changed behind the service's back, what does not open. Exit code 3
        /// when there is any
        #[arg(long)]
        records: bool,
        /// With `--records`: one JSON object a line
        #[arg(long, requires = "records")]
        json: bool,
    },
    /// Print the OpenAPI document
    Openapi {
        /// Print docs/ERRORS.md instead: every error code, what it means and how to mend it
        #[arg(long)]
        errors: bool,
    },
    /// Ask a server whether it is ready: exit code 0 when it is, else 1
    Health {
        /// Where, for example `http://127.0.0.1:8000/livez` (default: `/readyz` of `HTTP_ADDR`)
        url: Option<String>,
    },
    /// The e-mail filter in Redis
    #[command(subcommand)]
    Filter(commands::filter::FilterCommand),
    /// Texts: how many went out, and what is paused
    #[command(subcommand)]
    Texts(commands::texts::TextsCommand),
    /// Messages that were given up
    #[command(subcommand)]
    Outbox(commands::outbox::OutboxCommand),
    /// Bring stored records to the newest version of their shape; servers may serve meanwhile
    Migrate {
        /// Only count what there is to be done
        #[arg(long)]
        dry_run: bool,
    },
    /// What happened
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    /// One account: erased for its owner, or vouched for
    #[command(subcommand)]
    Accounts(commands::accounts::AccountsCommand),
    /// Erasures that were written down
    #[command(subcommand)]
    Erasures(commands::erasures::ErasuresCommand),
    /// Receipts of erasure
    #[command(subcommand)]
    Receipt(commands::receipt::ReceiptCommand),
    /// Administrators
    #[command(subcommand)]
    Admin(commands::admin::AdminCommand),
    /// Accounts from elsewhere
    #[command(subcommand)]
    Import(commands::import::ImportCommand),
    /// The key file, and the keys that sign tokens
    #[command(subcommand)]
    Keys(KeysCommand),
}

fn main() -> ExitCode {
    process::prepare();
    let arguments = Arguments::parse();
    let config = match Source::from_environment(Path::new("."))
        .map_err(|problem| vec![problem])
        .and_then(|source| Config::load(&source))
    {
        Ok(config) => config,
        Err(problems) => return refuse(&problems),
    };
    match run(&arguments.command.unwrap_or(Command::Serve), config) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sealgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(problems: &[ConfigProblem]) -> ExitCode {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "sealgate: the configuration has {} problem(s):", problems.len());
    for problem in problems {
        let _ = writeln!(err, "  - {problem}");
    }
    ExitCode::FAILURE
}

fn run(command: &Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => block_on(serve(config))?,
        Command::Doctor { records: true, json } => return block_on(commands::records::run(&config, *json)),
        Command::Doctor { records: false, .. } => {
            let findings = block_on(async { anyhow::Ok(doctor::examine(&config).await) })?;
            let mut out = io::stdout().lock();
            for finding in &findings {
                writeln!(out, "{finding}")?;
            }
            let is_well = findings.iter().all(doctor::Finding::is_well);
            writeln!(
                out,
                "{}",
                if is_well {
                    "All is well."
                } else {
                    "Mend what is marked `!!`, then ask again."
                }
            )?;
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Openapi { errors: true } => write!(io::stdout(), "{}", error_code::markdown())?,
        Command::Openapi { errors: false } => {
            writeln!(io::stdout(), "{}", docs::document(&config.user_types.order))?;
        }
        Command::Health { url } => {
            let own = || health_check::own_url(config.http.address, config.http.tls.is_some());
            health_check::ask(&url.clone().unwrap_or_else(own))?;
        }
        Command::Filter(command) => block_on(commands::filter::run(&config, command))?,
        Command::Texts(command) => block_on(commands::texts::run(&config, command))?,
        Command::Outbox(command) => block_on(commands::outbox::run(&config, command))?,
        Command::Migrate { dry_run } => block_on(commands::migrate::run(&config, *dry_run))?,
        Command::Audit(command) => return block_on(commands::audit::run(&config, command)),
        Command::Accounts(command) => block_on(commands::accounts::run(&config, command))?,
        Command::Erasures(command) => return block_on(commands::erasures::run(&config, command)),
        Command::Receipt(command) => block_on(commands::receipt::run(&config, command))?,
        Command::Admin(command) => block_on(commands::admin::run(&config, command))?,
        Command::Import(command) => return block_on(commands::import::run(&config, command)),
        Command::Keys(KeysCommand::New { print: true, .. }) => return commands::keys::print_line(),
        Command::Keys(KeysCommand::New { if_missing, .. }) => return commands::keys::make_file(&config, *if_missing),
        Command::Keys(command) => block_on(commands::keys::run(&config, command))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let _logs = process::start_logs(&config.logs, env!("CARGO_PKG_NAME"));
    let hang_ups = process::HangUps::listen()?;
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    if let Some(address) = config.logs.metrics_address {
        metrics_listener::listen(address)?;
    }
    let has_docs = config.http.docs;
    let outbox = (config.environment == Environment::Development).then(|| config.mail.directory.clone());
    let has_audit = config.audit.has_stdout;
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    let world = World {
        audit_lines: has_audit.then(process::audit_to_stdout),
        ..World::default()
    };
    let mut server = Server::start(config, world, Limits::default()).await?;
    let base = format!("{scheme}://{}", server.address);
    // What reads the audit's lines is not to stumble over a greeting.
    if has_audit {
        greet(&base, has_docs, outbox.as_deref(), &mut io::stderr().lock())?;
    } else {
        greet(&base, has_docs, outbox.as_deref(), &mut io::stdout().lock())?;
    }
    let reloader = server.reloader();
    let stopped = async {
        if let Err(error) = process::stop_signal().await {
            tracing::error!(%error, "signals can't be caught");
        }
    };
    let hung_up = async {
        match reloader {
            Some(reloader) => reloader.follow(hang_ups).await,
            None => std::future::pending().await,
        }
    };
    let ended = async {
        tokio::select! {
            () = stopped => {}
            () = hung_up => {}
        }
    };
    Box::pin(server.run_until(ended)).await
}

fn greet(base: &str, has_docs: bool, outbox: Option<&Path>, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "Sealgate {} listens on {base}", env!("CARGO_PKG_VERSION"))?;
    if has_docs {
        writeln!(out, "  docs    {base}/docs  (also /redoc, /scalar, /openapi.json)")?;
    }
    writeln!(out, "  health  {base}/health")?;
    if let Some(folder) = outbox {
        writeln!(out, "  mails   {base}/dev/outbox  (files in {})", folder.display())?;
    }
    out.flush()
}
