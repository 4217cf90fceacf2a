//! What an operator does by hand, beside a running server or without one.

use std::env;
use std::io::{self, BufRead as _, Write as _};

use anyhow::{Context as _, bail};
use colloquy_core::auth::{HashMemory, Password, PasswordJob, PasswordOutcome, SALT_BYTES};
use colloquy_core::config::Settings;
use colloquy_core::ports::{Clock as _, CreatedUser, Rng as _};
use colloquy_core::service::ServiceError;
use colloquy_core::service::accounts::{Registration, validate};
use colloquy_proto::domain::Epoch;

use crate::app::{Shown, open_database};
use crate::cli::CreateAdmin;
use crate::clock::{SystemClock, SystemRng};
use crate::migrate;

/// Where the password is taken from when nobody can be asked.
const PASSWORD_VARIABLE: &str = "COLLOQUY_ADMIN_PASSWORD";

/// Brings the schema up to date, whatever `MIGRATE_ON_START` says.
pub fn migrate(settings: Settings) -> anyhow::Result<()> {
    let settings = Settings {
        migrate_on_start: true,
        ..settings
    };
    wait(async {
        let backend = open_database(&settings).await?;
        migrate::check_schema(&backend).await?;
        backend.close().await;
        println!("{} is up to date", Shown(&settings.database));
        Ok(())
    })
}

/// Gives the database's history a new name.
pub fn renew_epoch(settings: &Settings) -> anyhow::Result<()> {
    let mut bytes = [0; 8];
    SystemRng.fill(&mut bytes);
    let epoch = u64::from_le_bytes(bytes);
    let epoch = format!("{epoch:016x}");
    wait(async {
        let backend = open_database(settings).await?;
        backend
            .store()
            .renew_epoch(&Epoch(epoch.as_str().into()))
            .await?;
        backend.close().await;
        println!(
            "{} now has the epoch {epoch}; restart its servers",
            Shown(&settings.database)
        );
        Ok(())
    })
}

/// Makes an account that may use `/api/admin/`, under the rules of every account.
pub fn create_admin(settings: &Settings, wanted: CreateAdmin) -> anyhow::Result<()> {
    let registration = Registration {
        username: Some(wanted.username.map_or_else(|| ask("Username"), Ok)?),
        email: Some(wanted.email.map_or_else(|| ask("E-mail address"), Ok)?),
        password: Some(password()?),
        first_name: None,
        last_name: None,
    };
    let (mut user, password) = validate(registration).map_err(told)?;
    user.is_admin = true;
    user.password_hash = hash(password)?;
    wait(async {
        let backend = open_database(settings).await?;
        let created = backend
            .store()
            .create_user(&user, SystemClock.now())
            .await?;
        backend.close().await;
        match created {
            CreatedUser::Created(user) => {
                println!("{} is an administrator (id {})", user.username, user.id);
                Ok(())
            }
            CreatedUser::Taken { username: true, .. } => bail!("the username is taken"),
            CreatedUser::Taken { .. } => bail!("the e-mail address is taken"),
        }
    })
}

fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn ask(what: &str) -> anyhow::Result<String> {
    // On standard error, as standard output may be a file.
    eprint!("{what}: ");
    io::stderr().flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line)?;
    anyhow::ensure!(read > 0, "{what} was not given");
    Ok(line.trim().to_owned())
}

/// From the environment, or asked for twice without showing it.
fn password() -> anyhow::Result<String> {
    if let Ok(password) = env::var(PASSWORD_VARIABLE) {
        return Ok(password);
    }
    let prompt = |text| {
        rpassword::prompt_password(text).with_context(|| {
            format!("the password cannot be asked for here; set {PASSWORD_VARIABLE}")
        })
    };
    let password = prompt("Password: ")?;
    anyhow::ensure!(password == prompt("Once more: ")?, "the passwords differ");
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

fn told(error: ServiceError) -> anyhow::Error {
    let ServiceError::Invalid(fields) = error else {
        return anyhow::anyhow!("{error:?}");
    };
    let problems = fields
        .iter()
        .map(|(field, problems)| format!("\n  - {field}: {}", problems.join(" ")));
    anyhow::anyhow!(
        "the account cannot be made:{}",
        problems.collect::<String>()
    )
}
