//! What a message and a delivery cost as rooms grow, at a rate the server easily keeps up with.
//!
//! A message costs something once (it is read, stored, cached) and something for each who receives
//! it. At saturation neither can be told from the other: messages that wait are stored by one
//! transaction and written by one system call, the more of them the busier the server. So messages
//! are sent one at a time here, far apart, twice: with only their senders connected, which tells
//! what a message costs, and with everyone. What the second costs more, shared among the sockets
//! that were not there before, is what a delivery costs.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::crowd::{Course, Crowd, Measured, Shape};
use crate::figures::quantiles;
use crate::target::Target;
use crate::usage::Cpu;

#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// How many rooms.
    #[arg(long, default_value_t = 1)]
    rooms: u32,
    /// Members in each; one of them sends.
    #[arg(long, default_value_t = 10)]
    members: u32,
    /// Messages a second over all rooms.
    #[arg(long, default_value_t = 100)]
    messages: u32,
    /// The most deliveries a second; with everyone connected as many fewer messages are sent.
    #[arg(long, default_value_t = 20_000)]
    deliveries: u32,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds of measuring, each time.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

/// What a message costs the server, and the whole stack in CPU seconds.
struct Cost {
    server: Cpu,
    stack: f64,
}

/// Measures both.
pub(crate) async fn measure(target: &Target, plan: &Plan) -> Result<Value> {
    ensure!(plan.members > 1, "a room has two members at least");
    let (_, alone) = plan.with(target, 1).await?;
    let (crowd, everyone) = plan.with(target, plan.members).await?;
    let message = cost(&alone, 1);
    let whole = cost(&everyone, plan.members);
    let more = f64::from(plan.members - 1);
    let mut figures = quantiles(&crowd.run.histogram.borrow());
    figures["message_us"] = micros(&message);
    figures["message_to_all_us"] = micros(&whole);
    let delivery = whole.server - message.server;
    figures["delivery_us"] = (delivery.total() / more * 1e6).into();
    figures["delivery_kernel_us"] = (delivery.kernel / more * 1e6).into();
    figures["deliveries_per_s"] = (everyone.deliveries / plan.seconds).into();
    figures["generator_share_of_core"] = (everyone.usage.generator() / plan.seconds).into();
    Ok(figures)
}

impl Plan {
    /// Measures with so many of each room connected.
    async fn with(&self, target: &Target, connected: u32) -> Result<(Crowd, Measured)> {
        let shape = Shape {
            rooms: self.rooms,
            members: self.members,
            connected,
            senders: 1,
        };
        let affordable = f64::from(self.deliveries) / f64::from(connected);
        let crowd = Crowd::gather(target, &shape, 1).await?;
        let course = Course {
            rate: Some(affordable.min(f64::from(self.messages))),
            watched: false,
            warm_up: Duration::from_secs_f64(self.warm_up),
            length: Duration::from_secs_f64(self.seconds),
            trees: &target.trees,
        };
        let measured = crowd.measure(&course).await?;
        Ok((crowd, measured))
    }
}

fn cost(measured: &Measured, connected: u32) -> Cost {
    let messages = measured.deliveries / f64::from(connected);
    Cost {
        server: measured.usage.server() / messages,
        stack: measured.usage.stack() / messages,
    }
}

fn micros(cost: &Cost) -> Value {
    json!({ "server": cost.server.total() * 1e6, "stack": cost.stack * 1e6 })
}
