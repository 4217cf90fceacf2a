//! All clients of a run: created, started and stopped, each with its log.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use anyhow::Result;
use colloquy_client::{AccessToken, Backoff, Rest};
use fastrand::Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::accounts::{self, Group};
use crate::checker::StoredConversation;
use crate::client_log::{ClientKind, ConversationKey, Log, LogEntry};
use crate::editor::Editor;
use crate::group_admin::GroupAdmin;
use crate::harness::{Behaviour, Client, Phase};
use crate::logout_client::LogoutClient;
use crate::rest_client::RestClient;
use crate::sdk_client::SdkClient;
use crate::sdk_process::SdkProcess;
use crate::tcp_proxy::TcpProxy;
use crate::v1_client::V1Client;
use crate::v2_client::V2Client;

/// The most clients in one conversation, and how many of them belong to one user.
const CLIENTS_PER_CONVERSATION: u32 = 24;
const CLIENTS_PER_USER: u32 = 2;

/// Of every eight clients, the one that logs out from time to time. In a full conversation a v1 client
/// shares its session.
const LOGOUT_TURN: u32 = 5;

/// Which client of a conversation belongs to the creator of the group.
const GROUP_ADMIN_TURN: u32 = 4;

/// Of every eight clients, the one that uses the SDK.
const SDK_TURN: u32 = 7;

/// In most conversations.
const NORMAL: Behaviour = Behaviour {
    pause: Duration::from_millis(1_200),
    window: 40,
    bursts: false,
    logs_out: false,
};

/// In the first conversation: enough messages that a disconnected client misses more than one
/// resume delivers, and bursts that overflow the send queue of a client that reads nothing.
const BUSY: Behaviour = Behaviour {
    pause: Duration::from_millis(300),
    window: 120,
    bursts: true,
    logs_out: false,
};

/// On the server with a throttle.
const THROTTLED: Behaviour = Behaviour {
    pause: Duration::from_millis(1_800),
    window: 2,
    bursts: false,
    logs_out: false,
};

enum Actor {
    V1(V1Client),
    V2(V2Client),
    Rest(RestClient),
    Sdk(SdkClient),
}

impl Actor {
    fn client(&mut self) -> &mut Client {
        match self {
            Self::V1(V1Client { client, .. })
            | Self::V2(V2Client { client, .. })
            | Self::Rest(RestClient { client })
            | Self::Sdk(SdkClient { client, .. }) => client,
        }
    }

    async fn run(mut self) -> Self {
        let mut editor = Editor::of(self.client());
        let mut logout_client = LogoutClient::of(self.client());
        let main_task = async {
            match &mut self {
                Self::V1(actor) => actor.run().await,
                Self::V2(actor) => actor.run().await,
                Self::Rest(actor) => actor.run().await,
                Self::Sdk(actor) => actor.run().await,
            }
        };
        tokio::join!(main_task, editor.run(), logout_client.run());
        self
    }

    /// Catches up: to this `seq` by the socket, or to this `number` from the history.
    async fn catch_up(mut self, (seq, number): (u64, u64)) -> Self {
        match &mut self {
            Self::V1(actor) => actor.client.catch_up(number).await,
            Self::V2(actor) => actor.catch_up(seq).await,
            Self::Rest(actor) => actor.client.catch_up(number).await,
            Self::Sdk(actor) => actor.catch_up((seq, number)).await,
        }
        self
    }
}

/// The servers, their proxies and the probe.
pub(crate) struct Targets<'a> {
    pub(crate) ports: &'a [u16],
    pub(crate) proxies: &'a [Arc<TcpProxy>],
    pub(crate) probe: mpsc::Sender<(ConversationKey, LogEntry)>,
    /// The clients of the SDK, if there are any.
    pub(crate) sdk: Option<&'a SdkProcess>,
}

pub(crate) struct Clients {
    phase: watch::Sender<Phase>,
    burst_requests: watch::Sender<u64>,
    logs: Vec<Arc<Mutex<Log>>>,
    idle: Vec<Actor>,
    running: Vec<JoinHandle<Actor>>,
    group_admins: Vec<GroupAdmin>,
    running_admins: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Registers accounts directly, past the proxies, and creates their clients. A quarter of them,
    /// and at least one group, is on the server with a throttle.
    pub(crate) async fn create(count: u32, seed: u64, targets: Targets<'_>) -> Result<Self> {
        let mut clients = Self {
            phase: watch::channel(Phase::Running).0,
            burst_requests: watch::channel(0).0,
            logs: Vec::new(),
            idle: Vec::new(),
            running: Vec::new(),
            group_admins: Vec::new(),
            running_admins: Vec::new(),
        };
        let throttled = count.div_ceil(4);
        for (server, mut remaining) in [count - throttled, throttled].into_iter().enumerate() {
            let direct = accounts::rest(SocketAddr::from((
                Ipv4Addr::LOCALHOST,
                targets.ports[server],
            )))?;
            let rest = accounts::rest(targets.proxies[server].address())?;
            while remaining > 0 {
                let in_group = remaining.min(CLIENTS_PER_CONVERSATION);
                remaining -= in_group;
                let name = format!("torture{}", clients.logs.len());
                let size = usize::try_from(in_group.div_ceil(CLIENTS_PER_USER).max(2))?;
                let group = accounts::create_group(&direct, server, &name, size).await?;
                clients.add_group(&group, in_group, seed, &rest, &targets);
            }
        }
        for actor in &mut clients.idle {
            if let Actor::Sdk(actor) = actor {
                actor.opened().await?;
            }
        }
        Ok(clients)
    }

