//! Logins per second, as a share of the password hashes that all cores can compute.
//!
//! The speed of the machine varies by the second, so short slices of hashing alone and of logins
//! alternate, and each slice of logins is compared with the slices of hashing before and after it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use colloquy_core::auth::{HashMemory, Password, PasswordJob, PasswordOutcome, Salt};
use serde_json::{Value, json};

use crate::http::HttpClient;
use crate::output::{float, histogram, median, per_thousand, quantiles};
use crate::proc_usage::CpuMeter;
use crate::requests::{RequestLoad, RequestOptions};
use crate::seed::now_ms;
use crate::target::Target;

/// Slices of logins; there is one more of hashing.
const SLICES: u32 = 5;

/// Accounts that log in.
const ACCOUNTS: u32 = 8;

const PASSWORD: &str = "correct horse battery 9";

const SALT: Salt = [7; 16];

/// Measures both.
pub(crate) async fn measure(target: &Target, options: &RequestOptions) -> Result<Value> {
    let run = now_ms();
    let name = |account: u32| format!("login{run}x{}", account % ACCOUNTS);
    register(target, (0..ACCOUNTS).map(name)).await?;
    let request = async |client: &mut HttpClient, turn: u32| {
        let body = json!({ "username": name(turn), "password": PASSWORD }).to_string();
        client.request("POST", "/api/users/login/", "", &body).await
    };
    let load = RequestLoad::new(target, options);
    let slice = options.seconds / f64::from(SLICES);
    load.run(options.warm_up, request).await?;
    let hash = StoredHash::new()?;
    let mut hashes = vec![hash.slice(slice).await?];
    let mut times = histogram()?;
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    // During the slices of hashing the servers are idle, so all their CPU time is for logins.
    let meter = CpuMeter::start(&target.trees).await?;
    for _ in 0..SLICES {
        let logins = load.run(slice, request).await?;
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
    let mut client = HttpClient::connect(target.address).await?;
    for name in names {
        let body = json!({
            "username": name, "email": format!("{name}@chat.example"), "password": PASSWORD,
        });
        let (path, body) = ("/api/users/register/", body.to_string());
        let status = client.request("POST", path, "", &body).await?.status;
        ensure!(status == 201, "registration failed with {status}");
    }
    Ok(())
}

/// A stored hash to verify the password against.
struct StoredHash(String);

/// The result of one slice of hashing.
struct HashRate {
    /// Hashes per second on all cores together.
    rate: f64,
    /// CPU seconds of one hash.
    cost: f64,
}

impl StoredHash {
    fn new() -> Result<Self> {
        let job = PasswordJob::Hash {
            password: Password::new(PASSWORD.to_owned()),
            salt: SALT,
        };
        match job.run(&mut HashMemory::default()) {
            PasswordOutcome::Hashed(stored) => Ok(Self(stored)),
            _ => bail!("the password could not be hashed"),
        }
    }

    async fn slice(&self, seconds: f64) -> Result<HashRate> {
        let meter = CpuMeter::start(&[]).await?;
        let started = Instant::now();
        let end = started + Duration::from_secs_f64(seconds);
        let cores = thread::available_parallelism()?.get();
        let rates: Vec<(u64, f64)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|_| scope.spawn(|| self.check_until(end)))
                .collect();
            let counts = workers.into_iter().map(thread::ScopedJoinHandle::join);
            counts.filter_map(Result::ok).collect()
        });
        let checked: u64 = rates.iter().map(|(count, _)| count).sum();
        Ok(HashRate {
            rate: rates.iter().map(|(_, rate)| rate).sum(),
            cost: meter.read().await?.generator() / float(checked),
        })
    }

    /// Returns how many hashes it verified, in total and per second.
    fn check_until(&self, end: Instant) -> (u64, f64) {
        let mut memory = HashMemory::default();
        let started = Instant::now();
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
        (count, float(count) / started.elapsed().as_secs_f64())
    }
}
