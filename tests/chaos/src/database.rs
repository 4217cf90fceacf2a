//! Direct access to a server's database: what is stored, and two faults that need the database
//! itself, terminated connections and locked tables.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection};

use crate::checker::StoredConversation;
use crate::client_log::{ChangeEvent, ChangeKind, ConversationKey, MessageEvent};
use crate::frame;

/// One server's database.
#[derive(Clone)]
pub(crate) enum Database {
    Postgres(String),
    Sqlite(String),
}

/// The columns of [`MESSAGES`], in order.
type MessageRow = (i64, i64, i64, i64, i64, Option<String>, String, i64);

const MESSAGES: &str =
    "select conversation_id, seq, number, id, sender_id, client_message_id, content, version
    from messages order by conversation_id, number";

/// The columns of [`CHANGES`], in order.
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

/// The rows of a whole database.
type Rows = (Vec<MessageRow>, Vec<ChangeRow>, Vec<(i64, i64, i64)>);

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
    pub(crate) async fn stored(
        &self,
        server: usize,
    ) -> Result<BTreeMap<ConversationKey, StoredConversation>> {
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
            let conversation = StoredConversation {
                seq,
                number,
                ..StoredConversation::default()
            };
            stored.insert(ConversationKey { server, id }, conversation);
        }
        for row in rows {
            let id = positive(row.0)?;
            let conversation = stored.get_mut(&ConversationKey { server, id });
            let conversation = conversation.context("a message without a conversation")?;
            conversation.rows.push(event(&row)?);
        }
        for row in changes {
            let id = positive(row.0)?;
            let conversation = stored.get_mut(&ConversationKey { server, id });
            let conversation = conversation.context("a change without a conversation")?;
            conversation.changes.push(change(row)?);
        }
        Ok(stored)
    }

    /// Terminates every connection to it.
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

    /// Blocks all writes for `time` by a lock.
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

/// Reads single events over one connection, which it keeps: opening one takes longer than a read.
pub(crate) struct Lookup {
    database: Database,
    open: Option<OpenConnection>,
}

enum OpenConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Lookup {
    pub(crate) const fn of(database: Database) -> Self {
        let open = None;
        Self { database, open }
    }

    /// The id, version and text of the message with this number.
    pub(crate) async fn message(
        &mut self,
        conversation: ConversationKey,
        number: u64,
    ) -> Result<Option<(u64, u64, String)>> {
        let row: Option<(i64, i64, String)> = self.one(ONE_MESSAGE, conversation, number).await?;
        let whole = |(id, version, text)| anyhow::Ok((positive(id)?, positive(version)?, text));
        row.map(whole).transpose()
    }

    /// The change event with this `seq`, and the stored version of its message.
    pub(crate) async fn change(
        &mut self,
        conversation: ConversationKey,
        seq: u64,
    ) -> Result<Option<(ChangeEvent, Option<u64>)>> {
        let row = self.one(ONE_CHANGE, conversation, seq).await?;
        let whole = |(conversation, seq, kind, message, user, version): OneChangeRow| {
            let version = version.map(positive).transpose()?;
            anyhow::Ok((change((conversation, seq, kind, message, user))?, version))
        };
        row.map(whole).transpose()
    }

    /// One row of a conversation, by a number. After an error the next read opens a new connection.
    async fn one<T>(
        &mut self,
        query: &'static str,
        conversation: ConversationKey,
        number: u64,
    ) -> Result<Option<T>>
    where
        T: for<'row> FromRow<'row, PgRow> + for<'row> FromRow<'row, SqliteRow> + Send + Unpin,
    {
        let (conversation, number) = (i64::try_from(conversation.id)?, i64::try_from(number)?);
        let mut open = match (self.open.take(), &self.database) {
            (Some(open), _) => open,
            (None, Database::Postgres(url)) => {
                OpenConnection::Postgres(PgConnection::connect(url).await?)
            }
            (None, Database::Sqlite(url)) => {
                OpenConnection::Sqlite(SqliteConnection::connect(url).await?)
            }
        };
        let row = match &mut open {
            OpenConnection::Postgres(connection) => {
                let query = sqlx::query_as(query).bind(conversation).bind(number);
                query.fetch_optional(connection).await?
            }
            OpenConnection::Sqlite(connection) => {
                let query = sqlx::query_as(query).bind(conversation).bind(number);
                query.fetch_optional(connection).await?
            }
        };
        self.open = Some(open);
        Ok(row)
    }
}

/// The columns of [`ONE_CHANGE`], in order.
type OneChangeRow = (i64, i64, String, Option<i64>, i64, Option<i64>);

fn positive(number: i64) -> Result<u64> {
    u64::try_from(number).context("a negative number")
}

/// Converts a row. A text that differs from what was sent is an error.
fn event(
    (_, seq, number, id, sender, client_message_id, content, version): &MessageRow,
) -> Result<MessageEvent> {
    let read = frame::content(positive(*version)?, content, client_message_id.as_deref());
    let (key, content) =
        read.map_err(|violation| anyhow!("message {id} as stored: {violation}"))?;
    Ok(MessageEvent {
        seq: positive(*seq)?,
        number: positive(*number)?,
        message_id: positive(*id)?,
        sender_id: positive(*sender)?,
        key,
        content,
    })
}

fn change((_, seq, kind, message_id, user_id): ChangeRow) -> Result<ChangeEvent> {
    Ok(ChangeEvent {
        seq: positive(seq)?,
        kind: match kind.as_str() {
            "edited" => ChangeKind::Edited,
            "deleted" => ChangeKind::Deleted,
            "joined" => ChangeKind::Joined,
            "left" => ChangeKind::Left,
            _ => bail!("unknown kind of change: {kind}"),
        },
        message_id: message_id.map(positive).transpose()?,
        user_id: positive(user_id)?,
    })
}
