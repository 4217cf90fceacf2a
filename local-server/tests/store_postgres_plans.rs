//! The plans of the statements under PostgreSQL's default settings.
//!
//! A connection keeps one plan per statement while the tables grow, so a plan must be right for a
//! table of any size, and it must be kept: planning takes longer than running.

#[path = "support/asking.rs"]
mod asking;
#[path = "support/recording.rs"]
mod recording;
mod support;

use std::collections::BTreeMap;

use asking::run;
use colloquy_core::ports::{
    CachedSummaries, HistoryRange, NewMessage, NewSession, Rotation, Store,
};
use colloquy_core::store::PostgresStore;
use colloquy_core::store::driver::{Access, Statement};
use colloquy_proto::domain::{
    Caller, ClientMessageId, ConversationId, ConversationKind, DeviceKey, Epoch, MessageId,
    MessageNumber, MessageText, NewConversation, NewUser, Seconds, Seq, SessionId, Timestamp,
    UserId,
};
use futures_util::future::join_all;
use recording::{RecordedStatement, Recording};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use support::{Database, execute};

const NOW: Timestamp = Timestamp(1_900_000_000_000);

/// Inserts conversations 1 to `conversations` of ten members each, with `messages` messages each and
/// a tenth as many other events.
fn seed(conversations: u32, messages: u32) -> String {
    format!(
        "insert into users (username, username_key, email, email_key, password_hash, first_name,
            last_name, created_at)
        select 'u' || i, 'u' || i, 'e' || i, 'e' || i, '', '', '', now()
        from generate_series(1, 10 * {conversations}) i;
        insert into sessions (id, user_id, created_at, expires_at)
        select 's' || id, id, now(), to_timestamp(2000000000) from users;
        insert into devices (user_id, key, used_at)
        select id, 'd' || n, now() from users, generate_series(1, 3) n;
        insert into conversations (kind, seq, number, active_at, created_by, created_at)
        select 'group', {messages} + {messages} / 10, {messages}, now(), 1, now()
        from generate_series(1, {conversations});
        insert into members (conversation_id, user_id, joined_at)
        select c.id, 10 * (c.id - 1) + u, now() from conversations c, generate_series(1, 10) u;
        insert into messages (conversation_id, seq, number, sender_id, content, created_at)
        select c.id, n, n, 1, 'hello', now()
        from conversations c, generate_series(1, {messages}) n;
        insert into changes (conversation_id, seq, kind, message_id, user_id, actor_id, created_at)
        select c.id, {messages} + n, 'edited', n, 1, 1, now()
        from conversations c, generate_series(1, {messages} / 10) n;"
    )
}

fn caller() -> Caller {
    Caller {
        user_id: UserId(1),
        session_id: SessionId("s1".into()),
        expires_at: NOW.plus(Seconds(1_000)),
    }
}

fn send(client_message_id: Option<String>, reply_to: Option<MessageId>) -> NewMessage {
    NewMessage {
        conversation_id: ConversationId(1),
        sender_id: UserId(1),
        session_id: SessionId("s1".into()),
        client_message_id: client_message_id.map(|id| ClientMessageId::new(id).expect("an id")),
        message: MessageText::new("hello").expect("a text"),
        reply_to,
        mentions: Vec::new(),
        dedup_only: false,
        now: NOW,
    }
}