    fn add_group(
        &mut self,
        group: &Group,
        clients: u32,
        seed: u64,
        rest: &Rest,
        targets: &Targets<'_>,
    ) {
        let behaviour = match (self.logs.len(), group.conversation.server) {
            (0, _) => BUSY,
            (_, 0) => NORMAL,
            _ => THROTTLED,
        };
        let Some((group_admin, others)) = group.members.split_first() else {
            return;
        };
        for (turn, user) in (0..clients).zip(group.members.iter().cycle()) {
            let index = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
            let kind = match turn % 8 {
                _ if turn == GROUP_ADMIN_TURN => ClientKind::GroupAdmin,
                3 => ClientKind::Rest,
                1 | 6 => ClientKind::V1,
                SDK_TURN if targets.sdk.is_some() => ClientKind::Sdk,
                _ => ClientKind::V2,
            };
            let user = if turn == GROUP_ADMIN_TURN {
                group_admin
            } else {
                user
            };
            let log = Log::new(index, kind, group.conversation, user.user_id());
            let log = Arc::new(Mutex::new(log));
            self.logs.push(Arc::clone(&log));
            let client = Client {
                index,
                kind,
                user: Arc::clone(user),
                conversation: group.conversation,
                rest: rest.clone(),
                behaviour: Behaviour {
                    logs_out: turn % 8 == LOGOUT_TURN,
                    ..behaviour
                },
                phase: self.phase.subscribe(),
                burst_requests: self.burst_requests.subscribe(),
                log,
                probe: targets.probe.clone(),
                rng: Rng::with_seed(seed.wrapping_add(u64::from(index) << 32)),
                next_number: 0,
                access: AccessToken::default(),
                requested_at: Moment::now(),
                backoff: Backoff::default(),
            };
            match kind {
                ClientKind::V1 => self.idle.push(Actor::V1(V1Client::new(client))),
                ClientKind::V2 => self.idle.push(Actor::V2(V2Client::new(client))),
                ClientKind::Rest => self.idle.push(Actor::Rest(RestClient::new(client))),
                ClientKind::Sdk => {
                    let proxy = targets.proxies[group.conversation.server].address();
                    let link = targets.sdk.map(|process| process.link(index));
                    let actor = link.map(|link| SdkClient::open(client, link, proxy));
                    self.idle.extend(actor.map(Actor::Sdk));
                }
                ClientKind::GroupAdmin => {
                    let others = others.iter().map(|user| user.user_id()).collect();
                    self.group_admins.push(GroupAdmin::new(client, others));
                }
            }
        }
    }

    /// Starts all clients.
    pub(crate) fn start(&mut self) {
        self.spawn_all(Actor::run);
        let group_admins = self.group_admins.drain(..);
        self.running_admins
            .extend(group_admins.map(|group_admin| tokio::spawn(group_admin.run())));
    }

    fn spawn_all<F>(&mut self, work: impl Fn(Actor) -> F)
    where
        F: Future<Output = Actor> + Send + 'static,
    {
        for actor in self.idle.drain(..) {
            self.running.push(tokio::spawn(work(actor)));
        }
    }

    /// Incrementing it makes the clients with bursts fill their windows.
    pub(crate) fn burst_requests(&self) -> watch::Sender<u64> {
        self.burst_requests.clone()
    }

    /// Announces the phase of the run to all clients.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Waits until every client is done, at most for `timeout`. Returns a sentence for each that is not.
    pub(crate) async fn settle(&mut self, timeout: Duration) -> Vec<String> {
        done(&mut self.running, timeout, |actor| self.idle.push(actor)).await
    }

    /// Makes every client catch up, by a last resume or from the history.
    pub(crate) async fn catch_up(
        &mut self,
        stored: &BTreeMap<ConversationKey, StoredConversation>,
        timeout: Duration,
    ) -> Vec<String> {
        self.spawn_all(|mut actor| {
            let stored = stored.get(&actor.client().conversation);
            actor.catch_up(stored.map_or((0, 0), |stored| (stored.seq, stored.number)))
        });
        self.settle(timeout).await
    }

    /// Ends the phase in which every user must be a member.
    pub(crate) async fn end(&mut self, timeout: Duration) -> Vec<String> {
        self.enter(Phase::Over);
        done(&mut self.running_admins, timeout, drop).await
    }

    /// The logs of all clients.
    pub(crate) fn logs(&self) -> Vec<Log> {
        let logs = self.logs.iter();
        logs.map(|log| log.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }
}

/// Waits until these tasks are done, at most for `timeout`. Returns a sentence for each that is not.
async fn done<T>(
    tasks: &mut Vec<JoinHandle<T>>,
    timeout: Duration,
    mut keep: impl FnMut(T),
) -> Vec<String> {
    let deadline = Instant::now() + timeout;
    let mut stuck = Vec::new();
    for mut task in tasks.drain(..) {
        match timeout_at(deadline, &mut task).await {
            Ok(Ok(done)) => keep(done),
            Ok(Err(error)) => stuck.push(format!("a client failed: {error}")),
            Err(_) => {
                task.abort();
                let seconds = timeout.as_secs();
                stuck.push(format!("a client was not done after {seconds} s"));
            }
        }
    }
    stuck
}
