//! What is going to happen in a world: who is there, and a list of deeds and faults with their
//! times. All of it follows from the seed; each entry can be left out, which is how a failing
//! world is made small. How the world reacts is not planned here.

use fastrand::Rng;

use super::chance::{Stream, stream};

/// How long deeds and faults go on, in milliseconds; after that everything must come to rest.
pub(super) const CHAOS_MS: i64 = 20_000;

/// One client of a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) user: i64,
    pub(super) v2: bool,
    /// Whether it repeats what was not acknowledged. One that does not has nothing to heal what
    /// the Room forgets.
    pub(super) repeats: bool,
    /// Whether it shows by pings that it is there; what is v2 always does.
    pub(super) pings: bool,
    /// How long its tokens live, in milliseconds, and whether it renews them in time.
    pub(super) token: Option<(i64, bool)>,
}

/// What becomes of a commit, with its times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// Never stored, and refused after a while.
    Refused { answer: i64 },
    /// Stored; the answer is lost.
    Lost { stored: i64, answer: i64 },
    /// Given up, and stored all the same later.
    Late { answer: i64, stored: i64 },
    /// Slow, or stalled.
    Slow { stored: i64, answer: i64 },
}

/// One deed or fault. Clients are numbered as in [`Plan::members`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Planned {
    Join(usize),
    Send(usize),
    /// Three copies of one new send in one frame.
    Burst(usize),
    /// The newest acknowledged send once more.
    Again(usize),
    /// A resume in the middle of a connection, from so many events back.
    Resume(usize, i64),
    /// A send over REST, repeated until it is answered or not at all.
    Rest {
        client: usize,
        repeats: bool,
    },
    /// So many sends over REST at once, each new or all the same one.
    Flood {
        count: usize,
        same: bool,
    },
    /// The connection breaks; the client sees it at once, the server after so long.
    Drop(usize, i64),
    /// Nothing passes any more; after so long the client sees it, then the server.
    HalfOpen(usize, i64, i64),
    /// The client reads nothing for so long.
    Slow(usize, i64),
    /// Every connection breaks.
    Storm,
    Commit(Fate),
    /// The next loads fail, each after so long.
    LoadsFail(u32, i64),
    /// Another program writes so many messages.
    Foreign(usize),
    /// The Room's memory and all its sockets are lost.
    Restart,
    /// The Room's memory is dropped while nothing is under way; its sockets stay.
    Sleep,
    /// The Room's memory is lost whatever is under way; its sockets stay.
    Crash,
    /// A second Room takes the new connections; the old one is told to end after so long, or
    /// with the end of the chaos.
    Overlap(Option<i64>),
    /// The clock of the host is set.
    Clock(i64),
    Revoke(usize),
    /// The user of this client changes something, and the Room is told.
    Change(usize, Changing, Told),
}

/// What is changed beside a Room.
#[derive(Debug, Clone, Copy)]
pub(super) enum Changing {
    /// The user's newest message has another text,
    Edit,
    /// or none.
    Delete,
    /// The user is no longer a member,
    Leave,
    /// or is one again.
    Join,
}

/// How the Room hears of it, times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    After(i64),
    /// It is told to look, after the answer was lost.
    Look(i64),
    /// Its own next commit tells.
    Never,
}

