//! Logins, as a share of what the password hash alone allows on all cores.
//!
//! The machine's speed changes from one second to the next, so short slices of hashing alone and
//! of logins take turns, and each slice of logins is compared with the two of hashing around it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use colloquy_core::auth::{HashMemory, Password, PasswordJob, PasswordOutcome, Salt};
use serde_json::{Value, json};

use crate::figures::{float, histogram, median, per_thousand, quantiles};
use crate::http::Client;
use crate::requests::{Load, Plan};
use crate::target::{Target, now_ms};
use crate::usage::Meter;

/// How many slices of logins there are; of hashing there is one more.
const SLICES: u32 = 5;

/// Accounts that log in.
const ACCOUNTS: u32 = 8;

const PASSWORD: &str = "correct horse battery 9";

const SALT: Salt = [7; 16];

/// Measures both.
pub(crate) async fn measure(target: &Target, plan: &Plan) -> Result<Value> {
    let run = now_ms();
    let name = |account: u32| format!("login{run}x{}", account % ACCOUNTS);
    register(target, (0..ACCOUNTS).map(name)).await?;
    let ask = async |client: &mut Client, turn: u32| {
        let body = json!({ "username": name(turn), "password": PASSWORD }).to_string();
        client.request("POST", "/api/users/login/", "", &body).await
    };
    let load = Load::new(target, plan);
    let slice = plan.seconds / f64::from(SLICES);
    load.run(plan.warm_up, ask).await?;
    let hash = Hash::new()?;
    let mut hashes = vec![hash.slice(slice).await?];
    let mut times = histogram()?;
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    // While there is only hashing the servers do nothing, so that all they spend is for logins.
    let meter = Meter::start(&target.trees).await?;
    for _ in 0..SLICES {
        let logins = load.run(slice, ask).await?;
        let before = hashes.last().map_or(0.0, |hashes| hashes.rate);
        let after = hash.slice(slice).await?;
        rates.push(logins.rate());
        shares.push(logins.rate() / f64::midpoint(before, after.rate));
        times.add(logins.times)?;
        hashes.push(after);
    }
    let mut figures = quantiles(&times);
    per_thousand(&mut figures, &meter.read().await?, float(times.len()));
    figures["share_of_hash"] = median(shares).into();
    figures["requests_per_s"] = median(rates).into();
    let (rates, costs) = hashes.iter().map(|hash| (hash.rate, hash.cost)).unzip();
    figures["hashes_per_s"] = median(rates).into();
    figures["hash_cpu_s"] = median(costs).into();
    Ok(figures)
}

async fn register(target: &Target, names: impl Iterator<Item = String>) -> Result<()> {
    let mut client = Client::connect(target.address).await?;
    for name in names {
        let body = json!({
            "username": name, "email": format!("{name}@chat.example"), "password": PASSWORD,
        });
        let (path, body) = ("/api/users/register/", body.to_string());
        let status = client.request("POST", path, "", &body).await?.status;
        ensure!(status == 201, "registering was answered {status}");
    }
    Ok(())
}

/// A stored hash, to check the password against with nothing else to do.
struct Hash(String);

/// What one slice of hashing came to.
struct Hashes {
    /// Hashes a second on all cores together.
    rate: f64,
    /// CPU seconds of one.
    cost: f64,
}

impl Hash {
    fn new() -> Result<Self> {
        let job = PasswordJob::Hash {
            password: Password::new(PASSWORD.to_owned()),
            salt: SALT,
        };
        match job.run(&mut HashMemory::default()) {
            PasswordOutcome::Hashed(stored) => Ok(Self(stored)),
            _ => bail!("this machine could not hash a password"),
        }
    }

    async fn slice(&self, seconds: f64) -> Result<Hashes> {
        let meter = Meter::start(&[]).await?;
        let begun = Instant::now();
        let end = begun + Duration::from_secs_f64(seconds);
        let cores = thread::available_parallelism()?.get();
        let rates: Vec<(u64, f64)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|_| scope.spawn(|| self.check_until(end)))
                .collect();
            let counts = workers.into_iter().map(thread::ScopedJoinHandle::join);
            counts.filter_map(Result::ok).collect()
        });
        let checked: u64 = rates.iter().map(|(count, _)| count).sum();
        Ok(Hashes {
            rate: rates.iter().map(|(_, rate)| rate).sum(),
            cost: meter.read().await?.generator() / float(checked),
        })
    }

    /// Answers how many it checked, and how many a second.
    fn check_until(&self, end: Instant) -> (u64, f64) {
        let mut memory = HashMemory::default();
        let begun = Instant::now();
        let mut count = 0;
        while Instant::now() < end {
            let job = PasswordJob::Verify {
                password: Password::new(PASSWORD.to_owned()),
                hash: Some(self.0.clone()),
                salt: SALT,
            };
            job.run(&mut memory);
            count += 1;
        }
        (count, float(count) / begun.elapsed().as_secs_f64())
    }
}
