//! The `colloquy-local-server` binary: parses the command line and settings and runs a command.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use colloquy_core::config::SettingsError;
use colloquy_local_server::cli::{Cli, Command, Serve};
use colloquy_local_server::environment::{Environment, MalformedFile};
use colloquy_local_server::{admin, backup, healthcheck, run};

/// The exit code for invalid settings; clap uses the same for an invalid command line.
const INVALID_USAGE: u8 = 2;

fn main() -> ExitCode {
    let command = Cli::parse()
        .command
        .unwrap_or(Command::Serve(Serve::default()));
    match execute(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let invalid = error.is::<SettingsError>() || error.is::<MalformedFile>();
            if invalid {
                ExitCode::from(INVALID_USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    let environment = Environment::with_file(Path::new(".env"))?;
    match command {
        Command::Serve(Serve {
            make_secret_key: false,
        }) => run::serve_until_stopped(environment.settings()?),
        Command::Serve(Serve {
            make_secret_key: true,
        }) => run::serve_until_stopped(environment.settings_without_key()?),
        Command::Healthcheck => {
            let (host, port) = environment.address()?;
            healthcheck::healthcheck(&host, port)
        }
        Command::Migrate => admin::migrate(environment.settings_without_key()?),
        Command::CreateAdmin(admin) => {
            admin::create_admin(&environment.settings_without_key()?, admin)
        }
        Command::Backup { file } => backup::backup(&environment.settings_without_key()?, &file),
        Command::Restore { file } => backup::restore(&environment.settings_without_key()?, &file),
        Command::RenewEpoch => admin::renew_epoch(&environment.settings_without_key()?),
    }
}