/// A world before anything has happened.
pub(super) struct Plan {
    pub(super) members: Vec<Member>,
    /// 0 for none.
    pub(super) throttle_ms: i64,
    /// The longest a frame is under way, in milliseconds.
    pub(super) latency_ms: i64,
    /// Whether messages are so long that the Room soon forgets them.
    pub(super) long_messages: bool,
    /// Frames of a kind that may wait for a reader.
    pub(super) max_queued: usize,
    /// How late the driver is at most to let go what has gathered, in milliseconds; 0 when it
    /// lets nothing gather.
    pub(super) gather_ms: i64,
    /// Whether it lets the Room watch over its sockets, by what it tells of pings.
    pub(super) watched: bool,
    /// In milliseconds from the beginning, in order.
    pub(super) items: Vec<(i64, Planned)>,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = stream(seed, Stream::Plan, 0, 0);
        let mut driver = stream(seed, Stream::Driver, 0, 0);
        let mut crowd = stream(seed, Stream::Crowd, 0, 0);
        let mut count = rng.usize(2..9);
        if crowd.u8(0..16) == 0 {
            count = crowd.usize(9..25);
        }
        // Some users hold two sockets.
        let mut members: Vec<Member> = (0..count).map(|n| member(n, &mut rng)).collect();
        let flood = rng.u8(0..100) == 0;
        let mut plan = Self {
            members: Vec::new(),
            throttle_ms: if flood || rng.u8(0..8) == 0 { 0 } else { 300 },
            latency_ms: *rng.choice(&[5, 120, 120, 600]).unwrap_or(&120),
            long_messages: rng.u8(0..12) == 0,
            max_queued: *rng.choice(&[6, 40, 400]).unwrap_or(&40),
            gather_ms: *driver.choice(&[0, 0, 3, 100]).unwrap_or(&0),
            watched: driver.u8(0..4) == 0,
            items: Vec::new(),
        };
        for member in &mut members {
            member.pings |= driver.bool();
        }
        plan.members = members;
        if plan.watched {
            // The runtime that answers pings bounds its queues by itself.
            plan.max_queued = usize::MAX;
        }
        let deeds = match rng.u8(0..4) {
            0 => 0..3,
            1 => 20..40,
            _ => 4..16,
        };
        for client in 0..count {
            plan.add(rng.i64(0..500), Planned::Join(client));
            for _ in 0..rng.usize(deeds.clone()) {
                let deed = deed(client, &mut rng);
                plan.add(rng.i64(500..CHAOS_MS), deed);
            }
        }
        plan.faults(count, &mut rng);
        if flood {
            plan.add(
                9_000,
                Planned::Commit(Fate::Slow {
                    stored: 2_000,
                    answer: 100,
                }),
            );
            let same = rng.bool();
            plan.add(9_100, Planned::Flood { count: 1, same });
            plan.add(9_400, Planned::Flood { count: 2_600, same });
        }
        plan.homecoming(count, &mut crowd);
        plan.items.sort_by_key(|(at, _)| *at);
        plan.farewell(count, &mut rng);
        plan.quiet(count, &mut rng);
        plan
    }

    fn add(&mut self, at: i64, planned: Planned) {
        self.items.push((at, planned));
    }

    fn faults(&mut self, count: usize, rng: &mut Rng) {
        for (at_most, fault) in FAULTS {
            // In half of the worlds a kind of fault is absent, so that others are seen alone.
            let times = if rng.bool() {
                rng.usize(0..=*at_most)
            } else {
                0
            };
            for _ in 0..times {
                let fault = fault(count, rng);
                self.add(rng.i64(0..CHAOS_MS), fault);
            }
        }
    }

    /// In a few worlds nothing happens but that somebody else writes while everybody is being let
    /// in.
    fn quiet(&mut self, count: usize, rng: &mut Rng) {
        if rng.u8(0..50) > 0 {
            return;
        }
        self.items.clear();
        for client in 0..count {
            self.add(300, Planned::Join(client));
        }
        self.add(rng.i64(301..450), Planned::Foreign(1));
    }

    /// In some worlds a member leaves, is one again and connects anew, while their Room hears of
    /// neither: it cannot read for a while, and sleeps.
    fn homecoming(&mut self, count: usize, rng: &mut Rng) {
        if rng.u8(0..25) > 0 {
            return;
        }
        let (client, at) = (rng.usize(0..count), rng.i64(2_000..15_000));
        for change in [Changing::Leave, Changing::Join] {
            self.add(at, Planned::Change(client, change, Told::Never));
        }
        self.add(at, Planned::Drop(client, 0));
        self.add(at, Planned::LoadsFail(4, 100));
        for after in (400..2_400).step_by(200) {
            self.add(at + after, Planned::Sleep);
        }
    }

    /// The last thing some worlds hear of is a message whose answer is lost and that nobody
    /// repeats.
    fn farewell(&mut self, count: usize, rng: &mut Rng) {
        if rng.u8(0..4) > 0 {
            return;
        }
        let (stored, answer) = (rng.i64(400..4_000), rng.i64(0..400));
        let fate = Fate::Late { answer, stored };
        self.add(CHAOS_MS - 500, Planned::Commit(fate));
        let (client, repeats) = (rng.usize(0..count), false);
        self.add(CHAOS_MS - 499, Planned::Rest { client, repeats });
        if rng.bool() {
            self.add(CHAOS_MS - 50, Planned::Sleep);
        }
    }
}

