//! Injects the planned faults and finally restores all services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::control::Control;
use crate::database::Database;
use crate::plan::{Fault, FaultKind};
use crate::tcp_proxy::{TcpProxy, Toxic};

/// Everything that faults act on.
pub(crate) struct FaultInjector {
    pub(crate) control: Control,
    pub(crate) capabilities: Vec<String>,
    pub(crate) proxies: Vec<Arc<TcpProxy>>,
    pub(crate) databases: Vec<Database>,
    /// Asks the clients with bursts to fill their windows.
    pub(crate) burst_requests: watch::Sender<u64>,
}

/// How often each fault was injected.
pub(crate) type Injected = BTreeMap<FaultKind, u64>;

impl FaultInjector {
    /// Injects the faults of one lane: each kind once, however long that takes, and repeats only
    /// before `end`.
    pub(crate) async fn run_lane(
        &self,
        plan: &[Fault],
        start: Instant,
        end: Instant,
    ) -> Result<Injected> {
        let mut injected = Injected::new();
        for fault in plan {
            let due = start + fault.at;
            if due.max(Instant::now()) >= end && injected.contains_key(&fault.kind) {
                break;
            }
            sleep_until(due).await;
            Box::pin(self.inject(fault))
                .await
                .with_context(|| format!("{fault:?}"))?;
            *injected.entry(fault.kind).or_default() += 1;
        }
        Ok(injected)
    }

    async fn inject(&self, fault: &Fault) -> Result<()> {
        let server = Control::server(fault.server);
        let mut rng = Rng::with_seed(fault.at.as_secs() << 20 | u64::from(fault.percent));
        match fault.kind {
            FaultKind::ServerKilled => self.control.act(server, "kill").await,
            FaultKind::ServerRestarted => self.control.act(server, "restart").await,
            FaultKind::ServerFrozen => self.freeze(server, fault.lasts).await,
            FaultKind::PostgresKilled => self.stop_for("postgres", fault.lasts).await,
            FaultKind::RedisKilled => self.stop_for("redis", fault.lasts).await,
            FaultKind::RedisHttpKilled => self.stop_for("redis-http", fault.lasts).await,
            FaultKind::RedisFrozen => self.freeze("redis", fault.lasts).await,
            FaultKind::RedisHttpFrozen => self.freeze("redis-http", fault.lasts).await,
            FaultKind::DatabaseCut => self.database(fault).cut().await,
            FaultKind::DatabaseStalled => self.database(fault).stall(fault.lasts).await,
            FaultKind::ConnectionsReset => {
                self.apply_toxic(fault, fault.percent, Toxic::Reset, None, &mut rng)
                    .await;
                Ok(())
            }
            FaultKind::AllConnectionsReset => {
                self.apply_toxic(fault, 100, Toxic::Reset, None, &mut rng)
                    .await;
                Ok(())
            }
            FaultKind::ConnectionsBlackholed => {
                // Half of the cases are never healed.
                let then = if rng.bool() {
                    Toxic::Reset
                } else {
                    Toxic::None
                };
                self.apply_toxic(fault, fault.percent, Toxic::Blackhole, Some(then), &mut rng)
                    .await;
                Ok(())
            }
            FaultKind::ConnectionsSlowed => {
                let delay = Duration::from_millis(rng.u64(20..500));
                let (slow, healed) = (Toxic::Latency(delay), Some(Toxic::None));
                self.apply_toxic(fault, fault.percent, slow, healed, &mut rng)
                    .await;
                Ok(())
            }
            FaultKind::ReadersStalled => {
                let share = fault.percent.min(30);
                // The burst fills the send queues of the clients that do not read.
                self.burst_requests.send_modify(|count| *count += 1);
                self.apply_toxic(
                    fault,
                    share,
                    Toxic::StopReading,
                    Some(Toxic::None),
                    &mut rng,
                )
                .await;
                Ok(())
            }
        }
    }

    fn database(&self, fault: &Fault) -> &Database {
        &self.databases[fault.server.min(self.databases.len() - 1)]
    }

    async fn stop_for(&self, service: &str, time: Duration) -> Result<()> {
        self.control.act(service, "kill").await?;
        sleep(time).await;
        self.control.act(service, "start").await
    }

    async fn freeze(&self, service: &str, time: Duration) -> Result<()> {
        self.control.act(service, "freeze").await?;
        sleep(time).await;
        self.control.act(service, "thaw").await
    }

    /// Applies a toxic to connections of both proxies, and `then` after the fault's duration.
    async fn apply_toxic(
        &self,
        fault: &Fault,
        percent: u32,
        toxic: Toxic,
        then: Option<Toxic>,
        rng: &mut Rng,
    ) {
        let chosen: Vec<Vec<u64>> = self
            .proxies
            .iter()
            .map(|proxy| proxy.apply(percent, toxic, rng))
            .collect();
        let Some(then) = then else { return };
        sleep(fault.lasts).await;
        for (proxy, chosen) in self.proxies.iter().zip(&chosen) {
            proxy.set(chosen, then);
        }
    }

    /// Starts every service that may be down.
    pub(crate) async fn restore(&self) -> Result<()> {
        for service in ["postgres", "redis", "redis-http"] {
            if self.capabilities.iter().any(|name| name == service) {
                self.control.act(service, "start").await?;
            }
        }
        for server in 0..self.proxies.len() {
            self.control.act(Control::server(server), "start").await?;
        }
        Ok(())
    }
}

/// Bounds the time of both lanes: a control server that hangs ends the run.
pub(crate) async fn within<T>(time: Duration, what: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(time, what)
        .await
        .context("the faults did not finish in time")?
}
