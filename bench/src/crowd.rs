//! Rooms of sockets, some of which send, all of which receive.
//!
//! A crowd is gathered, measured once and gone when dropped. What is measured, and how it is told,
//! is in `fanout` and `growth`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use crate::figures::float;
use crate::pacer::Pacer;
use crate::run::{Phase, Room, Run};
use crate::socket::{self, Socket};
use crate::target::Target;
use crate::usage::{Meter, Tree, Usage};
use crate::witness::{Seen, Witness};

/// Sockets opened at once.
const OPENING: usize = 32;

/// How long everything sent may take to arrive once nothing more is sent.
const DRAIN: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(50);

/// How large a crowd is.
pub(crate) struct Shape {
    pub(crate) rooms: u32,
    /// Members of each room.
    pub(crate) members: u32,
    /// How many of them are connected.
    pub(crate) connected: u32,
    /// How many of those send.
    pub(crate) senders: u32,
}

/// How much is sent, and for how long.
pub(crate) struct Course<'a> {
    /// Messages a second over all rooms; saturation without.
    pub(crate) rate: Option<f64>,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    /// Whether a witness looks on.
    pub(crate) watched: bool,
    /// Whose CPU time counts.
    pub(crate) trees: &'a [Tree],
}

/// What was counted while measuring.
pub(crate) struct Measured {
    pub(crate) deliveries: f64,
    pub(crate) usage: Usage,
    /// What the machine did meanwhile, if that was watched.
    pub(crate) seen: Option<Seen>,
}

/// Sockets that listen.
pub(crate) struct Crowd {
    pub(crate) run: Rc<Run>,
    /// By room; the first ones of each send.
    rooms: Vec<Vec<Rc<Socket>>>,
    senders: u32,
    /// Ends, and with it the sockets, when this is dropped.
    _serving: JoinSet<()>,
}

impl Crowd {
    /// Makes the rooms, opens the sockets and waits until each hears what is sent in its room.
    /// At saturation a sender keeps `window` messages under way.
    pub(crate) async fn gather(target: &Target, shape: &Shape, window: u32) -> Result<Self> {
        ensure!(
            shape.rooms > 0 && shape.connected > 0 && shape.senders > 0,
            "a crowd has rooms, members in them, and some who send"
        );
        let run = Rc::new(Run::new(target.v2, window)?);
        let senders = shape.senders.min(shape.connected);
        let ids = target.make_rooms(shape.rooms, shape.members).await?;
        let room = |id| {
            let sent = (0..senders).map(|_| Cell::new(0)).collect();
            Rc::new(Room { id, sent })
        };
        let rooms: Vec<Rc<Room>> = ids.into_iter().map(room).collect();
        let all = open(target, shape, &run, &rooms).await?;
        let mut serving = JoinSet::new();
        for socket in &all {
            serving.spawn_local(Rc::clone(socket).serve());
        }
        let rooms = all.chunks(usize::try_from(shape.connected)?);
        let crowd = Self {
            run,
            rooms: rooms.map(<[_]>::to_vec).collect(),
            senders,
            _serving: serving,
        };
        crowd.listen().await?;
        Ok(crowd)
    }

    /// Waits until every socket hears what is sent in its room: an upgrade that was answered is
    /// not yet a place in the room.
    async fn listen(&self) -> Result<()> {
        let deadline = Instant::now() + DRAIN;
        for ordinal in 1.. {
            let deaf = |room: &&Vec<Rc<Socket>>| room.iter().any(|socket| socket.probed() == 0);
            let waiting: Vec<_> = self.rooms.iter().filter(deaf).collect();
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
                self.wait(POLL).await?;
                if !waiting.iter().any(deaf) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lets it send, and counts what arrives once it is warm. That something was lost, doubled or
    /// reordered is an error.
    pub(crate) async fn measure(&self, course: &Course<'_>) -> Result<Measured> {
        let run = &self.run;
        let pacer = if let Some(rate) = course.rate {
            Some(Pacer::start(run, self.turns(), rate)?)
        } else {
            run.phase.set(Phase::Sending);
            self.sockets().for_each(|socket| socket.wake());
            None
        };
        self.wait(course.warm_up).await?;
        let witness = course.watched.then(Witness::start).transpose()?;
        let meter = Meter::start(course.trees).await?;
        let start = run.now_us();
        run.measured
            .set(start..start + u64::try_from(course.length.as_micros())?);
        self.wait(course.length).await?;
        let usage = meter.read().await?;
        let seen = match witness {
            Some(witness) => Some(witness.end().await?),
            None => None,
        };
        run.phase.set(Phase::Quiet);
        if let Some(pacer) = pacer {
            pacer.stop(self.turns()).await?;
        }
        self.drain().await?;
        let (_, in_time) = run.arrived();
        Ok(Measured {
            deliveries: float(in_time),
            usage,
            seen,
        })
    }

    fn sockets(&self) -> impl Iterator<Item = &Rc<Socket>> {
        self.rooms.iter().flatten()
    }

    /// Who sends, in turn: senders take turns within a room, rooms take turns.
    fn turns(&self) -> impl Iterator<Item = &Rc<Socket>> {
        let senders = 0..usize::try_from(self.senders).unwrap_or(usize::MAX);
        senders.flat_map(|sender| self.rooms.iter().filter_map(move |room| room.get(sender)))
    }

    async fn wait(&self, length: Duration) -> Result<()> {
        tokio::time::sleep(length).await;
        self.run.check()
    }

    /// Waits for all that was sent, then compares the order of every socket of a room.
    async fn drain(&self) -> Result<()> {
        let deadline = Instant::now() + DRAIN;
        loop {
            self.run.check()?;
            let missing: u64 = self.sockets().map(|socket| socket.standing().0).sum();
            if missing == 0 {
                break;
            }
            if Instant::now() > deadline {
                bail!("{missing} deliveries were lost");
            }
            tokio::time::sleep(POLL).await;
        }
        for room in &self.rooms {
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

/// Opens everyone's socket, room after room.
async fn open(
    target: &Target,
    shape: &Shape,
    run: &Rc<Run>,
    rooms: &[Rc<Room>],
) -> Result<Vec<Rc<Socket>>> {
    let places = (0..).zip(rooms).flat_map(|(index, room)| {
        let members = 0..shape.connected;
        members.map(move |member| (index, room, member))
    });
    stream::iter(places)
        .map(|(index, room, member)| async move {
            let user = target.user(index, member, shape.members);
            let opened = socket::connect(target, &target.upgrade(room.id, user)).await?;
            anyhow::Ok(Socket::new(run, room, member, opened))
        })
        .buffered(OPENING)
        .try_collect()
        .await
}
