//! Carries a plan out: kills, freezes, stalls and cuts, and in the end makes everything whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::control::Control;
use crate::database::Database;
use crate::line::{Line, Mood};
use crate::plan::{Fault, Kind};

/// Everything that can go wrong.
pub(crate) struct Stage {
    pub(crate) control: Control,
    pub(crate) capabilities: Vec<String>,
    pub(crate) lines: Vec<Arc<Line>>,
    pub(crate) databases: Vec<Database>,
    /// Asks the loud clients to say all they can at once.
    pub(crate) shouts: watch::Sender<u64>,
}

/// How often each fault was injected.
pub(crate) type Injected = BTreeMap<Kind, u64>;

impl Stage {
    /// Carries out one lane's faults: each kind once, however long that takes, and otherwise none
    /// later than `end`.
    pub(crate) async fn play(
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
            Kind::ServerKilled => self.control.act(server, "kill").await,
            Kind::ServerRestarted => self.control.act(server, "restart").await,
            Kind::ServerFrozen => self.freeze(server, fault.lasts).await,
            Kind::PostgresKilled => self.away("postgres", fault.lasts).await,
            Kind::RedisKilled => self.away("redis", fault.lasts).await,
            Kind::RedisHttpKilled => self.away("redis-http", fault.lasts).await,
            Kind::RedisFrozen => self.freeze("redis", fault.lasts).await,
            Kind::RedisHttpFrozen => self.freeze("redis-http", fault.lasts).await,
            Kind::DatabaseCut => self.database(fault).cut().await,
            Kind::DatabaseStalled => self.database(fault).stall(fault.lasts).await,
            Kind::LinesCut => {
                self.lines(fault, fault.percent, Mood::Cut, None, &mut rng)
                    .await;
                Ok(())
            }
            Kind::Storm => {
                self.lines(fault, 100, Mood::Cut, None, &mut rng).await;
                Ok(())
            }
            Kind::LinesSilent => {
                // Half of them never hear again.
                let then = if rng.bool() { Mood::Cut } else { Mood::Well };
                self.lines(fault, fault.percent, Mood::Silent, Some(then), &mut rng)
                    .await;
                Ok(())
            }
            Kind::LinesSlow => {
                let delay = Duration::from_millis(rng.u64(20..500));
                let (slow, well) = (Mood::Slow(delay), Some(Mood::Well));
                self.lines(fault, fault.percent, slow, well, &mut rng).await;
                Ok(())
            }
            Kind::SlowReaders => {
                let share = fault.percent.min(30);
                // What is said next fills the queues of those who do not read.
                self.shouts.send_modify(|count| *count += 1);
                self.lines(fault, share, Mood::Deaf, Some(Mood::Well), &mut rng)
                    .await;
                Ok(())
            }
        }
    }

    fn database(&self, fault: &Fault) -> &Database {
        &self.databases[fault.server.min(self.databases.len() - 1)]
    }

    async fn away(&self, service: &str, time: Duration) -> Result<()> {
        self.control.act(service, "kill").await?;
        sleep(time).await;
        self.control.act(service, "start").await
    }

    async fn freeze(&self, service: &str, time: Duration) -> Result<()> {
        self.control.act(service, "freeze").await?;
        sleep(time).await;
        self.control.act(service, "thaw").await
    }

    /// Lets connections of both lines suffer; `then` what becomes of them when it is over.
    async fn lines(
        &self,
        fault: &Fault,
        percent: u32,
        mood: Mood,
        then: Option<Mood>,
        rng: &mut Rng,
    ) {
        let chosen: Vec<Vec<u64>> = self
            .lines
            .iter()
            .map(|line| line.afflict(percent, mood, rng))
            .collect();
        let Some(then) = then else { return };
        sleep(fault.lasts).await;
        for (line, chosen) in self.lines.iter().zip(&chosen) {
            line.set(chosen, then);
        }
    }

    /// Starts whatever may be away.
    pub(crate) async fn heal(&self) -> Result<()> {
        for service in ["postgres", "redis", "redis-http"] {
            if self.capabilities.iter().any(|name| name == service) {
                self.control.act(service, "start").await?;
            }
        }
        for server in 0..self.lines.len() {
            self.control.act(Control::server(server), "start").await?;
        }
        Ok(())
    }
}

/// Waits for both lanes, but not for ever: a control server that hangs ends the run.
pub(crate) async fn within<T>(time: Duration, what: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(time, what)
        .await
        .context("the faults did not end")?
}
