//! REST reads over persistent connections.
//!
//! Either one request in flight on each connection, or requests at a given rate on a fixed schedule,
//! regardless of the server; then latency counts from the scheduled time of a request.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use futures_util::future;
use hdrhistogram::Histogram;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::http::{HttpClient, HttpResponse};
use crate::output::{float, histogram, micros, per_thousand, quantiles};
use crate::proc_usage::{CpuMeter, CpuUsage};
use crate::socket;
use crate::target::Target;
use crate::wire::{self, Mark};

/// Messages in the history that is read: a full page.
const HISTORY: u32 = 100;

/// Conversations in the list that is read.
const LIST: usize = 20;

/// Members of the conversations.
const MEMBERS: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resource {
    /// A conversation's newest 100 messages.
    History,
    /// The caller's own account.
    Profile,
    /// The caller's conversations: 20.
    List,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RequestOptions {
    /// Connections, each with one request in flight.
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: u32,
    /// Requests per second over all connections; 0 for as many as the server answers.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Seconds of warm-up.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warm_up: f64,
    /// Seconds measured.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Measures reads per second.
pub(crate) async fn reads(
    target: &Target,
    what: Resource,
    options: &RequestOptions,
) -> Result<Value> {
    let user = target.reserved(0);
    let path = match what {
        Resource::Profile => "/api/users/profile/".to_owned(),
        Resource::List => {
            make_list(target).await?;
            "/api/chat/conversations/".to_owned()
        }
        Resource::History => {
            let room = make_room(target).await?;
            fill(target, room, user).await?;
            format!("/api/chat/conversations/{room}/messages/")
        }
    };
    let headers = target.authorization(user);
    let load = RequestLoad::new(target, options);
    let request =
        async |client: &mut HttpClient, _| client.request("GET", &path, &headers, "").await;
    load.run(options.warm_up, request).await?;
    let results = load.run(options.seconds, request).await?;
    let mut figures = quantiles(&results.times);
    figures["requests_per_s"] = results.rate().into();
    figures["bytes"] = results.bytes.into();
    per_thousand(&mut figures, &results.usage, float(results.times.len()));
    Ok(figures)
}

/// A conversation of users that are in no other room.
async fn make_room(target: &Target) -> Result<i64> {
    let users: Vec<u32> = (0..MEMBERS).map(|member| target.reserved(member)).collect();
    let mut client = HttpClient::connect(target.address).await?;
    target.create_room(&mut client, &users).await
}

/// Makes sure that the reader has [`LIST`] conversations.
async fn make_list(target: &Target) -> Result<()> {
    let mut client = HttpClient::connect(target.address).await?;
    let headers = target.authorization(target.reserved(0));
    let path = "/api/chat/conversations/";
    let response = client.request("GET", path, &headers, "").await?;
    let list: Value = serde_json::from_slice(&response.body)?;
    for _ in list.as_array().map_or(0, Vec::len)..LIST {
        make_room(target).await?;
    }
    Ok(())
}

/// Sends a full page of messages over a socket and waits for the last one.
async fn fill(target: &Target, room: i64, user: u32) -> Result<()> {
    let request = target.upgrade(room, user);
    let (mut stream, mut bytes) = socket::connect(target, &request).await?;
    let mut out = Vec::new();
    for ordinal in 0..HISTORY {
        let mark = Mark {
            sender: 0,
            ordinal,
            intended_us: 0,
        };
        wire::text_frame(&crate::run::frame(target.v2, room, mark), &mut out);
    }
    stream.write_all(&out).await?;
    let mut arrived = 0;
    while arrived < HISTORY {
        let found = wire::read_frames(&bytes, &mut Vec::new(), |_| arrived += 1)?;
        bytes.drain(..found.consumed);
        if arrived < HISTORY {
            socket::read_more(&mut stream, &mut bytes).await?;
        }
    }
    Ok(())
}

/// Requests, one in flight on each connection.
pub(crate) struct RequestLoad<'a> {
    target: &'a Target,
    connections: u32,
    /// The interval of the schedule; without one, requests follow each other at once.
    interval: Option<Duration>,
}

/// The results of a load.
pub(crate) struct RequestResults {
    pub(crate) times: Histogram<u64>,
    usage: CpuUsage,
    seconds: f64,
    /// The length of the last response body.
    bytes: usize,
}

impl RequestResults {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.times.len()) / self.seconds
    }
}

impl<'a> RequestLoad<'a> {
    pub(crate) fn new(target: &'a Target, options: &RequestOptions) -> Self {
        let rate = f64::from(options.rate);
        Self {
            target,
            connections: options.connections,
            interval: (options.rate > 0).then(|| Duration::from_secs_f64(1.0 / rate)),
        }
    }

    /// Sends requests for this many seconds; any status but 200 is an error.
    pub(crate) async fn run<F>(&self, seconds: f64, request: F) -> Result<RequestResults>
    where
        F: AsyncFn(&mut HttpClient, u32) -> Result<HttpResponse>,
    {
        let meter = CpuMeter::start(&self.target.trees).await?;
        let started = Instant::now();
        let request = &request;
        let starts = self.starts(started + Duration::from_secs_f64(seconds));
        let workers = (0..).zip(starts).map(|(worker, mut starts)| async move {
            let mut client = HttpClient::connect(self.target.address).await?;
            let mut times = histogram()?;
            let mut length = 0;
            let mut turn: u32 = worker;
            while let Some(start) = starts.next().await {
                let response = request(&mut client, turn).await?;
                ensure!(response.status == 200, "status {}", response.status);
                times.saturating_record(micros(start.elapsed()));
                length = response.body.len();
                turn = turn.wrapping_add(1);
            }
            anyhow::Ok((times, length))
        });
        let mut times = histogram()?;
        let mut bytes = 0;
        for (worker, length) in future::try_join_all(workers).await? {
            times.add(worker)?;
            bytes = length;
        }
        Ok(RequestResults {
            times,
            seconds: started.elapsed().as_secs_f64(),
            usage: meter.read().await?,
            bytes,
        })
    }

    /// The start times of each connection's requests.
    fn starts(&self, end: Instant) -> Vec<StartTimes> {
        let Some(interval) = self.interval else {
            return (0..self.connections)
                .map(|_| StartTimes::Until(end))
                .collect();
        };
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..self.connections).map(|_| unbounded_channel()).unzip();
        // Timers of the runtime are imprecise by a millisecond.
        thread::spawn(move || run_schedule(&senders, interval, end));
        receivers.into_iter().map(StartTimes::At).collect()
    }
}

/// The start times of one connection's requests.
enum StartTimes {
    /// As soon as the previous response has arrived, until this time.
    Until(Instant),
    /// On schedule. A start time that passes while a response is awaited makes its request late.
    At(UnboundedReceiver<Instant>),
}

impl StartTimes {
    /// The time the next request starts, or was scheduled to start.
    async fn next(&mut self) -> Option<Instant> {
        match self {
            Self::Until(end) => Some(Instant::now()).filter(|now| now < end),
            Self::At(scheduled) => scheduled.recv().await,
        }
    }
}

/// Schedules requests on the connections in turn, one every `interval`, until `end` or until no
/// connection is left.
fn run_schedule(senders: &[UnboundedSender<Instant>], interval: Duration, end: Instant) {
    let first = Instant::now() + interval;
    for (step, connection) in (0..).zip(senders.iter().cycle()) {
        let due = first + interval * step;
        if due >= end {
            return;
        }
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        if connection.send(due).is_err() {
            return;
        }
    }
}
