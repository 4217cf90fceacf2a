//! A load: rooms of sockets; every socket receives, some send.
//!
//! A load is opened, measured once, and closed when dropped. The measurements and their figures are in
//! `fanout` and `scaling`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use crate::noise_probe::{NoiseProbe, NoiseSample};
use crate::open_loop::OpenLoopSender;
use crate::output::float;
use crate::proc_usage::{CpuMeter, CpuUsage, ProcessTree};
use crate::run::{Phase, RoomCounters, Run};
use crate::socket::{self, Socket};
use crate::target::Target;

/// Concurrent connects.
const CONCURRENT_CONNECTS: usize = 32;

/// How long all sent messages may take to arrive after the last send.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(50);

/// The size of a load.
pub(crate) struct LoadShape {
    pub(crate) rooms: u32,
    /// Members of each room.
    pub(crate) members: u32,
    /// How many members are connected.
    pub(crate) connected: u32,
    /// How many of the connected members send.
    pub(crate) senders: u32,
}

/// The rate and duration of a load.
pub(crate) struct LoadProfile<'a> {
    /// Messages per second over all rooms; saturation if `None`.
    pub(crate) rate: Option<f64>,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    /// Whether the noise of the host is measured.
    pub(crate) probes_noise: bool,
    /// The process trees whose CPU time counts.
    pub(crate) trees: &'a [ProcessTree],
}

/// The counts of a measurement.
pub(crate) struct Measurement {
    pub(crate) deliveries: f64,
    pub(crate) usage: CpuUsage,
    /// The noise of the host, if it was measured.
    pub(crate) noise: Option<NoiseSample>,
}

/// The open sockets of a load.
pub(crate) struct SocketLoad {
    pub(crate) run: Rc<Run>,
    /// By room; the first ones of each room send.
    rooms: Vec<Vec<Rc<Socket>>>,
    senders: u32,
    /// Dropping it closes the sockets.
    _serving: JoinSet<()>,
}

impl SocketLoad {
    /// Creates the rooms, opens the sockets and waits until each receives messages of its room. At
    /// saturation a sender keeps `window` messages in flight.
    pub(crate) async fn open(target: &Target, shape: &LoadShape, window: u32) -> Result<Self> {
        ensure!(
            shape.rooms > 0 && shape.connected > 0 && shape.senders > 0,
            "a load needs rooms, members and senders"
        );
        let run = Rc::new(Run::new(target.v2, window)?);
        let senders = shape.senders.min(shape.connected);
        let ids = target.create_rooms(shape.rooms, shape.members).await?;
        let room = |id| {
            let sent = (0..senders).map(|_| Cell::new(0)).collect();
            Rc::new(RoomCounters { id, sent })
        };
        let rooms: Vec<Rc<RoomCounters>> = ids.into_iter().map(room).collect();
        let all = open(target, shape, &run, &rooms).await?;
        let mut serving = JoinSet::new();
        for socket in &all {
            serving.spawn_local(Rc::clone(socket).serve());
        }
        let rooms = all.chunks(usize::try_from(shape.connected)?);
        let load = Self {
            run,
            rooms: rooms.map(<[_]>::to_vec).collect(),
            senders,
            _serving: serving,
        };
        load.await_probes().await?;
        Ok(load)
    }

    /// Waits until every socket receives messages of its room: after the upgrade a socket is not yet
    /// registered in the room.
    async fn await_probes(&self) -> Result<()> {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        for ordinal in 1.. {
            let is_unprobed =
                |room: &&Vec<Rc<Socket>>| room.iter().any(|socket| socket.probed() == 0);
            let waiting: Vec<_> = self.rooms.iter().filter(is_unprobed).collect();
            if waiting.is_empty() {
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "{} rooms have members that receive nothing",
                waiting.len()
            );
            for room in &waiting {
                room.first()
                    .context("a room without members")?
                    .probe(ordinal);
            }
            for _ in 0..20 {
                self.wait(POLL).await?;
                if !waiting.iter().any(is_unprobed) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends, and counts what arrives after the warm-up. A lost, duplicated or reordered message is an
    /// error.
    pub(crate) async fn measure(&self, profile: &LoadProfile<'_>) -> Result<Measurement> {
        let run = &self.run;
        let sender = if let Some(rate) = profile.rate {
            Some(OpenLoopSender::start(run, self.senders_in_turn(), rate)?)
        } else {
            run.phase.set(Phase::Sending);
            self.sockets().for_each(|socket| socket.wake());
            None
        };
        self.wait(profile.warm_up).await?;
        let noise = profile.probes_noise.then(NoiseProbe::start).transpose()?;
        let meter = CpuMeter::start(profile.trees).await?;
        let start = run.now_us();
        run.measured
            .set(start..start + u64::try_from(profile.length.as_micros())?);
        self.wait(profile.length).await?;
        let usage = meter.read().await?;
        let noise = match noise {
            Some(noise) => Some(noise.end().await?),
            None => None,
        };
        run.phase.set(Phase::Quiet);
        if let Some(sender) = sender {
            sender.stop(self.senders_in_turn()).await?;
        }
        self.drain().await?;
        let (_, in_time) = run.arrived();
        Ok(Measurement {
            deliveries: float(in_time),
            usage,
            noise,
        })
    }

    fn sockets(&self) -> impl Iterator<Item = &Rc<Socket>> {
        self.rooms.iter().flatten()
    }

    /// The senders in turn: alternating between rooms, and between the senders of a room.
    fn senders_in_turn(&self) -> impl Iterator<Item = &Rc<Socket>> {
        let senders = 0..usize::try_from(self.senders).unwrap_or(usize::MAX);
        senders.flat_map(|sender| self.rooms.iter().filter_map(move |room| room.get(sender)))
    }

    async fn wait(&self, length: Duration) -> Result<()> {
        tokio::time::sleep(length).await;
        self.run.check()
    }

    /// Waits for all sent messages, then compares the order on all sockets of a room.
    async fn drain(&self) -> Result<()> {
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        loop {
            self.run.check()?;
            let missing: u64 = self
                .sockets()
                .map(|socket| socket.missing_and_digest().0)
                .sum();
            if missing == 0 {
                break;
            }
            if Instant::now() > deadline {
                bail!("{missing} deliveries were lost");
            }
            tokio::time::sleep(POLL).await;
        }
        for room in &self.rooms {
            let mut digests = room.iter().map(|socket| socket.missing_and_digest().1);
            let first = digests.next();
            ensure!(
                digests.all(|digest| Some(digest) == first),
                "two members of a room received its messages in different orders"
            );
        }
        Ok(())
    }
}

/// Opens all sockets, room by room.
async fn open(
    target: &Target,
    shape: &LoadShape,
    run: &Rc<Run>,
    rooms: &[Rc<RoomCounters>],
) -> Result<Vec<Rc<Socket>>> {
    let sockets = (0..).zip(rooms).flat_map(|(index, room)| {
        let members = 0..shape.connected;
        members.map(move |member| (index, room, member))
    });
    stream::iter(sockets)
        .map(|(index, room, member)| async move {
            let user = target.user(index, member, shape.members);
            let opened = socket::connect(target, &target.upgrade(room.id, user)).await?;
            anyhow::Ok(Socket::new(run, room, member, opened))
        })
        .buffered(CONCURRENT_CONNECTS)
        .try_collect()
        .await
}
