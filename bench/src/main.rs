//! The load generator: measures one server once and prints one line of JSON.
//!
//! Starting servers, repeating rounds and comparing results is done by `cargo xtask bench`. To add a
//! measurement: a module with a `measure` function and a row in [`Command`].

mod admission_check;
mod connections;
mod fanout;
mod http;
mod load;
mod logins;
mod noise_probe;
mod open_loop;
mod ordering_check;
mod output;
mod proc_usage;
mod requests;
mod run;
mod scaling;
mod seed;
mod socket;
mod target;
mod wire;

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
    /// Seed users, each with a session, into the migrated database `DATABASE_URL`.
    Seed {
        /// Number of users to fill rooms with; 100 more are seeded for reads.
        #[arg(long, default_value_t = 5_000)]
        users: u32,
    },
    /// Fan-out: rooms in which every member receives and some members send.
    Fanout {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: fanout::FanoutOptions,
    },
    /// The cost of a message and of a delivery at a moderate rate.
    Scaling {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: scaling::ScalingOptions,
    },
    /// Memory of an idle connection.
    Idle {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: connections::ConnectionOptions,
    },
    /// Sockets that connect and disconnect.
    Connects {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: connections::ConnectionOptions,
    },
    /// A reconnect storm: all sockets are reset and reconnect at once.
    Storm {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: connections::ConnectionOptions,
    },
    /// REST reads.
    Reads {
        #[command(flatten)]
        target: Target,
        /// The resource to read.
        #[arg(long, value_enum, default_value = "history")]
        what: requests::Resource,
        #[command(flatten)]
        options: requests::RequestOptions,
    },
    /// Logins, compared with the password hash alone.
    Logins {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: requests::RequestOptions,
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
            Command::Fanout { target, options } => fanout::measure(&target, &options).await,
            Command::Scaling { target, options } => scaling::measure(&target, &options).await,
            Command::Idle { target, options } => connections::idle(&target, &options).await,
            Command::Connects { target, options } => connections::connects(&target, &options).await,
            Command::Storm { target, options } => connections::storm(&target, &options).await,
            Command::Reads {
                target,
                what,
                options,
            } => requests::reads(&target, what, &options).await,
            Command::Logins { target, options } => logins::measure(&target, &options).await,
        }
    })?;
    println!("{figures}");
    Ok(())
}