type MakeFault = fn(usize, &mut Rng) -> Planned;

/// How often at most a fault comes in one world, and the fault.
const FAULTS: &[(usize, MakeFault)] = &[
    (10, |_, rng| Planned::Commit(fate(rng))),
    (4, |_, rng| {
        Planned::LoadsFail(rng.u32(1..3), rng.i64(0..2_000))
    }),
    (6, |_, rng| Planned::Foreign(foreign(rng))),
    (3, |_, _| Planned::Restart),
    (8, |_, _| Planned::Sleep),
    (2, |_, _| Planned::Crash),
    (2, |_, rng| {
        Planned::Overlap(rng.bool().then(|| rng.i64(0..6_000)))
    }),
    (3, |_, rng| {
        let jumps = [-3_600_000, -10_000, -400, 400, 10_000, 3_600_000];
        Planned::Clock(*rng.choice(&jumps).unwrap_or(&0))
    }),
    (2, |_, _| Planned::Storm),
    (1, |count, rng| Planned::Revoke(rng.usize(0..count))),
    (6, |count, rng| change(count, Changing::Edit, rng)),
    (2, |count, rng| change(count, Changing::Delete, rng)),
    (2, |count, rng| change(count, Changing::Leave, rng)),
    (3, |count, rng| change(count, Changing::Join, rng)),
];

fn member(n: usize, rng: &mut Rng) -> Member {
    let v2 = rng.u8(0..4) > 0;
    Member {
        user: i64::try_from(n / 2 + 1).unwrap_or(1),
        v2,
        pings: v2,
        repeats: rng.u8(0..4) > 0,
        token: (rng.u8(0..6) == 0).then(|| (rng.i64(3_000..75_000), rng.bool())),
    }
}

fn deed(client: usize, rng: &mut Rng) -> Planned {
    match rng.u8(0..24) {
        0 | 1 => Planned::Burst(client),
        2 | 3 => Planned::Again(client),
        4 | 5 => Planned::Drop(client, rng.i64(0..5_000)),
        6 => Planned::HalfOpen(client, rng.i64(1_000..6_000), rng.i64(0..6_000)),
        7 => Planned::Slow(client, rng.i64(500..5_000)),
        8 => Planned::Resume(client, rng.i64(0..6)),
        9 | 10 => Planned::Rest {
            client,
            repeats: rng.bool(),
        },
        _ => Planned::Send(client),
    }
}

fn fate(rng: &mut Rng) -> Fate {
    match rng.u8(0..5) {
        0 => Fate::Refused {
            answer: rng.i64(0..3_000),
        },
        1 | 2 => Fate::Lost {
            stored: rng.i64(0..200),
            answer: rng.i64(200..3_000),
        },
        3 => Fate::Late {
            answer: rng.i64(0..500),
            stored: rng.i64(500..4_000),
        },
        _ => Fate::Slow {
            stored: rng.i64(0..6_000),
            answer: rng.i64(0..3_000),
        },
    }
}

fn change(count: usize, change: Changing, rng: &mut Rng) -> Planned {
    let told = match rng.u8(0..6) {
        0 => Told::Never,
        1 => Told::Look(rng.i64(0..400)),
        _ => Told::After(rng.i64(0..400)),
    };
    Planned::Change(rng.usize(0..count), change, told)
}

/// Now and then more than a resume delivers.
fn foreign(rng: &mut Rng) -> usize {
    if rng.u8(0..25) == 0 {
        rng.usize(250..700)
    } else {
        rng.usize(1..4)
    }
}