/// Every use case once. `round` keeps its names unique.
async fn run_all(store: &dyn Store, round: usize) {
    let (caller, id, other) = (caller(), ConversationId(1), UserId(11));
    let user = NewUser {
        username: format!("new{round}"),
        email: format!("new{round}@example.com"),
        password_hash: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        is_admin: false,
    };
    store.create_user(&user, NOW).await.expect("runs");
    store.credentials("u1").await.expect("runs");
    let session = NewSession {
        id: SessionId(format!("new{round}").into()),
        user_id: UserId(1),
        created_at: NOW,
        expires_at: NOW,
        rehashed_password: None,
        device: Some(DeviceKey("d1".into())),
    };
    store.open_session(&session).await.expect("runs");
    let rotation = Rotation {
        session_id: SessionId("s2".into()),
        user_id: UserId(2),
        generation: i64::try_from(round).expect("small"),
        now: NOW,
        expires_at: NOW.plus(Seconds(1_000)),
        repeatable_since: NOW,
        device: Some(DeviceKey("d1".into())),
    };
    store.rotate_session(&rotation).await.expect("runs");
    let unknown = SessionId("unknown".into());
    store
        .revoke_session(UserId(1), &unknown, NOW)
        .await
        .expect("runs");
    let group = NewConversation {
        others: vec![UserId(2), UserId(3)],
        kind: ConversationKind::Group,
        name: None,
    };
    let created = store.create_conversation(&caller, &group, NOW).await;
    created.expect("runs").expect("authorized");
    let range = HistoryRange::Around(MessageNumber(5));
    let history = store.messages(&caller, id, range, 20, NOW).await;
    history.expect("runs").expect("authorized");
    let cached = CachedSummaries::default();
    let list = store.conversations(&caller, None, 20, &cached, NOW);
    list.await.expect("runs").expect("authorized");
    let members = store.members(&caller, id, UserId(0), 20, NOW).await;
    members.expect("runs").expect("authorized");
    let conversation = store.conversation(&caller, id, NOW).await;
    conversation.expect("runs").expect("authorized");
    store.events(id, Seq(2), 20).await.expect("runs");
    let client_id = || Some(format!("c{round}"));
    store
        .append(&[send(client_id(), None)])
        .await
        .expect("runs");
    let mentioning = NewMessage {
        mentions: vec![UserId(2), UserId(404)],
        ..send(None, None)
    };
    let batch = [send(None, Some(MessageId(1))), mentioning];
    store.append(&batch).await.expect("runs");
    // A repeat: decided one by one.
    let batch = [send(client_id(), None), send(None, Some(MessageId(1)))];
    store.append(&batch).await.expect("runs");
    let text = MessageText::new(format!("edited {round}")).expect("a text");
    let edited = store.edit_message(&caller, id, MessageId(1), Some(&text), NOW);
    edited.await.expect("runs").expect("authorized");
    let added = store.add_member(&caller, id, other, 1_000, NOW).await;
    added.expect("runs").expect("authorized");
    let removed = store.remove_member(&caller, id, other, NOW).await;
    removed.expect("runs").expect("authorized");
    store.renew_epoch(&Epoch("e".into())).await.expect("runs");
    store.probe().await.expect("runs");
    look_up_all(store).await;
}

/// The small lookups, several of each at once, so that the driver coalesces them.
async fn look_up_all(store: &dyn Store) {
    let (caller, id) = (caller(), ConversationId(1));
    join_all((0..4).map(|_| store.profile(&caller, NOW))).await;
    join_all((0..4).map(|_| store.position(&caller, id, NOW))).await;
    join_all((0..4).map(|_| store.admit(&caller, id, NOW))).await;
}

/// The plan that is kept for all parameters, in JSON.
async fn generic_plan(connection: &mut PgConnection, recorded: &RecordedStatement) -> Value {
    let sql = format!(
        "prepare planned ({}) as {}",
        recorded.types.join(", "),
        recorded.text
    );
    let sql = if recorded.types.is_empty() {
        sql.replace("planned ()", "planned")
    } else {
        sql
    };
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .expect("prepares");
    let arguments = recorded.literals.join(", ");
    let arguments = if arguments.is_empty() {
        arguments
    } else {
        format!("({arguments})")
    };
    let sql = format!("explain (format json) execute planned{arguments}");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut *connection)
        .await
        .expect("explains");
    connection
        .execute("deallocate planned")
        .await
        .expect("deallocates");
    plan[0].clone()
}

/// Every scan of a table, as `node type: table`.
fn scans(plan: &Value, found: &mut Vec<String>) {
    if let (Some(node), Some(table)) = (plan["Node Type"].as_str(), plan["Relation Name"].as_str())
        && node != "ModifyTable"
    {
        found.push(format!("{node}: {table}"));
    }
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        scans(inner, found);
    }
}

/// The kept plan of every statement.
async fn plans(database: &Database) -> BTreeMap<&'static str, Value> {
    let store = PostgresStore::new(Recording::new(database.driver(1)));
    run_all(&store, 1).await;
    let mut connection = PgConnection::connect(&database.url())
        .await
        .expect("connects");
    // Planned at once instead of after five runs; nothing else is set.
    connection
        .execute("set plan_cache_mode = force_generic_plan")
        .await
        .expect("sets");
    let mut plans = BTreeMap::new();
    for recorded in store.driver().take() {
        let plan = generic_plan(&mut connection, &recorded).await;
        plans.insert(recorded.name, plan);
    }
    connection.close().await.expect("closes");
    assert!(plans.len() >= 20, "{:?}", plans.keys());
    plans
}

