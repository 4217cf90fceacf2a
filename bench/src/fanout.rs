//! Fan-out: rooms of members, some of whom send, all of whom receive.
//!
//! At saturation every sender keeps a window of messages under way and sends the next when its own
//! comes back; what is measured is the rate. At a given rate a thread sends on a fixed schedule,
//! whatever the server does, and latency counts from the moment a message was to be sent: a server
//! that stalls is charged for all that had to wait (no coordinated omission).

use std::cell::Cell;
use std::net::TcpStream;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::figures::{float, per_thousand, quantiles};
use crate::run::{Phase, Room, Run, frame};
use crate::socket::{self, Socket};
use crate::target::Target;
use crate::usage::Meter;
use crate::wire::{self, Mark};

/// Sockets opened at once.
const OPENING: usize = 32;

/// How long everything sent may take to arrive once nothing more is sent.
const DRAIN: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(50);

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
    let senders = plan.senders.min(plan.members);
    let run = Rc::new(Run::new(target.v2, plan.window)?);
    let sockets = open(target, plan, senders, &run).await?;
    listen(&run, &sockets).await?;
    let pacer = if plan.rate == 0 {
        run.phase.set(Phase::Sending);
        sockets.iter().flatten().for_each(|socket| socket.wake());
        None
    } else {
        Some(Pacer::start(target, plan, senders, &run, &sockets)?)
    };
    let watch = Watch {
        run: &run,
        sockets: &sockets,
    };
    watch.wait(Duration::from_secs_f64(plan.warm_up)).await?;
    let meter = Meter::start(&target.trees).await?;
    let start = run.now_us();
    let length = Duration::from_secs_f64(plan.seconds);
    run.measured
        .set(start..start + u64::try_from(length.as_micros())?);
    watch.wait(length).await?;
    let usage = meter.read().await?;
    run.phase.set(Phase::Quiet);
    if let Some(pacer) = pacer {
        pacer.stop(&sockets, senders).await?;
    }
    watch.drain().await?;
    let (arrived, in_time) = run.arrived();
    let histogram = run.histogram.borrow();
    let deliveries = float(in_time);
    let mut figures = quantiles(&histogram);
    figures["deliveries_per_s"] = (deliveries / plan.seconds).into();
    figures["delivered"] = arrived.into();
    for fault in ["lost", "duplicated", "reordered"] {
        figures[fault] = 0.into();
    }
    per_thousand(&mut figures, &usage, deliveries);
    Ok(figures)
}

async fn open(
    target: &Target,
    plan: &Plan,
    senders: u32,
    run: &Rc<Run>,
) -> Result<Vec<Vec<Rc<Socket>>>> {
    let ids = target.make_rooms(plan.rooms, plan.members).await?;
    let mut all = Vec::new();
    for (room, id) in (0..).zip(ids) {
        let sent = (0..senders).map(|_| Cell::new(0)).collect();
        let shared = Rc::new(Room { id, sent });
        let opened: Vec<Rc<Socket>> = stream::iter(0..plan.members)
            .map(|member| {
                let shared = Rc::clone(&shared);
                async move {
                    let user = target.user(room, member, plan.members);
                    let opened = socket::connect(target, &target.upgrade(id, user)).await?;
                    anyhow::Ok(Socket::new(run, &shared, member, opened))
                }
            })
            .buffered(OPENING)
            .try_collect()
            .await?;
        for socket in &opened {
            tokio::task::spawn_local(Rc::clone(socket).serve());
        }
        all.push(opened);
    }
    Ok(all)
}

/// Waits until every socket hears what is sent in its room: an upgrade that was answered is not
/// yet a place in the room.
async fn listen(run: &Run, sockets: &[Vec<Rc<Socket>>]) -> Result<()> {
    let deadline = Instant::now() + DRAIN;
    for ordinal in 1.. {
        let deaf = |room: &&Vec<Rc<Socket>>| room.iter().any(|socket| socket.probed() == 0);
        let waiting: Vec<_> = sockets.iter().filter(deaf).collect();
        if waiting.is_empty() {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "{} rooms are not heard by all their members",
            waiting.len()
        );
        for room in &waiting {
            room.first()
                .context("a room without members")?
                .probe(ordinal);
        }
        for _ in 0..20 {
            tokio::time::sleep(POLL).await;
            run.check()?;
            if !waiting.iter().any(deaf) {
                break;
            }
        }
    }
    Ok(())
}

