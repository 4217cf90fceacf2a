//! A chaos run plus consistency check, Jepsen style: clients send, edit, resume, reconnect and log
//! out, members are removed and added again, while servers are killed and frozen, databases are
//! stalled and connections are cut. A checker then compares every client's log with the database.
//!
//! A second scenario, `attack`, sends attacking clients against a server while honest ones chat.
//!
//! The program knows the servers by their addresses, the databases by URL and the control server by
//! its URL; `cargo xtask torture` starts all of them. The faults are in `plan` and `faults`, the
//! clients in `v2_client`, `v1_client`, `rest_client`, `sdk_client`, `editor`, `logout_client` and `group_admin`,
//! the guarantees in `checker`.

mod accounts;
mod attack;
mod checker;
mod client_log;
mod clients;
mod control;
mod database;
mod durability_probe;
mod editor;
mod faults;
mod frame;
mod group_admin;
mod harness;
mod logout_client;
mod message_key;
mod plan;
mod report;
mod rest_client;
mod sdk_client;
mod sdk_process;
mod tcp_proxy;
mod v1_client;
mod v2_client;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use attack::AttackOptions;
use checker::{StoredConversation, Violation, check};
use client_log::ConversationKey;
use clients::{Clients, Targets};
use control::Control;
use database::Database;
use faults::{FaultInjector, Injected, within};
use harness::Phase;
use plan::{FaultKind, Lane, plan};
use report::Outcome;
use sdk_process::SdkProcess;
use tcp_proxy::TcpProxy;

/// The environment variables with the addresses of the two databases.
const DATABASES: [&str; 2] = ["COLLOQUY_DATABASE_URL", "COLLOQUY_THROTTLED_DATABASE_URL"];

/// How long the clients may take to have everything acknowledged after the last fault, and then to
/// catch up.
const SETTLE_TIMEOUT: Duration = Duration::from_mins(2);

/// How often all clients catch up with late arrivals.
const CATCH_UP_ATTEMPTS: usize = 5;

/// How much longer than planned the faults may take.
const FAULT_OVERRUN: Duration = Duration::from_secs(90);

#[derive(Parser)]
enum Scenario {
    /// Honest clients while faults are injected, and a check that nothing acknowledged is lost.
    Chaos(Options),
    /// Attacking clients beside honest ones.
    Attack(AttackOptions),
}

#[derive(clap::Args)]
struct Options {
    /// Minutes of injected faults.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Number of clients.
    #[arg(long, default_value_t = 200)]
    clients: u32,
    /// Seed of the fault plan and of the clients' choices.
    #[arg(long)]
    seed: u64,
    /// The script with clients of the SDK for JavaScript; without it there are none.
    #[arg(long)]
    sdk: Option<PathBuf>,
}

/// Prints the progress of the run with the elapsed time.
struct Progress(Instant);

impl Progress {
    fn report(&self, what: &str) {
        eprintln!("{:>4} s  {what}", self.0.elapsed().as_secs());
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Scenario::parse() {
        Scenario::Chaos(options) => Box::pin(run(&options)).await,
        Scenario::Attack(options) => Box::pin(attack::run(&options)).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(options: &Options) -> Result<bool> {
    let control = Control::from_env()?;
    let description = control.describe().await?;
    let mut databases = Vec::new();
    for name in DATABASES {
        let url = std::env::var(name).with_context(|| format!("{name} is not set"))?;
        databases.push(Database::parse(&url)?);
    }
    let mut proxies = Vec::new();
    for port in &description.ports {
        proxies.push(Arc::new(TcpProxy::start(*port).await?));
    }
    let (sender, delivered) = mpsc::channel(durability_probe::QUEUE_LEN);
    let probe = tokio::spawn(durability_probe::run(databases.clone(), delivered));
    eprintln!("registering {} clients", options.clients);
    let sdk = options.sdk.as_deref().map(SdkProcess::start).transpose()?;
    let targets = Targets {
        ports: &description.ports,
        proxies: &proxies,
        probe: sender,
        sdk: sdk.as_ref(),
    };
    let mut clients = Clients::create(options.clients, options.seed, targets).await?;
    let injector = FaultInjector {
        control,
        capabilities: description.capabilities,
        proxies,
        databases,
        burst_requests: clients.burst_requests(),
    };
    let progress = Progress(Instant::now());
    progress.report("clients send, faults are injected");
    clients.start();
    let injected = inject_faults(options, &injector).await?;
    progress.report("all services are restored, clients finish their requests");
    clients.enter(Phase::Settling);
    let (stored, mut unsettled) = conclude(&mut clients, &injector, &progress).await?;
    unsettled.extend(clients.end(SETTLE_TIMEOUT).await);
    let logs = clients.logs();
    // The last sender of deliveries is dropped.
    drop(clients);
    let probe_result = probe.await?;
    progress.report("checking the logs against the databases");
    let mut found = check(&stored, &logs);
    for sentence in probe_result.early {
        found.add(Violation::Lost, || sentence);
    }
    for sentence in unsettled {
        found.add(Violation::Other, || sentence);
    }
    let outcome = Outcome {
        host: &description.host,
        seed: options.seed,
        minutes: options.minutes,
        logs: &logs,
        injected: &injected,
        supported: &FaultKind::all(&injector.capabilities),
        findings: &found,
        probed: probe_result.probed,
    };
    print!("{}", outcome.text());
    Ok(outcome.is_good())
}

/// Lets every client finish its requests and catch up, until the databases do not change any more:
/// a request of a client that gave up on it may still arrive late.
async fn conclude(
    clients: &mut Clients,
    injector: &FaultInjector,
    progress: &Progress,
) -> Result<(BTreeMap<ConversationKey, StoredConversation>, Vec<String>)> {
    let mut unsettled = clients.settle(SETTLE_TIMEOUT).await;
    progress.report("all clients resume for the last time");
    let mut before = stored(injector).await?;
    for _ in 0..CATCH_UP_ATTEMPTS {
        unsettled.extend(clients.catch_up(&before, SETTLE_TIMEOUT).await);
        let after = stored(injector).await?;
        if heads(&before) == heads(&after) {
            return Ok((after, unsettled));
        }
        before = after;
    }
    unsettled.push("conversations changed after all clients had finished".to_owned());
    Ok((before, unsettled))
}

async fn stored(injector: &FaultInjector) -> Result<BTreeMap<ConversationKey, StoredConversation>> {
    let mut all = BTreeMap::new();
    for (server, database) in injector.databases.iter().enumerate() {
        all.append(&mut database.stored(server).await?);
    }
    Ok(all)
}

fn heads(stored: &BTreeMap<ConversationKey, StoredConversation>) -> Vec<u64> {
    stored.values().map(|stored| stored.seq).collect()
}

/// Injects all planned faults, then restores all services.
async fn inject_faults(options: &Options, injector: &FaultInjector) -> Result<Injected> {
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    let start = Instant::now();
    let end = start + time;
    let planned = |lane| plan(options.seed, lane, time, &injector.capabilities);
    let (servers, proxies) = (planned(Lane::Servers), planned(Lane::Network));
    let both = async {
        tokio::try_join!(
            injector.run_lane(&servers, start, end),
            injector.run_lane(&proxies, start, end)
        )
    };
    let (mut injected, proxies) = within(time + FAULT_OVERRUN, both).await?;
    injected.extend(proxies);
    sleep_until(end).await;
    injector.restore().await?;
    Ok(injected)
}