/// Plans are made while the tables are empty, and kept while they grow.
#[tokio::test]
async fn plans_of_a_new_database_read_growing_tables_by_index() {
    let database = Database::migrated().await;
    execute(&database.url(), &seed(5, 20)).await;
    for (name, plan) in plans(&database).await {
        let mut found = Vec::new();
        scans(&plan["Plan"], &mut found);
        for table in ["messages", "changes", "members", "sessions", "devices"] {
            let scan = format!("Seq Scan: {table}");
            assert!(!found.contains(&scan), "{name}: {found:?}");
        }
        let bitmap = "Bitmap Heap Scan: messages".to_owned();
        assert!(!found.contains(&bitmap), "{name} sorts a conversation");
    }
    database.drop().await;
}

/// JIT compilation starts at a cost of 100,000 and takes longer than any of these statements.
#[tokio::test]
async fn plans_of_a_grown_database_use_indexes_and_no_jit() {
    let database = Database::migrated().await;
    execute(&database.url(), &seed(5_000, 20)).await;
    execute(&database.url(), "analyze").await;
    for (name, plan) in plans(&database).await {
        let mut found = Vec::new();
        scans(&plan["Plan"], &mut found);
        // Tables of one row.
        let small = ["Seq Scan: instance", "Seq Scan: write_probe"];
        let scan = found
            .iter()
            .find(|scan| scan.starts_with("Seq Scan") && !small.contains(&scan.as_str()));
        assert_eq!(scan, None, "{name}");
        let bitmap = "Bitmap Heap Scan: messages".to_owned();
        assert!(!found.contains(&bitmap), "{name} sorts a conversation");
        let cost = plan["Plan"]["Total Cost"].as_f64().expect("a cost");
        assert!(cost < 50_000.0, "{name} is estimated at {cost}");
        assert!(plan.get("JIT").is_none(), "{name}");
    }
    database.drop().await;
}

/// The longest conversation is served by the plan made for the average one.
#[tokio::test]
async fn estimates_do_not_grow_with_the_longest_conversation() {
    let database = Database::migrated().await;
    execute(&database.url(), &seed(2, 50_000)).await;
    execute(&database.url(), "analyze").await;
    for (name, plan) in plans(&database).await {
        let cost = plan["Plan"]["Total Cost"].as_f64().expect("a cost");
        assert!(cost < 50_000.0, "{name} is estimated at {cost}");
    }
    database.drop().await;
}

static PLANNED_EACH_TIME: Statement = Statement {
    name: "test/planned_each_time",
    text: "select string_agg(statement, '; ') from pg_prepared_statements \
           where generic_plans = 0 and custom_plans > 6",
};
static KEPT_PLANS: Statement = Statement {
    name: "test/kept_plans",
    text: "select count(*)::text from pg_prepared_statements where generic_plans > 0",
};

/// By default the server plans five times, and keeps the plan if it costs no more than those.
#[tokio::test]
async fn every_plan_is_kept_from_the_sixth_run_on() {
    let database = Database::migrated().await;
    execute(&database.url(), &seed(100, 100)).await;
    execute(&database.url(), "analyze").await;
    let store = PostgresStore::new(database.driver(1));
    for round in 0..10 {
        run_all(&store, round).await;
    }
    let planned = run(store.driver(), Access::Read, &PLANNED_EACH_TIME, []).await;
    assert_eq!(planned.expect("runs"), None);
    let kept = run(store.driver(), Access::Read, &KEPT_PLANS, []).await;
    let kept: usize = kept
        .expect("runs")
        .expect("a row")
        .parse()
        .expect("a count");
    assert!(kept >= 20, "{kept} plans are kept");
    database.drop().await;
}

static SETTINGS: Statement = Statement {
    name: "test/settings",
    text: "select concat_ws(' ', current_setting('plan_cache_mode'), \
           current_setting('enable_seqscan'), current_setting('jit'))",
};

/// Search, administration and operators' queries of the same role are planned as usual.
#[tokio::test]
async fn role_and_connections_have_default_planner_settings() {
    let database = Database::migrated().await;
    let settings = run(&database.driver(1), Access::Read, &SETTINGS, []).await;
    assert_eq!(settings.expect("runs").as_deref(), Some("auto on on"));
    database.drop().await;
}
