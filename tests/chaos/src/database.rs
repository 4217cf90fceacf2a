//! The database behind a server, past the server: what is really stored, and two faults nobody
//! else can cause, its connections cut and its tables locked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection};

use crate::checker::Stored;
use crate::frame;
use crate::log::{Change, Event, Kind, Room};

/// One server's database.
#[derive(Clone)]
pub(crate) enum Database {
    Postgres(String),
    Sqlite(String),
}

/// The columns of [`MESSAGES`], in its order.
type Row = (i64, i64, i64, i64, i64, Option<String>, String, i64);

const MESSAGES: &str =
    "select conversation_id, seq, number, id, sender_id, client_message_id, content, version
    from messages order by conversation_id, number";

/// The columns of [`CHANGES`], in its order.
type ChangeRow = (i64, i64, String, Option<i64>, i64);

const CHANGES: &str = "select conversation_id, seq, kind, message_id, user_id
    from changes order by conversation_id, seq";

const CONVERSATIONS: &str = "select id, seq, number from conversations";

const ONE_MESSAGE: &str = "select id, version, content
    from messages where conversation_id = $1 and number = $2";

const ONE_CHANGE: &str =
    "select c.conversation_id, c.seq, c.kind, c.message_id, c.user_id, m.version
    from changes c left join messages m on m.id = c.message_id
    where c.conversation_id = $1 and c.seq = $2";

/// Everything of a database, as it has it.
type Rows = (Vec<Row>, Vec<ChangeRow>, Vec<(i64, i64, i64)>);

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
        let (rows, changes, conversations): Rows = match self {
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                (
                    sqlx::query_as(MESSAGES).fetch_all(&mut connection).await?,
                    sqlx::query_as(CHANGES).fetch_all(&mut connection).await?,
                    sqlx::query_as(CONVERSATIONS)
                        .fetch_all(&mut connection)
                        .await?,
                )
            }
            Self::Sqlite(url) => {
                let mut connection = SqliteConnection::connect(url).await?;
                (
                    sqlx::query_as(MESSAGES).fetch_all(&mut connection).await?,
                    sqlx::query_as(CHANGES).fetch_all(&mut connection).await?,
                    sqlx::query_as(CONVERSATIONS)
                        .fetch_all(&mut connection)
                        .await?,
                )
            }
        };
        let mut stored = BTreeMap::new();
        for (id, seq, number) in conversations {
            let (id, seq, number) = (positive(id)?, positive(seq)?, positive(number)?);
            let conversation = Stored {
                seq,
                number,
                ..Stored::default()
            };
            stored.insert(Room { server, id }, conversation);
        }
        for row in rows {
            let id = positive(row.0)?;
            let conversation = stored.get_mut(&Room { server, id });
            let conversation = conversation.context("a message of no conversation")?;
            conversation.rows.push(event(&row)?);
        }
        for row in changes {
            let id = positive(row.0)?;
            let conversation = stored.get_mut(&Room { server, id });
            let conversation = conversation.context("a change of no conversation")?;
            conversation.changes.push(change(row)?);
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

/// Looks up single events, by a connection that is kept: opening one takes longer than looking.
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

    /// The message with this number, if there is one: its id, its version and its text.
    pub(crate) async fn message(
        &mut self,
        room: Room,
        number: u64,
    ) -> Result<Option<(u64, u64, String)>> {
        let row: Option<(i64, i64, String)> = self.one(ONE_MESSAGE, room, number).await?;
        let whole = |(id, version, text)| anyhow::Ok((positive(id)?, positive(version)?, text));
        row.map(whole).transpose()
    }

    /// The event beside messages with this `seq`, if there is one, and which version of the message
    /// there is that it is about.
    pub(crate) async fn change(
        &mut self,
        room: Room,
        seq: u64,
    ) -> Result<Option<(Change, Option<u64>)>> {
        let row = self.one(ONE_CHANGE, room, seq).await?;
        let whole = |(room, seq, kind, message, user, version): LookedUp| {
            let version = version.map(positive).transpose()?;
            anyhow::Ok((change((room, seq, kind, message, user))?, version))
        };
        row.map(whole).transpose()
    }

    /// One row of a conversation, by a number. After an error the next look opens a connection anew.
    async fn one<T>(&mut self, query: &'static str, room: Room, number: u64) -> Result<Option<T>>
    where
        T: for<'row> FromRow<'row, PgRow> + for<'row> FromRow<'row, SqliteRow> + Send + Unpin,
    {
        let (room, number) = (i64::try_from(room.id)?, i64::try_from(number)?);
        let mut open = match (self.open.take(), &self.database) {
            (Some(open), _) => open,
            (None, Database::Postgres(url)) => Open::Postgres(PgConnection::connect(url).await?),
            (None, Database::Sqlite(url)) => Open::Sqlite(SqliteConnection::connect(url).await?),
        };
        let row = match &mut open {
            Open::Postgres(connection) => {
                let query = sqlx::query_as(query).bind(room).bind(number);
                query.fetch_optional(connection).await?
            }
            Open::Sqlite(connection) => {
                let query = sqlx::query_as(query).bind(room).bind(number);
                query.fetch_optional(connection).await?
            }
        };
        self.open = Some(open);
        Ok(row)
    }
}

/// The columns of [`ONE_CHANGE`], in its order.
type LookedUp = (i64, i64, String, Option<i64>, i64, Option<i64>);

fn positive(number: i64) -> Result<u64> {
    u64::try_from(number).context("a number below zero")
}

/// A row as an event. A text that was changed on its way is an error of its own.
fn event((_, seq, number, id, sender, client_message_id, content, version): &Row) -> Result<Event> {
    let read = frame::reading(positive(*version)?, content, client_message_id.as_deref());
    let (key, reading) = read.map_err(|trouble| anyhow!("message {id} as stored: {trouble}"))?;
    Ok(Event {
        seq: positive(*seq)?,
        number: positive(*number)?,
        message_id: positive(*id)?,
        sender_id: positive(*sender)?,
        key,
        reading,
    })
}

fn change((_, seq, kind, message_id, user_id): ChangeRow) -> Result<Change> {
    Ok(Change {
        seq: positive(seq)?,
        kind: match kind.as_str() {
            "edited" => Kind::Edited,
            "deleted" => Kind::Deleted,
            "joined" => Kind::Joined,
            "left" => Kind::Left,
            _ => bail!("a change nobody knows: {kind}"),
        },
        message_id: message_id.map(positive).transpose()?,
        user_id: positive(user_id)?,
    })
}
