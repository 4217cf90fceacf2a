//! The load generator: one measurement of one server, told as one line of JSON.
//!
//! Starting servers, repeating rounds and comparing them is `cargo xtask bench`. To add a
//! measurement: a module with a `measure` and a row in [`Command`].

mod connections;
mod crowd;
mod fanout;
mod figures;
mod growth;
mod http;
mod joined;
mod logins;
mod order;
mod pacer;
mod requests;
mod run;
mod seed;
mod socket;
mod target;
mod usage;
mod wire;
mod witness;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::target::Target;

#[derive(Parser)]
#[command(about = "Measures one server once and prints one line of JSON")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put users with a login each into a migrated database, named by `DATABASE_URL`.
    Seed {
        /// How many, to fill rooms with; 100 more are made to read.
        #[arg(long, default_value_t = 5_000)]
        users: u32,
    },
    /// Rooms of members, some of whom send.
    Fanout {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        plan: fanout::Plan,
    },
    /// What a message and a delivery cost at a rate the server easily keeps up with.
    Growth {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        plan: growth::Plan,
    },
    /// Memory of an idle connection.
    Retirement {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        plan: connections::Plan,
    },
    /// Sockets that join and leave.
    Joins {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        plan: connections::Plan,
    },
    /// Everyone cut off, everyone back at once.
    Storm {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        plan: connections::Plan,
    },
    /// REST reads.
    Reads {
        #[command(flatten)]
        target: Target,
        /// What is read.
        #[arg(long, value_enum, default_value = "history")]
        what: requests::What,
        #[command(flatten)]
        plan: requests::Plan,
    },
    /// Logins, beside the password hash alone.
    Logins {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        plan: requests::Plan,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let figures = local.block_on(&runtime, async move {
        match cli.command {
            Command::Seed { users } => {
                let database = target::variable("DATABASE_URL");
                seed::seed(&database, users + target::RESERVED).await
            }
            Command::Fanout { target, plan } => fanout::measure(&target, &plan).await,
            Command::Growth { target, plan } => growth::measure(&target, &plan).await,
            Command::Retirement { target, plan } => connections::idle(&target, &plan).await,
            Command::Joins { target, plan } => connections::joins(&target, &plan).await,
            Command::Storm { target, plan } => connections::storm(&target, &plan).await,
            Command::Reads { target, what, plan } => requests::reads(&target, what, &plan).await,
            Command::Logins { target, plan } => logins::measure(&target, &plan).await,
        }
    })?;
    println!("{figures}");
    Ok(())
}
