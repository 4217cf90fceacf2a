//! Fan-out: rooms in which every member receives and some members send.
//!
//! At saturation every sender keeps a window of messages in flight and sends the next one when it
//! receives its own; the rate is measured. At a given rate a thread sends on a fixed schedule
//! regardless of the server, and latency counts from the scheduled time of a message, so that a
//! stalled server is charged for all delayed messages (no coordinated omission).

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::load::{LoadProfile, LoadShape, SocketLoad};
use crate::output::{micros, per_thousand, quantiles};
use crate::target::Target;

#[derive(Args, Clone, Debug)]
pub(crate) struct FanoutOptions {
    /// Number of rooms.
    #[arg(long, default_value_t = 1)]
    rooms: u32,
    /// Members of each room.
    #[arg(long, default_value_t = 50)]
    members: u32,
    /// Senders in each room.
    #[arg(long, default_value_t = 10)]
    senders: u32,
    /// Messages each sender keeps in flight at saturation.
    #[arg(long, default_value_t = 10)]
    window: u32,
    /// Deliveries per second over all rooms; 0 for saturation.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Seconds of warm-up.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds measured.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Runs it. A lost, duplicated or reordered message is an error, so a result never has any.
pub(crate) async fn measure(target: &Target, options: &FanoutOptions) -> Result<Value> {
    let shape = LoadShape {
        rooms: options.rooms,
        members: options.members,
        connected: options.members,
        senders: options.senders,
    };
    let messages = f64::from(options.rate) / f64::from(options.members);
    let load = SocketLoad::open(target, &shape, options.window).await?;
    let measured = load
        .measure(&LoadProfile {
            rate: (options.rate > 0).then_some(messages),
            // Only at a given rate would noise of the host be charged to the server.
            probes_noise: options.rate > 0,
            warm_up: Duration::from_secs_f64(options.warm_up),
            length: Duration::from_secs_f64(options.seconds),
            trees: &target.trees,
        })
        .await?;
    let mut figures = quantiles(&load.run.histogram.borrow());
    figures["deliveries_per_s"] = (measured.deliveries / options.seconds).into();
    figures["delivered"] = load.run.arrived().0.into();
    for fault in ["lost", "duplicated", "reordered"] {
        figures[fault] = 0.into();
    }
    if let Some(noise) = measured.noise {
        figures["host_wake_delay_us"] = micros(noise.wake_delay).into();
        figures["host_sync_us"] = micros(noise.sync).into();
    }
    per_thousand(&mut figures, &measured.usage, measured.deliveries);
    Ok(figures)
}
