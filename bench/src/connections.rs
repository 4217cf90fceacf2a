//! Idle sockets: memory per socket, connects per second, and the duration of a reconnect storm. A
//! refused socket fails the run; `admission_check` detects it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use serde_json::{Value, json};

use crate::admission_check::{CheckedSocket, check_delivery};
use crate::output::{float, histogram, micros, per_thousand, quantiles};
use crate::proc_usage::{CpuMeter, ProcessTree};
use crate::target::Target;

/// Concurrent connects where their number does not matter.
const CONCURRENT_CONNECTS: usize = 32;

/// Open sockets per worker before the oldest is reset. By then the server has answered enough later
/// connects that a refusal of the oldest has arrived.
const OPEN_PER_WORKER: usize = 8;

/// Memory counts as steady, and is read, when it changes by no more than this in a second.
const STEADY_KIB: f64 = 64.0;

#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionOptions {
    /// Number of rooms.
    #[arg(long, default_value_t = 20)]
    rooms: u32,
    /// Members of each room.
    #[arg(long, default_value_t = 50)]
    members: u32,
    /// Concurrent connects; for `connects`.
    #[arg(long, default_value_t = 32)]
    concurrency: u32,
    /// Seconds measured; for `connects`.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// The upgrade requests of all members, room by room.
struct ConnectionPlan {
    rooms: Vec<i64>,
    requests: Vec<String>,
    /// Members of each room.
    members: usize,
}

impl ConnectionPlan {
    async fn make(target: &Target, options: &ConnectionOptions) -> Result<Self> {
        let members = options.members;
        ensure!(options.rooms > 0 && members > 0, "no sockets to open");
        let rooms = target.create_rooms(options.rooms, members).await?;
        let requests = (0..).zip(&rooms).flat_map(|(room, id)| {
            (0..members).map(move |member| target.upgrade(*id, target.user(room, member, members)))
        });
        Ok(Self {
            requests: requests.collect(),
            rooms,
            members: usize::try_from(members)?,
        })
    }

    /// Checks that all sockets, given in order, are in their rooms.
    async fn check_delivery(&self, target: &Target, sockets: &mut [CheckedSocket]) -> Result<()> {
        let rooms = self.rooms.iter().zip(sockets.chunks_mut(self.members));
        let proofs = rooms.map(|(room, sockets)| check_delivery(target.v2, *room, sockets));
        future::try_join_all(proofs).await.map(drop)
    }
}

async fn connect_all(target: &Target, requests: &[String]) -> Result<Vec<CheckedSocket>> {
    stream::iter(requests)
        .map(|request| CheckedSocket::connect(target, request))
        .buffered(CONCURRENT_CONNECTS)
        .try_collect()
        .await
}

/// Resident memory of an idle connection.
pub(crate) async fn idle(target: &Target, options: &ConnectionOptions) -> Result<Value> {
    let server = target.trees.first().context("--tree is needed")?;
    // Opened and dropped first: what the server allocates once belongs to no connection.
    let first = ConnectionOptions {
        rooms: 1,
        members: 10,
        ..options.clone()
    };
    drop(
        connect_all(
            target,
            &ConnectionPlan::make(target, &first).await?.requests,
        )
        .await?,
    );
    let plan = ConnectionPlan::make(target, options).await?;
    let before = steady(server).await?;
    let mut sockets = connect_all(target, &plan.requests).await?;
    let after = steady(server).await?;
    sockets.iter_mut().try_for_each(CheckedSocket::check)?;
    let count = float(u64::try_from(sockets.len())?);
    Ok(json!({
        "connections": count,
        "kib_per_connection": (after - before) / count,
        "resident_before_kib": before,
    }))
}

async fn steady(tree: &ProcessTree) -> Result<f64> {
    let mut last = tree.resident_kib()?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = tree.resident_kib()?;
        if (now - last).abs() <= STEADY_KIB {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

/// Connects per second.
pub(crate) async fn connects(target: &Target, options: &ConnectionOptions) -> Result<Value> {
    let plan = ConnectionPlan::make(target, options).await?;
    let meter = CpuMeter::start(&target.trees).await?;
    let started = Instant::now();
    let end = started + Duration::from_secs_f64(options.seconds);
    let workers = (0..options.concurrency).map(|worker| {
        let requests = &plan.requests;
        async move {
            let mut times = histogram()?;
            let mut open_sockets = VecDeque::new();
            let mut at = usize::try_from(worker)?;
            while Instant::now() < end {
                let start = Instant::now();
                open_sockets.push_back(
                    CheckedSocket::connect(target, &requests[at % requests.len()]).await?,
                );
                times.saturating_record(micros(start.elapsed()));
                if open_sockets.len() > OPEN_PER_WORKER {
                    open_sockets
                        .pop_front()
                        .map(CheckedSocket::reset)
                        .transpose()?;
                }
                at += usize::try_from(options.concurrency)?;
            }
            anyhow::Ok((times, open_sockets))
        }
    });
    let workers = future::try_join_all(workers).await?;
    let seconds = started.elapsed().as_secs_f64();
    let usage = meter.read().await?;
    let mut times = histogram()?;
    for (worker, open_sockets) in workers {
        times.add(worker)?;
        open_sockets
            .into_iter()
            .try_for_each(CheckedSocket::reset)?;
    }
    let mut figures = quantiles(&times);
    figures["connects_per_s"] = (float(times.len()) / seconds).into();
    per_thousand(&mut figures, &usage, float(times.len()));
    Ok(figures)
}

/// The time until all sockets have reconnected after all are reset at once.
pub(crate) async fn storm(target: &Target, options: &ConnectionOptions) -> Result<Value> {
    let plan = ConnectionPlan::make(target, options).await?;
    let sockets = connect_all(target, &plan.requests).await?;
    sockets.into_iter().try_for_each(CheckedSocket::reset)?;
    let meter = CpuMeter::start(&target.trees).await?;
    let started = Instant::now();
    let reconnects = plan.requests.iter().map(|request| async {
        let socket = CheckedSocket::connect(target, request).await?;
        anyhow::Ok((socket, started.elapsed()))
    });
    let reconnected = future::try_join_all(reconnects).await?;
    let usage = meter.read().await?;
    let (mut sockets, delays): (Vec<CheckedSocket>, Vec<Duration>) =
        reconnected.into_iter().unzip();
    plan.check_delivery(target, &mut sockets).await?;
    let mut times = histogram()?;
    for time in delays {
        times.saturating_record(micros(time));
    }
    let mut figures = quantiles(&times);
    figures["all_reconnected_ms"] = (float(times.max()) / 1_000.0).into();
    per_thousand(&mut figures, &usage, float(times.len()));
    Ok(figures)
}
