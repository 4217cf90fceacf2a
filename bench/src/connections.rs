//! Sockets that say nothing: what one costs in memory, how fast they join, how fast they all
//! come back. One that was refused fails the run; how that is known is in `joined`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use serde_json::{Value, json};

use crate::figures::{float, histogram, micros, per_thousand, quantiles};
use crate::joined::{Admission, prove};
use crate::target::Target;
use crate::usage::{Meter, Tree};

/// Sockets opened at once where it does not matter.
const OPENING: usize = 32;

/// Sockets each of those that join at the same time keeps before it cuts the oldest off: by then
/// whoever answered that one has answered so many others, and a refusal is here.
const KEPT: usize = 8;

/// Memory counts when it has not changed by more than this in a second.
const STEADY_KIB: f64 = 64.0;

#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// How many rooms.
    #[arg(long, default_value_t = 20)]
    rooms: u32,
    /// Members in each.
    #[arg(long, default_value_t = 50)]
    members: u32,
    /// Sockets that join at the same time; for joins.
    #[arg(long, default_value_t = 32)]
    concurrency: u32,
    /// Seconds of measuring; for joins.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Everyone's place, room by room: the conversation and the requests that join it.
struct Places {
    rooms: Vec<i64>,
    requests: Vec<String>,
    /// Members of each room.
    members: usize,
}

impl Places {
    async fn make(target: &Target, plan: &Plan) -> Result<Self> {
        let members = plan.members;
        ensure!(plan.rooms > 0 && members > 0, "nobody to join");
        let rooms = target.make_rooms(plan.rooms, members).await?;
        let requests = (0..).zip(&rooms).flat_map(|(room, id)| {
            (0..members).map(move |member| target.upgrade(*id, target.user(room, member, members)))
        });
        Ok(Self {
            requests: requests.collect(),
            rooms,
            members: usize::try_from(members)?,
        })
    }

    /// Proves that all who have joined are in their rooms, given everyone in order.
    async fn prove(&self, target: &Target, sockets: &mut [Admission]) -> Result<()> {
        let rooms = self.rooms.iter().zip(sockets.chunks_mut(self.members));
        let proofs = rooms.map(|(room, sockets)| prove(target.v2, *room, sockets));
        future::try_join_all(proofs).await.map(drop)
    }
}

async fn join_all(target: &Target, requests: &[String]) -> Result<Vec<Admission>> {
    stream::iter(requests)
        .map(|request| Admission::join(target, request))
        .buffered(OPENING)
        .try_collect()
        .await
}

/// Resident memory of an idle connection.
pub(crate) async fn idle(target: &Target, plan: &Plan) -> Result<Value> {
    let server = target.trees.first().context("--tree is needed")?;
    // What the server sets up with its first socket belongs to no connection.
    let first = Plan {
        rooms: 1,
        members: 10,
        ..plan.clone()
    };
    drop(join_all(target, &Places::make(target, &first).await?.requests).await?);
    let places = Places::make(target, plan).await?;
    let before = steady(server).await?;
    let mut sockets = join_all(target, &places.requests).await?;
    let after = steady(server).await?;
    sockets.iter_mut().try_for_each(Admission::check)?;
    let count = float(u64::try_from(sockets.len())?);
    Ok(json!({
        "connections": count,
        "kib_per_connection": (after - before) / count,
        "resident_before_kib": before,
    }))
}

async fn steady(tree: &Tree) -> Result<f64> {
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

/// Joins a second.
pub(crate) async fn joins(target: &Target, plan: &Plan) -> Result<Value> {
    let places = Places::make(target, plan).await?;
    let meter = Meter::start(&target.trees).await?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(plan.seconds);
    let workers = (0..plan.concurrency).map(|worker| {
        let requests = &places.requests;
        async move {
            let mut times = histogram()?;
            let mut kept = VecDeque::new();
            let mut at = usize::try_from(worker)?;
            while Instant::now() < end {
                let start = Instant::now();
                kept.push_back(Admission::join(target, &requests[at % requests.len()]).await?);
                times.saturating_record(micros(start.elapsed()));
                if kept.len() > KEPT {
                    kept.pop_front().map(Admission::cut).transpose()?;
                }
                at += usize::try_from(plan.concurrency)?;
            }
            anyhow::Ok((times, kept))
        }
    });
    let workers = future::try_join_all(workers).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let usage = meter.read().await?;
    let mut times = histogram()?;
    for (worker, kept) in workers {
        times.add(worker)?;
        kept.into_iter().try_for_each(Admission::cut)?;
    }
    let mut figures = quantiles(&times);
    figures["joins_per_s"] = (float(times.len()) / seconds).into();
    per_thousand(&mut figures, &usage, float(times.len()));
    Ok(figures)
}

/// How long it takes until everyone is back when all are cut off and return at once.
pub(crate) async fn storm(target: &Target, plan: &Plan) -> Result<Value> {
    let places = Places::make(target, plan).await?;
    let sockets = join_all(target, &places.requests).await?;
    sockets.into_iter().try_for_each(Admission::cut)?;
    let meter = Meter::start(&target.trees).await?;
    let begun = Instant::now();
    let returns = places.requests.iter().map(|request| async {
        let socket = Admission::join(target, request).await?;
        anyhow::Ok((socket, begun.elapsed()))
    });
    let back = future::try_join_all(returns).await?;
    let usage = meter.read().await?;
    let (mut sockets, returned): (Vec<Admission>, Vec<Duration>) = back.into_iter().unzip();
    places.prove(target, &mut sockets).await?;
    let mut times = histogram()?;
    for time in returned {
        times.saturating_record(micros(time));
    }
    let mut figures = quantiles(&times);
    figures["all_back_ms"] = (float(times.max()) / 1_000.0).into();
    per_thousand(&mut figures, &usage, float(times.len()));
    Ok(figures)
}