struct Watch<'a> {
    run: &'a Run,
    sockets: &'a [Vec<Rc<Socket>>],
}

impl Watch<'_> {
    async fn wait(&self, length: Duration) -> Result<()> {
        tokio::time::sleep(length).await;
        self.run.check()
    }

    /// Waits for all that was sent, then compares the order of every socket of a room.
    async fn drain(&self) -> Result<()> {
        let deadline = Instant::now() + DRAIN;
        loop {
            self.run.check()?;
            let all = self.sockets.iter().flatten();
            let missing: u64 = all.map(|socket| socket.standing().0).sum();
            if missing == 0 {
                break;
            }
            if Instant::now() > deadline {
                bail!("{missing} deliveries were lost");
            }
            tokio::time::sleep(POLL).await;
        }
        for room in self.sockets {
            let mut digests = room.iter().map(|socket| socket.standing().1);
            let first = digests.next();
            ensure!(
                digests.all(|digest| Some(digest) == first),
                "two members of a room received its messages in different orders"
            );
        }
        Ok(())
    }
}

/// The thread that sends on time.
struct Pacer {
    thread: thread::JoinHandle<Result<Vec<u32>>>,
    stop: std::sync::mpsc::Sender<()>,
}

impl Pacer {
    fn start(
        target: &Target,
        plan: &Plan,
        senders: u32,
        run: &Run,
        sockets: &[Vec<Rc<Socket>>],
    ) -> Result<Self> {
        // Senders take turns within a room, rooms take turns.
        let mut turns: Vec<(i64, u32, TcpStream)> = Vec::new();
        for sender in 0..senders {
            for room in sockets {
                let socket = &room[usize::try_from(sender)?];
                turns.push((socket.room(), sender, socket.duplicate()?));
            }
        }
        let per_second = f64::from(plan.rate) / f64::from(plan.members);
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (began, v2) = (run.began(), target.v2);
        let thread = thread::spawn(move || {
            let first = Instant::now() + interval;
            let mut counts = vec![0_u32; turns.len()];
            let mut bytes = Vec::new();
            for step in 0_u32.. {
                let due = first + interval * step;
                if let Some(early) = due.checked_duration_since(Instant::now()) {
                    thread::sleep(early);
                }
                if stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
                    break;
                }
                let at = usize::try_from(step)? % turns.len();
                let (room, sender, stream) = &mut turns[at];
                let intended_us = u64::try_from((due - began).as_micros())?;
                let mark = Mark {
                    sender: *sender,
                    ordinal: counts[at],
                    intended_us,
                };
                bytes.clear();
                wire::text_frame(&frame(v2, *room, mark), &mut bytes);
                // So little waits on these connections that the kernel takes it at once.
                std::io::Write::write_all(stream, &bytes).context("sending on time")?;
                counts[at] += 1;
            }
            Ok(counts)
        });
        Ok(Self { thread, stop })
    }

    /// Ends it and notes how much was sent.
    async fn stop(self, sockets: &[Vec<Rc<Socket>>], senders: u32) -> Result<()> {
        drop(self.stop);
        // Waited for elsewhere: what is still under way is to be received on time.
        let thread = tokio::task::spawn_blocking(|| self.thread.join());
        let counts = thread
            .await?
            .map_err(|_| anyhow::anyhow!("the pacer failed"))??;
        let mut counts = counts.into_iter();
        for sender in 0..usize::try_from(senders)? {
            for room in sockets {
                room[sender].note_sent(counts.next().unwrap_or(0));
            }
        }
        Ok(())
    }
}
