//! Sockets that say nothing: what one costs in memory, how fast they join, how fast they all
//! come back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::figures::{float, histogram, micros, per_thousand, quantiles};
use crate::socket;
use crate::target::Target;
use crate::usage::{Meter, Tree};

/// Sockets opened at once where it does not matter.
const OPENING: usize = 32;

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

/// Everyone's place: the conversation and the request that joins it.
async fn places(target: &Target, plan: &Plan) -> Result<Vec<String>> {
    let ids = target.make_rooms(plan.rooms, plan.members).await?;
    let members = plan.members;
    let places = (0..).zip(ids).flat_map(|(room, id)| {
        (0..members).map(move |member| target.upgrade(id, target.user(room, member, members)))
    });
    Ok(places.collect())
}

/// Joins: a v2 socket has joined when it is greeted, any other when its upgrade is answered.
async fn join(target: &Target, request: &str) -> Result<TcpStream> {
    let (mut stream, first) = socket::connect(target, request).await?;
    if target.v2 && first.is_empty() {
        let read = stream.read(&mut [0; 1024]).await?;
        ensure!(read > 0, "closed instead of greeted");
    }
    Ok(stream)
}

async fn join_all(target: &Target, requests: &[String]) -> Result<Vec<TcpStream>> {
    stream::iter(requests)
        .map(|request| join(target, request))
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
    drop(join_all(target, &places(target, &first).await?).await?);
    let requests = places(target, plan).await?;
    let before = steady(server).await?;
    let sockets = join_all(target, &requests).await?;
    let after = steady(server).await?;
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
    let requests = places(target, plan).await?;
    ensure!(!requests.is_empty(), "nobody to join");
    let meter = Meter::start(&target.trees).await?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(plan.seconds);
    let workers = (0..plan.concurrency).map(|worker| {
        let requests = &requests;
        async move {
            let mut times = histogram()?;
            let mut at = usize::try_from(worker)?;
            while Instant::now() < end {
                let start = Instant::now();
                let stream = join(target, &requests[at % requests.len()]).await?;
                times.saturating_record(micros(start.elapsed()));
                // Reset instead of a farewell: no port is left waiting.
                stream.set_zero_linger()?;
                at += usize::try_from(plan.concurrency)?;
            }
            anyhow::Ok(times)
        }
    });
    let mut times = histogram()?;
    for worker in future::try_join_all(workers).await? {
        times.add(worker)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let usage = meter.read().await?;
    let mut figures = quantiles(&times);
    figures["joins_per_s"] = (float(times.len()) / seconds).into();
    per_thousand(&mut figures, &usage, float(times.len()));
    Ok(figures)
}

/// How long it takes until everyone is back when all are cut off and return at once.
pub(crate) async fn storm(target: &Target, plan: &Plan) -> Result<Value> {
    let requests = places(target, plan).await?;
    for stream in join_all(target, &requests).await? {
        stream.set_zero_linger()?;
    }
    let meter = Meter::start(&target.trees).await?;
    let begun = Instant::now();
    let returns = requests.iter().map(|request| async {
        let stream = join(target, request).await?;
        anyhow::Ok((stream, begun.elapsed()))
    });
    let back = future::try_join_all(returns).await?;
    let usage = meter.read().await?;
    let mut times = histogram()?;
    for (_, time) in &back {
        times.saturating_record(micros(*time));
    }
    let mut figures = quantiles(&times);
    figures["all_back_ms"] = (float(times.max()) / 1_000.0).into();
    per_thousand(&mut figures, &usage, float(times.len()));
    Ok(figures)
}
