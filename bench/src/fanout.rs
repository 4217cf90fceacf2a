//! Fan-out: rooms of members, some of whom send, all of whom receive.
//!
//! At saturation every sender keeps a window of messages under way and sends the next when its own
//! comes back; what is measured is the rate. At a given rate a thread sends on a fixed schedule,
//! whatever the server does, and latency counts from the moment a message was to be sent: a server
//! that stalls is charged for all that had to wait (no coordinated omission).

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::crowd::{Course, Crowd, Shape};
use crate::figures::{micros, per_thousand, quantiles};
use crate::target::Target;

#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// How many rooms.
    #[arg(long, default_value_t = 1)]
    rooms: u32,
    /// Members in each.
    #[arg(long, default_value_t = 50)]
    members: u32,
    /// Senders in each room.
    #[arg(long, default_value_t = 10)]
    senders: u32,
    /// Messages each sender keeps under way, at saturation.
    #[arg(long, default_value_t = 10)]
    window: u32,
    /// Deliveries a second over all rooms; 0 for saturation.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Runs it. The answer has no figures of a run that lost, doubled or reordered anything: that is
/// an error.
pub(crate) async fn measure(target: &Target, plan: &Plan) -> Result<Value> {
    let shape = Shape {
        rooms: plan.rooms,
        members: plan.members,
        connected: plan.members,
        senders: plan.senders,
    };
    let messages = f64::from(plan.rate) / f64::from(plan.members);
    let crowd = Crowd::gather(target, &shape, plan.window).await?;
    let measured = crowd
        .measure(&Course {
            rate: (plan.rate > 0).then_some(messages),
            // At a given rate what the machine does would be charged to the server.
            watched: plan.rate > 0,
            warm_up: Duration::from_secs_f64(plan.warm_up),
            length: Duration::from_secs_f64(plan.seconds),
            trees: &target.trees,
        })
        .await?;
    let mut figures = quantiles(&crowd.run.histogram.borrow());
    figures["deliveries_per_s"] = (measured.deliveries / plan.seconds).into();
    figures["delivered"] = crowd.run.arrived().0.into();
    for fault in ["lost", "duplicated", "reordered"] {
        figures[fault] = 0.into();
    }
    if let Some(seen) = measured.seen {
        figures["machine_late_us"] = micros(seen.late).into();
        figures["machine_sync_us"] = micros(seen.sync).into();
    }
    per_thousand(&mut figures, &measured.usage, measured.deliveries);
    Ok(figures)
}
