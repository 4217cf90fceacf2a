//! REST: reads over kept connections, and logins beside what the hash alone allows.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use colloquy_core::auth::{HashMemory, Password, PasswordJob, PasswordOutcome};
use futures_util::future;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::figures::{float, histogram, micros, per_thousand, quantiles};
use crate::http::Client;
use crate::socket;
use crate::target::{Target, now_ms};
use crate::usage::Meter;
use crate::wire::{self, Mark};

/// Messages in the history that is read: a full page.
const HISTORY: u32 = 100;

/// Conversations in the list that is read.
const LIST: usize = 20;

/// Members of what is read.
const MEMBERS: u32 = 10;

/// Accounts that log in.
const ACCOUNTS: u32 = 8;

const PASSWORD: &str = "correct horse battery 9";

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
    /// What is read.
    #[arg(long, value_enum, default_value = "history")]
    what: What,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Reads a second.
pub(crate) async fn reads(target: &Target, plan: &Plan) -> Result<Value> {
    let user = target.reserved(0);
    let path = match plan.what {
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
    let load = Load {
        target,
        connections: plan.connections,
    };
    let ask = async |client: &mut Client, _| client.request("GET", &path, &headers, "").await;
    load.run(plan.warm_up, ask).await?;
    let (mut figures, bytes) = load.run(plan.seconds, ask).await?;
    figures["bytes"] = bytes.into();
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

/// Logins a second, and as a share of what the hash alone allows on all cores.
pub(crate) async fn logins(target: &Target, plan: &Plan) -> Result<Value> {
    let run = now_ms();
    let name = |account: u32| format!("login{run}x{}", account % ACCOUNTS);
    let mut client = Client::connect(target.address).await?;
    for account in 0..ACCOUNTS {
        let name = name(account);
        let body = json!({
            "username": name, "email": format!("{name}@chat.example"), "password": PASSWORD,
        });
        let body = body.to_string();
        let path = "/api/users/register/";
        let answer = client.request("POST", path, "", &body).await?;
        ensure!(
            answer.status == 201,
            "registering was answered {}",
            answer.status
        );
    }
    let alone = hashes_a_second(Duration::from_secs_f64(plan.seconds / 2.0))?;
    let load = Load {
        target,
        connections: plan.connections,
    };
    let ask = async |client: &mut Client, turn: u32| {
        let body = json!({ "username": name(turn), "password": PASSWORD }).to_string();
        client.request("POST", "/api/users/login/", "", &body).await
    };
    load.run(plan.warm_up, ask).await?;
    let (mut figures, _) = load.run(plan.seconds, ask).await?;
    let rate = figures["requests_per_s"].as_f64().unwrap_or_default();
    figures["hashes_per_s"] = alone.into();
    figures["share_of_hash"] = (rate / alone).into();
    Ok(figures)
}

/// How fast all cores together check passwords, with nothing else to do.
fn hashes_a_second(length: Duration) -> Result<f64> {
    let salt = [7; 16];
    let password = || Password::new(PASSWORD.to_owned());
    let job = PasswordJob::Hash {
        password: password(),
        salt,
    };
    let PasswordOutcome::Hashed(stored) = job.run(&mut HashMemory::default()) else {
        bail!("this machine could not hash a password");
    };
    let end = Instant::now() + length;
    let cores = thread::available_parallelism()?.get();
    let total: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    let mut memory = HashMemory::default();
                    let mut count = 0;
                    while Instant::now() < end {
                        let job = PasswordJob::Verify {
                            password: password(),
                            hash: Some(stored.clone()),
                            salt,
                        };
                        job.run(&mut memory);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let counts = workers.into_iter().map(thread::ScopedJoinHandle::join);
        counts.map(|count| count.unwrap_or(0_u64)).sum()
    });
    Ok(float(total) / length.as_secs_f64())
}

/// Requests as fast as they are answered, one under way on each connection.
struct Load<'a> {
    target: &'a Target,
    connections: u32,
}

impl Load<'_> {
    /// Answers the figures and the length of the last answer.
    async fn run<F>(&self, seconds: f64, ask: F) -> Result<(Value, usize)>
    where
        F: AsyncFn(&mut Client, u32) -> Result<crate::http::Answer>,
    {
        let meter = Meter::start(&self.target.trees).await?;
        let begun = Instant::now();
        let end = begun + Duration::from_secs_f64(seconds);
        let ask = &ask;
        let workers = (0..self.connections).map(|worker| async move {
            let mut client = Client::connect(self.target.address).await?;
            let mut times = histogram()?;
            let mut length = 0;
            let mut turn = worker;
            while Instant::now() < end {
                let start = Instant::now();
                let answer = ask(&mut client, turn).await?;
                ensure!(answer.status == 200, "answered {}", answer.status);
                times.saturating_record(micros(start.elapsed()));
                length = answer.body.len();
                turn = turn.wrapping_add(1);
            }
            anyhow::Ok((times, length))
        });
        let mut times = histogram()?;
        let mut length = 0;
        for (worker, bytes) in future::try_join_all(workers).await? {
            times.add(worker)?;
            length = bytes;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        let usage = meter.read().await?;
        let mut figures = quantiles(&times);
        figures["requests_per_s"] = (float(times.len()) / elapsed).into();
        per_thousand(&mut figures, &usage, float(times.len()));
        Ok((figures, length))
    }
}
