//! The database behind a server, past the server: what is really stored, and two faults nobody
//! else can cause, its connections cut and its tables locked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::checker::Stored;
use crate::key::Key;
use crate::log::{Event, Room};

/// One server's database.
#[derive(Clone)]
pub(crate) enum Database {
    Postgres(String),
    Sqlite(String),
}

/// The columns of [`MESSAGES`], in its order.
type Row = (i64, i64, i64, i64, i64, Option<String>, String);

const MESSAGES: &str =
    "select conversation_id, seq, number, id, sender_id, client_message_id, content
    from messages order by conversation_id, number";

const CONVERSATIONS: &str = "select id, seq, number from conversations";

const ONE: &str = "select id from messages where conversation_id = $1 and number = $2";

impl Database {
    /// `postgres://…` or `sqlite:path`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        if url.starts_with("postgres:") {
            Ok(Self::Postgres(url.to_owned()))
        } else if url.starts_with("sqlite:") {
            Ok(Self::Sqlite(url.to_owned()))
        } else {
            bail!("a database is postgres://… or sqlite:path, not {url}")
        }
    }

    /// Everything that is stored, by conversation.
    pub(crate) async fn stored(&self, server: usize) -> Result<BTreeMap<Room, Stored>> {
        let (rows, conversations): (Vec<Row>, Vec<(i64, i64, i64)>) = match self {
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                let rows = sqlx::query_as(MESSAGES).fetch_all(&mut connection).await?;
                let conversations = sqlx::query_as(CONVERSATIONS);
                (rows, conversations.fetch_all(&mut connection).await?)
            }
            Self::Sqlite(url) => {
                let mut connection = SqliteConnection::connect(url).await?;
                let rows = sqlx::query_as(MESSAGES).fetch_all(&mut connection).await?;
                let conversations = sqlx::query_as(CONVERSATIONS);
                (rows, conversations.fetch_all(&mut connection).await?)
            }
        };
        let mut stored = BTreeMap::new();
        for (id, seq, number) in conversations {
            let (id, seq, number) = (positive(id)?, positive(seq)?, positive(number)?);
            let rows = Vec::new();
            stored.insert(Room { server, id }, Stored { seq, number, rows });
        }
        for row in rows {
            let room = Room {
                server,
                id: positive(row.0)?,
            };
            let conversation = stored
                .get_mut(&room)
                .context("a message of no conversation")?;
            conversation.rows.push(event(&row)?);
        }
        Ok(stored)
    }

    /// Ends every connection to it.
    pub(crate) async fn cut(&self) -> Result<()> {
        let Self::Postgres(url) = self else {
            bail!("an embedded database has no connections to cut");
        };
        let mut connection = PgConnection::connect(url).await?;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()",
        )
        .execute(&mut connection)
        .await?;
        Ok(())
    }

    /// Holds a lock for so long that nothing can be stored.
    pub(crate) async fn stall(&self, time: Duration) -> Result<()> {
        match self {
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                let mut transaction = connection.begin().await?;
                sqlx::query("lock table messages in access exclusive mode")
                    .execute(&mut *transaction)
                    .await?;
                tokio::time::sleep(time).await;
                transaction.rollback().await?;
            }
            Self::Sqlite(url) => {
                let mut connection = SqliteConnection::connect(url).await?;
                let transaction = connection.begin_with("begin immediate").await?;
                tokio::time::sleep(time).await;
                transaction.rollback().await?;
            }
        }
        Ok(())
    }
}

/// Looks up single messages, by a connection that is kept: opening one takes longer than looking.
pub(crate) struct Lookup {
    database: Database,
    open: Option<Open>,
}

enum Open {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Lookup {
    pub(crate) const fn of(database: Database) -> Self {
        let open = None;
        Self { database, open }
    }

    /// The id of the message with this number, if there is one. After an error the next look opens
    /// a connection anew.
    pub(crate) async fn message(&mut self, room: Room, number: u64) -> Result<Option<u64>> {
        let (room, number) = (i64::try_from(room.id)?, i64::try_from(number)?);
        let mut open = match (self.open.take(), &self.database) {
            (Some(open), _) => open,
            (None, Database::Postgres(url)) => Open::Postgres(PgConnection::connect(url).await?),
            (None, Database::Sqlite(url)) => Open::Sqlite(SqliteConnection::connect(url).await?),
        };
        let row: Option<(i64,)> = match &mut open {
            Open::Postgres(connection) => {
                let query = sqlx::query_as(ONE).bind(room).bind(number);
                query.fetch_optional(connection).await?
            }
            Open::Sqlite(connection) => {
                let query = sqlx::query_as(ONE).bind(room).bind(number);
                query.fetch_optional(connection).await?
            }
        };
        self.open = Some(open);
        row.map(|(id,)| positive(id)).transpose()
    }
}

fn positive(number: i64) -> Result<u64> {
    u64::try_from(number).context("a number below zero")
}

/// A row as an event. A text that was changed on its way is an error of its own.
fn event((_, seq, number, id, sender, client_message_id, content): &Row) -> Result<Event> {
    let key = Key::parse(content).with_context(|| format!("a foreign text: {content}"))?;
    if key.text() != *content {
        bail!("the text of {key} is stored as {content}");
    }
    // A v1 client has none.
    if client_message_id
        .as_ref()
        .is_some_and(|id| Key::parse(id).is_some_and(|id| id != key))
    {
        bail!("{key} is stored under {client_message_id:?}");
    }
    Ok(Event {
        seq: positive(*seq)?,
        number: positive(*number)?,
        message_id: positive(*id)?,
        sender_id: positive(*sender)?,
        key,
    })
}
