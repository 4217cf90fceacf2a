//! Commands for operators. They work with and without a running server.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use colloquy_core::auth::{HashMemory, Password, PasswordJob, PasswordOutcome, SALT_BYTES};
use colloquy_core::config::{Database, Settings};
use colloquy_core::ports::{Clock as _, CreatedUser, Rng as _};
use colloquy_core::service::ServiceError;
use colloquy_core::service::accounts::{Registration, validate};
use colloquy_core::service::security_events::SecurityEvent;
use colloquy_proto::domain::Epoch;

use crate::app::{Redacted, open_database};
use crate::cli::CreateAdmin;
use crate::clock::{SystemClock, SystemRng};
use crate::driver::Backend;
use crate::logging::Logging;
use crate::migrate;

/// The environment variable with the password, for use without a terminal.
const PASSWORD_VARIABLE: &str = "COLLOQUY_ADMIN_PASSWORD";

/// Migrates the schema, regardless of `MIGRATE_ON_START`.
pub fn migrate(settings: Settings) -> anyhow::Result<()> {
    let settings = Settings {
        migrate_on_start: true,
        ..settings
    };
    block_on(async {
        let backend = open_database(&settings).await?;
        migrate::check_schema(&backend).await?;
        for account in migrate::accounts_with_shared_names(&backend).await? {
            let names = match (account.username, account.email) {
                (Some(_), Some(_)) => "username and e-mail address",
                (Some(_), None) => "username",
                _ => "e-mail address",
            };
            println!(
                "account {}: another account has the same {names}",
                account.id
            );
        }
        backend.close().await;
        println!("{} is up to date", Redacted(&settings.database));
        Ok(())
    })
}

/// Replaces the epoch of the database.
pub fn renew_epoch(settings: &Settings) -> anyhow::Result<()> {
    let _logs = Logging::of(settings).install_for_command(Arc::new(SystemClock))?;
    let epoch = new_epoch();
    block_on(async {
        let backend = open_existing(settings).await?;
        backend.store().renew_epoch(&epoch).await?;
        backend.close().await;
        SecurityEvent::EpochRenewed.report(None, None);
        println!(
            "{} now has the epoch {}; restart its servers",
            Redacted(&settings.database),
            epoch.0
        );
        Ok(())
    })
}

/// An epoch that no database has had.
pub(crate) fn new_epoch() -> Epoch {
    let mut bytes = [0; 8];
    SystemRng.fill(&mut bytes);
    Epoch(format!("{:016x}", u64::from_le_bytes(bytes)).into())
}

/// Fails unless there is a database. SQLite takes an empty file for one.
pub(crate) fn require(database: &Path) -> anyhow::Result<()> {
    match fs::metadata(database) {
        Ok(file) if file.len() > 0 => Ok(()),
        Ok(_) => bail!("{} is empty", database.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "there is no database {}: check DATA_DIR and DATABASE_URL",
            database.display()
        ),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", database.display())),
    }
}

/// Opens a database that exists: with a wrong `DATA_DIR` a command would otherwise create another.
async fn open_existing(settings: &Settings) -> anyhow::Result<Backend> {
    if let Database::Sqlite(path) = &settings.database {
        require(path)?;
    }
    open_database(settings).await
}

/// Creates an account with administrator rights. The usual account rules apply.
pub fn create_admin(settings: &Settings, options: CreateAdmin) -> anyhow::Result<()> {
    let _logs = Logging::of(settings).install_for_command(Arc::new(SystemClock))?;
    let registration = Registration {
        username: Some(options.username.map_or_else(|| prompt("Username"), Ok)?),
        email: Some(options.email.map_or_else(|| prompt("E-mail address"), Ok)?),
        password: Some(password()?),
        first_name: None,
        last_name: None,
    };
    let (mut user, password) = validate(registration).map_err(invalid_account)?;
    user.is_admin = true;
    user.password_hash = hash(password)?;
    block_on(async {
        let backend = open_existing(settings).await?;
        let created = backend
            .store()
            .create_user(&user, SystemClock.now())
            .await?;
        backend.close().await;
        match created {
            CreatedUser::Created(user) => {
                SecurityEvent::AdminCreated.report(Some(user.id), None);
                println!("{} is an administrator (id {})", user.username, user.id);
                Ok(())
            }
            CreatedUser::Taken { username: true, .. } => bail!("the username is taken"),
            CreatedUser::Taken { .. } => bail!("the e-mail address is taken"),
        }
    })
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    runtime()?.block_on(work)
}

/// The runtime of a command.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn prompt(what: &str) -> anyhow::Result<String> {
    // On standard error, because standard output may be redirected.
    eprint!("{what}: ");
    io::stderr().flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    anyhow::ensure!(read > 0, "{what} is required");
    Ok(line.trim().to_owned())
}

/// From the environment, or prompted for twice without echo.
fn password() -> anyhow::Result<String> {
    if let Ok(password) = env::var(PASSWORD_VARIABLE) {
        return Ok(password);
    }
    let hidden = |text| {
        rpassword::prompt_password(text).with_context(|| {
            format!("no terminal to prompt for the password; set {PASSWORD_VARIABLE}")
        })
    };
    let password = hidden("Password: ")?;
    anyhow::ensure!(
        password == hidden("Repeat password: ")?,
        "the passwords do not match"
    );
    Ok(password)
}

fn hash(password: Password) -> anyhow::Result<String> {
    let mut salt = [0; SALT_BYTES];
    SystemRng.fill(&mut salt);
    match (PasswordJob::Hash { password, salt }).run(&mut HashMemory::default()) {
        PasswordOutcome::Hashed(hash) => Ok(hash),
        _ => bail!("the password could not be hashed"),
    }
}

fn invalid_account(error: ServiceError) -> anyhow::Error {
    let ServiceError::Invalid(fields) = error else {
        return anyhow::anyhow!("{error:?}");
    };
    let problems = fields
        .iter()
        .map(|(field, problems)| format!("\n  - {field}: {}", problems.join(" ")));
    anyhow::anyhow!(
        "the account cannot be created:{}",
        problems.collect::<String>()
    )
}
