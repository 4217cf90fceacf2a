//! The cost of a message and of a delivery by size and number of rooms, at a moderate rate.
//!
//! A message has a fixed cost (it is read, stored, cached) and a cost per receiver. Saturation cannot
//! separate the two: a busy server stores and writes more messages per transaction and system call.
//! So messages are sent one at a time here, twice: with only their senders connected, which gives the
//! cost of a message, and with all members. The difference, divided by the number of additional
//! sockets, is the cost of a delivery.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::load::{LoadProfile, LoadShape, Measurement, SocketLoad};
use crate::output::quantiles;
use crate::proc_usage::CpuTime;
use crate::target::Target;

#[derive(Args, Clone, Debug)]
pub(crate) struct ScalingOptions {
    /// Number of rooms.
    #[arg(long, default_value_t = 1)]
    rooms: u32,
    /// Members of each room; one of them sends.
    #[arg(long, default_value_t = 10)]
    members: u32,
    /// Messages per second over all rooms.
    #[arg(long, default_value_t = 100)]
    messages: u32,
    /// Upper limit of deliveries per second; with all members connected fewer messages are sent.
    #[arg(long, default_value_t = 20_000)]
    deliveries: u32,
    /// Seconds of warm-up.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds measured, each time.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

/// The cost of a message: CPU time of the server, and CPU seconds of the whole stack.
struct MessageCost {
    server: CpuTime,
    stack: f64,
}

/// Measures both costs.
pub(crate) async fn measure(target: &Target, options: &ScalingOptions) -> Result<Value> {
    ensure!(options.members > 1, "a room needs at least two members");
    let (_, alone) = options.with(target, 1).await?;
    let (load, everyone) = options.with(target, options.members).await?;
    let message = cost(&alone, 1);
    let whole = cost(&everyone, options.members);
    let more = f64::from(options.members - 1);
    let mut figures = quantiles(&load.run.histogram.borrow());
    figures["message_us"] = micros(&message);
    figures["message_with_deliveries_us"] = micros(&whole);
    let delivery = whole.server - message.server;
    figures["delivery_us"] = (delivery.total() / more * 1e6).into();
    figures["delivery_kernel_us"] = (delivery.kernel / more * 1e6).into();
    figures["deliveries_per_s"] = (everyone.deliveries / options.seconds).into();
    figures["generator_share_of_core"] = (everyone.usage.generator() / options.seconds).into();
    Ok(figures)
}

impl ScalingOptions {
    /// Measures with this many members of each room connected.
    async fn with(&self, target: &Target, connected: u32) -> Result<(SocketLoad, Measurement)> {
        let shape = LoadShape {
            rooms: self.rooms,
            members: self.members,
            connected,
            senders: 1,
        };
        let affordable = f64::from(self.deliveries) / f64::from(connected);
        let load = SocketLoad::open(target, &shape, 1).await?;
        let profile = LoadProfile {
            rate: Some(affordable.min(f64::from(self.messages))),
            probes_noise: false,
            warm_up: Duration::from_secs_f64(self.warm_up),
            length: Duration::from_secs_f64(self.seconds),
            trees: &target.trees,
        };
        let measured = load.measure(&profile).await?;
        Ok((load, measured))
    }
}

fn cost(measured: &Measurement, connected: u32) -> MessageCost {
    let messages = measured.deliveries / f64::from(connected);
    MessageCost {
        server: measured.usage.server() / messages,
        stack: measured.usage.stack() / messages,
    }
}

fn micros(cost: &MessageCost) -> Value {
    json!({ "server": cost.server.total() * 1e6, "stack": cost.stack * 1e6 })
}
