//! Puts users with a login each into a database of Colloquy's, past the password hash: thousands
//! of members would take minutes to register.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::target::{now_ms, session_of};

/// No hash of any password: these users log in by the session they are given.
const NO_PASSWORD: &str = "!";

const YEAR_MS: i64 = 365 * 86_400_000;

/// Fills the database `DATABASE_URL` names: `postgres://…` or `sqlite:path`.
pub(crate) async fn seed(users: u32) -> Result<Value> {
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
    if url.starts_with("postgres:") {
        postgres(&url, users).await?;
    } else if url.starts_with("sqlite:") {
        sqlite(&url, users).await?;
    } else {
        bail!("DATABASE_URL names neither PostgreSQL nor SQLite");
    }
    Ok(json!({ "users": users }))
}

async fn postgres(url: &str, users: u32) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let mut transaction = connection.begin().await?;
    for user in 1..=users {
        let name = format!("bench{user}");
        let email = format!("{name}@chat.example");
        sqlx::query(
            "with made as (
                insert into users (id, username, username_key, email, email_key, password_hash,
                    first_name, last_name, created_at)
                values ($1, $2, $2, $3, $3, $4, '', '', now())
                returning id
            )
            insert into sessions (id, user_id, created_at, expires_at)
            select $5, id, now(), now() + interval '1 year' from made",
        )
        .bind(i64::from(user))
        .bind(name)
        .bind(email)
        .bind(NO_PASSWORD)
        .bind(session_of(user))
        .execute(&mut *transaction)
        .await?;
    }
    // Users who register later are numbered behind these.
    sqlx::query("select setval(pg_get_serial_sequence('users', 'id'), $1)")
        .bind(i64::from(users))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    sqlx::query("analyze").execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn sqlite(url: &str, users: u32) -> Result<()> {
    let mut connection = SqliteConnection::connect(url).await?;
    let mut transaction = connection.begin().await?;
    let now = now_ms();
    for user in 1..=users {
        let name = format!("bench{user}");
        let email = format!("{name}@chat.example");
        sqlx::query(
            "insert into users (id, username, username_key, email, email_key, password_hash,
                first_name, last_name, created_at)
            values ($1, $2, $2, $3, $3, $4, '', '', $5)",
        )
        .bind(i64::from(user))
        .bind(name)
        .bind(email)
        .bind(NO_PASSWORD)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "insert into sessions (id, user_id, created_at, expires_at) values ($1, $2, $3, $4)",
        )
        .bind(session_of(user))
        .bind(i64::from(user))
        .bind(now)
        .bind(now + YEAR_MS)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(connection.close().await?)
}
