//! REST: reads over kept connections.
//!
//! As fast as they are answered, one under way on each connection, or at a given rate on a fixed
//! schedule, whatever the server does: then a latency counts from the moment a request was to be
//! made, as at a fan-out's given rate.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use futures_util::future;
use hdrhistogram::Histogram;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::figures::{float, histogram, micros, per_thousand, quantiles};
use crate::http::{Answer, Client};
use crate::socket;
use crate::target::Target;
use crate::usage::{Meter, Usage};
use crate::wire::{self, Mark};

/// Messages in the history that is read: a full page.
const HISTORY: u32 = 100;

/// Conversations in the list that is read.
const LIST: usize = 20;

/// Members of what is read.
const MEMBERS: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// A conversation's newest 100 messages.
    History,
    /// The caller's own account.
    Profile,
    /// The caller's conversations: 20.
    List,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 16)]
    pub(crate) connections: u32,
    /// Requests a second over all connections; 0 for as many as are answered.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warm_up: f64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

/// Reads a second.
pub(crate) async fn reads(target: &Target, what: What, plan: &Plan) -> Result<Value> {
    let user = target.reserved(0);
    let path = match what {
        What::Profile => "/api/users/profile/".to_owned(),
        What::List => {
            make_list(target).await?;
            "/api/chat/conversations/".to_owned()
        }
        What::History => {
            let room = make_room(target).await?;
            fill(target, room, user).await?;
            format!("/api/chat/conversations/{room}/messages/")
        }
    };
    let headers = target.authorization(user);
    let load = Load::new(target, plan);
    let ask = async |client: &mut Client, _| client.request("GET", &path, &headers, "").await;
    load.run(plan.warm_up, ask).await?;
    let answers = load.run(plan.seconds, ask).await?;
    let mut figures = quantiles(&answers.times);
    figures["requests_per_s"] = answers.rate().into();
    figures["bytes"] = answers.bytes.into();
    per_thousand(&mut figures, &answers.usage, float(answers.times.len()));
    Ok(figures)
}

/// A conversation of users no fan-out has put into others.
async fn make_room(target: &Target) -> Result<i64> {
    let people: Vec<u32> = (0..MEMBERS).map(|member| target.reserved(member)).collect();
    let mut client = Client::connect(target.address).await?;
    target.make_room(&mut client, &people).await
}

/// Makes sure the reader has [`LIST`] conversations, whoever ran before.
async fn make_list(target: &Target) -> Result<()> {
    let mut client = Client::connect(target.address).await?;
    let headers = target.authorization(target.reserved(0));
    let path = "/api/chat/conversations/";
    let answer = client.request("GET", path, &headers, "").await?;
    let list: Value = serde_json::from_slice(&answer.body)?;
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

/// Requests, one under way on each connection.
pub(crate) struct Load<'a> {
    target: &'a Target,
    connections: u32,
    /// Without one, as fast as they are answered.
    interval: Option<Duration>,
}

/// How a load was answered.
pub(crate) struct Answers {
    pub(crate) times: Histogram<u64>,
    usage: Usage,
    seconds: f64,
    /// The length of the last answer's body.
    bytes: usize,
}

impl Answers {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.times.len()) / self.seconds
    }
}

impl<'a> Load<'a> {
    pub(crate) fn new(target: &'a Target, plan: &Plan) -> Self {
        let rate = f64::from(plan.rate);
        Self {
            target,
            connections: plan.connections,
            interval: (plan.rate > 0).then(|| Duration::from_secs_f64(1.0 / rate)),
        }
    }

    /// Has the connections ask for so many seconds; any other answer than 200 is an error.
    pub(crate) async fn run<F>(&self, seconds: f64, ask: F) -> Result<Answers>
    where
        F: AsyncFn(&mut Client, u32) -> Result<Answer>,
    {
        let meter = Meter::start(&self.target.trees).await?;
        let begun = Instant::now();
        let ask = &ask;
        let starts = self.starts(begun + Duration::from_secs_f64(seconds));
        let workers = (0..).zip(starts).map(|(worker, mut starts)| async move {
            let mut client = Client::connect(self.target.address).await?;
            let mut times = histogram()?;
            let mut length = 0;
            let mut turn: u32 = worker;
            while let Some(start) = starts.next().await {
                let answer = ask(&mut client, turn).await?;
                ensure!(answer.status == 200, "answered {}", answer.status);
                times.saturating_record(micros(start.elapsed()));
                length = answer.body.len();
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
        Ok(Answers {
            times,
            seconds: begun.elapsed().as_secs_f64(),
            usage: meter.read().await?,
            bytes,
        })
    }

    /// When each connection asks.
    fn starts(&self, end: Instant) -> Vec<Starts> {
        let Some(interval) = self.interval else {
            return (0..self.connections).map(|_| Starts::Until(end)).collect();
        };
        let (tell, told): (Vec<_>, Vec<_>) =
            (0..self.connections).map(|_| unbounded_channel()).unzip();
        // Timers of the runtime are a millisecond off.
        thread::spawn(move || keep_time(&tell, interval, end));
        told.into_iter().map(Starts::At).collect()
    }
}

/// When one connection asks.
enum Starts {
    /// As soon as it is answered, up to then.
    Until(Instant),
    /// When it is told to. What comes while it waits for an answer is late, and counts as that.
    At(UnboundedReceiver<Instant>),
}

impl Starts {
    /// When the next request begins, or was to begin.
    async fn next(&mut self) -> Option<Instant> {
        match self {
            Self::Until(end) => Some(Instant::now()).filter(|now| now < end),
            Self::At(told) => told.recv().await,
        }
    }
}

/// Has the connections ask in turn, one every `interval`, until the end or until nobody listens.
fn keep_time(tell: &[UnboundedSender<Instant>], interval: Duration, end: Instant) {
    let first = Instant::now() + interval;
    for (step, connection) in (0..).zip(tell.iter().cycle()) {
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
