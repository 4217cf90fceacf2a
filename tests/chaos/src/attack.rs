//! An attack on one server while two honest members chat: sockets that never read, half-sent
//! requests, answers that are never read, and floods of frames, all at once and from many loopback
//! addresses. The attackers are members of the honest members' conversation.
//!
//! The run passes when the server's memory stays bounded, the honest members lose nothing and are
//! never closed, and their messages keep arriving in time. The attackers are in `attackers`, the
//! honest members in `honest`.

mod attackers;
mod honest;
mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use colloquy_client::{Account, Method, Rest};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::accounts::{self, Group};
use crate::control::Control;
use attackers::{Counts, Target};
use honest::HonestPair;
use report::AttackReport;

/// The sockets that one user may hold in a conversation.
const SOCKETS_PER_USER: usize = 20;

/// The messages of the history that attacking sockets request again and again, and their length: the
/// most that one `resume` may deliver.
const HISTORY_MESSAGES: usize = 300;
const MESSAGE_CHARS: usize = 4_000;

/// How often the memory of the server is read.
const MEMORY_INTERVAL: Duration = Duration::from_millis(200);

/// How long the honest members chat before the attack, for comparison.
const CALM: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct AttackOptions {
    /// Seconds of the attack.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Sockets that never read, of which a tenth sends without pause; as many requests whose body
    /// never ends; and a sixth as many connections that request long answers and never read them.
    #[arg(long, default_value_t = 2_000)]
    attackers: usize,
    /// The most resident memory of the server, in MiB.
    #[arg(long, default_value_t = 400)]
    max_memory_mib: u64,
    /// The longest time that 99 of 100 honest messages may take, in milliseconds.
    #[arg(long, default_value_t = 100)]
    max_p99_ms: u64,
}

/// Runs the attack; returns whether the server withstood it.
pub(crate) async fn run(options: &AttackOptions) -> Result<bool> {
    let control = Control::from_env()?;
    let description = control.describe().await?;
    let port = *description.ports.first().context("no server")?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let rest = accounts::rest(server)?;
    let users = options.attackers.div_ceil(SOCKETS_PER_USER);
    eprintln!("registering {} users", users + 2);
    let group = accounts::create_group(&rest, 0, "attack", users + 2).await?;
    fill_history(&rest, &group).await?;
    let (honest, attackers) = group.members.split_at(2);
    let target = Target {
        server,
        conversation_id: group.conversation.id,
        tokens: tokens(attackers).await,
    };
    let before = control.resident_bytes(Control::server(0)).await?;
    let mut pair = HonestPair::connect(&rest, honest, group.conversation.id).await?;
    eprintln!("the honest members chat");
    let calm = pair.chat(CALM).await?;
    eprintln!("the attack begins");
    let (stop, stopped) = watch::channel(false);
    let counts = Arc::new(Counts::default());
    let attack = attackers::start(options, &Arc::new(target), &counts, &stopped);
    let memory = tokio::spawn(watch_memory(control.clone(), stopped));
    let attacked = pair.chat(Duration::from_secs(options.seconds)).await;
    stop.send_replace(true);
    let peak = memory.await??;
    attack.await;
    let attacked = attacked?;
    let report = AttackReport {
        host: &description.host,
        calm: &calm,
        attacked: &attacked,
        counts: &counts,
        memory_bytes: [before, peak],
        max_memory_mib: options.max_memory_mib,
        max_p99: Duration::from_millis(options.max_p99_ms),
    };
    print!("{}", report.text());
    Ok(report.is_good())
}

/// Stores the messages that a `resume` from the start delivers.
async fn fill_history(rest: &Rest, group: &Group) -> Result<()> {
    let author = group.members.first().context("a group without members")?;
    let path = format!(
        "/api/chat/conversations/{}/messages/",
        group.conversation.id
    );
    // Characters of three bytes, so that the answers are as long as they can be.
    let body = json!({"message": "語".repeat(MESSAGE_CHARS)});
    let token = author.access().await.token;
    for _ in 0..HISTORY_MESSAGES {
        let sent = rest.request(Method::POST, &path, Some(&token), Some(&body));
        sent.await?.expect(&[201])?;
    }
    Ok(())
}

async fn tokens(accounts: &[Arc<Account>]) -> Vec<String> {
    let mut tokens = Vec::with_capacity(accounts.len());
    for account in accounts {
        tokens.push(account.access().await.token);
    }
    tokens
}

/// Returns the highest resident memory in bytes until the attack stops.
async fn watch_memory(control: Control, mut stopped: watch::Receiver<bool>) -> Result<u64> {
    let mut ticks = interval(MEMORY_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut peak = 0;
    while !*stopped.borrow_and_update() {
        ticks.tick().await;
        peak = peak.max(control.resident_bytes(Control::server(0)).await?);
    }
    Ok(peak)
}
