//! The torture run: clients that send, edit, resume, reconnect and log out, members that are removed
//! and added again, while everything under them is killed, frozen, stalled and cut, and a checker
//! that holds what they were told against what is stored.
//!
//! Knows servers by their addresses, their databases by URL, and whoever kills and starts them by
//! the control URL; `cargo xtask torture` starts it with all of these. What goes wrong is in
//! `plan`, what clients do in `v2`, `v1`, `rest`, `editor`, `leaver` and
//! `maker`, what must hold in `checker`.

mod checker;
mod control;
mod crowd;
mod database;
mod editor;
mod faults;
mod frame;
mod key;
mod leaver;
mod line;
mod log;
mod maker;
mod people;
mod plan;
mod rest;
mod table;
mod v1;
mod v2;
mod witness;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use checker::{Fault, Stored, check};
use control::Control;
use crowd::{Crowd, Place};
use database::Database;
use faults::{Injected, Stage, within};
use line::Line;
use log::Room;
use plan::{Kind, Lane, plan};
use table::Outcome;
use world::Phase;

/// The variables that hold the addresses of the two servers' databases.
const DATABASES: [&str; 2] = ["COLLOQUY_DATABASE_URL", "COLLOQUY_THROTTLED_DATABASE_URL"];

/// How long after the last fault the clients may take to have everything acknowledged, and then to
/// have everything.
const SETTLE: Duration = Duration::from_mins(2);

/// How often everyone catches up with what arrived late.
const ATTEMPTS: usize = 5;

/// How long after its time the last fault, or what is left of the first of each kind, may take.
const LAST_FAULT: Duration = Duration::from_secs(90);

#[derive(Parser)]
struct Options {
    /// For how long things go wrong.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// How many clients.
    #[arg(long, default_value_t = 200)]
    clients: u32,
    /// What decides.
    #[arg(long)]
    seed: u64,
}

/// Tells how far the run is, with the time since everyone was let go.
struct Progress(Instant);

impl Progress {
    fn tell(&self, what: &str) {
        eprintln!("{:>4} s  {what}", self.0.elapsed().as_secs());
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(&Options::parse())).await {
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
    let mut lines = Vec::new();
    for port in &description.ports {
        lines.push(Arc::new(Line::to(*port).await?));
    }
    let (sender, delivered) = mpsc::channel(witness::AT_ONCE);
    let witness = tokio::spawn(witness::watch(databases.clone(), delivered));
    eprintln!("{} clients register and join", options.clients);
    let place = Place {
        ports: &description.ports,
        lines: &lines,
        witness: sender,
    };
    let mut crowd = Crowd::gather(options.clients, options.seed, place).await?;
    let stage = Stage {
        control,
        capabilities: description.capabilities,
        lines,
        databases,
        shouts: crowd.shouts(),
    };
    let progress = Progress(Instant::now());
    progress.tell("everyone chats, and things go wrong");
    crowd.start();
    let injected = disturb(options, &stage).await?;
    progress.tell("everything is whole again; what was begun is finished");
    crowd.enter(Phase::Settling);
    let (stored, mut unsettled) = conclude(&mut crowd, &stage, &progress).await?;
    unsettled.extend(crowd.end(SETTLE).await);
    let logs = crowd.logs();
    // The last of those who deliver are gone.
    drop(crowd);
    let testimony = witness.await?;
    progress.tell("what everyone was told is held against what is stored");
    let mut found = check(&stored, &logs);
    for sentence in testimony.early {
        found.add(Fault::Lost, || sentence);
    }
    for sentence in unsettled {
        found.add(Fault::Other, || sentence);
    }
    let outcome = Outcome {
        host: &description.host,
        seed: options.seed,
        minutes: options.minutes,
        logs: &logs,
        injected: &injected,
        possible: &Kind::all(&stage.capabilities),
        findings: &found,
        witnessed: testimony.seen,
    };
    print!("{}", outcome.text());
    Ok(outcome.is_good())
}

/// Lets everyone finish what was begun and have everything, until the databases say the same before
/// and after: what was still under way to them, from a client that is long gone, may arrive late.
async fn conclude(
    crowd: &mut Crowd,
    stage: &Stage,
    progress: &Progress,
) -> Result<(BTreeMap<Room, Stored>, Vec<String>)> {
    let mut unsettled = crowd.settle(SETTLE).await;
    progress.tell("everyone resumes for the last time");
    let mut before = stored(stage).await?;
    for _ in 0..ATTEMPTS {
        unsettled.extend(crowd.catch_up(&before, SETTLE).await);
        let after = stored(stage).await?;
        if heads(&before) == heads(&after) {
            return Ok((after, unsettled));
        }
        before = after;
    }
    unsettled.push("the conversations went on after everyone had ended".to_owned());
    Ok((before, unsettled))
}

async fn stored(stage: &Stage) -> Result<BTreeMap<Room, Stored>> {
    let mut all = BTreeMap::new();
    for (server, database) in stage.databases.iter().enumerate() {
        all.append(&mut database.stored(server).await?);
    }
    Ok(all)
}

fn heads(stored: &BTreeMap<Room, Stored>) -> Vec<u64> {
    stored.values().map(|stored| stored.seq).collect()
}

/// Everything that goes wrong, from beginning to end; then everything is whole again.
async fn disturb(options: &Options, stage: &Stage) -> Result<Injected> {
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    let start = Instant::now();
    let end = start + time;
    let planned = |lane| plan(options.seed, lane, time, &stage.capabilities);
    let (servers, lines) = (planned(Lane::Servers), planned(Lane::Lines));
    let both = async {
        tokio::try_join!(
            stage.play(&servers, start, end),
            stage.play(&lines, start, end)
        )
    };
    let (mut injected, lines) = within(time + LAST_FAULT, both).await?;
    injected.extend(lines);
    sleep_until(end).await;
    stage.heal().await?;
    Ok(injected)
}
