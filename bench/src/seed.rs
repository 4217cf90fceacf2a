//! Seeds Colloquy's database with rows that would take minutes over REST: users with a session each,
//! without a password hash, and members beyond the number a conversation can be created with.
//!
//! The database is `DATABASE_URL`: `postgres://…` or `sqlite:path`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

/// Matches no password: the users have sessions and do not log in.
const NO_PASSWORD: &str = "!";

const YEAR_MS: i64 = 365 * 86_400_000;

/// A connection to either database.
enum Database {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// Fills a migrated database with users.
pub(crate) async fn seed(url: &str, users: u32) -> Result<Value> {
    match connect(url).await? {
        Database::Postgres(connection) => postgres_users(connection, users).await?,
        Database::Sqlite(connection) => sqlite_users(connection, users).await?,
    }
    Ok(json!({ "users": users }))
}

/// Adds these users to an existing conversation.
pub(crate) async fn add_members(url: &str, conversation: i64, users: &[u32]) -> Result<()> {
    let ids = json!(users).to_string();
    match connect(url).await? {
        Database::Postgres(mut connection) => {
            sqlx::query(
                "insert into members (conversation_id, user_id, joined_at)
                select $1, value::bigint, now() from json_array_elements_text($2::json)",
            )
            .bind(conversation)
            .bind(ids)
            .execute(&mut connection)
            .await?;
            connection.close().await?;
        }
        Database::Sqlite(mut connection) => {
            sqlx::query(
                "insert into members (conversation_id, user_id, joined_at)
                select $1, value, $3 from json_each($2)",
            )
            .bind(conversation)
            .bind(ids)
            .bind(now_ms())
            .execute(&mut connection)
            .await?;
            connection.close().await?;
        }
    }
    Ok(())
}

async fn connect(url: &str) -> Result<Database> {
    ensure!(!url.is_empty(), "DATABASE_URL is not set");
    if url.starts_with("postgres:") {
        Ok(Database::Postgres(PgConnection::connect(url).await?))
    } else if url.starts_with("sqlite:") {
        Ok(Database::Sqlite(SqliteConnection::connect(url).await?))
    } else {
        bail!("DATABASE_URL names neither PostgreSQL nor SQLite")
    }
}

async fn postgres_users(mut connection: PgConnection, users: u32) -> Result<()> {
    let mut transaction = connection.begin().await?;
    for user in 1..=users {
        let name = format!("bench{user}");
        let email = format!("{name}@chat.example");
        sqlx::query(
            "with inserted as (
                insert into users (id, username, username_key, email, email_key, password_hash,
                    first_name, last_name, created_at)
                values ($1, $2, $2, $3, $3, $4, '', '', now())
                returning id
            )
            insert into sessions (id, user_id, created_at, expires_at)
            select $5, id, now(), now() + interval '1 year' from inserted",
        )
        .bind(i64::from(user))
        .bind(name)
        .bind(email)
        .bind(NO_PASSWORD)
        .bind(session_of(user))
        .execute(&mut *transaction)
        .await?;
    }
    // Users that register later get higher ids.
    sqlx::query("select setval(pg_get_serial_sequence('users', 'id'), $1)")
        .bind(i64::from(users))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    sqlx::query("analyze").execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn sqlite_users(mut connection: SqliteConnection, users: u32) -> Result<()> {
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

/// The id of the session every user is seeded with.
pub(crate) fn session_of(user: u32) -> String {
    format!("bench-{user}")
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
