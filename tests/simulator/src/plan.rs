//! The plan of a world: its clients, and a list of actions and faults with their times. All of it follows
//! from the seed. Each entry can be left out, which is how a failing world is shrunk. How the world
//! reacts is not planned here.

use fastrand::Rng;

use super::rng::{Stream, stream};

/// How long actions and faults are planned, in milliseconds; after that the world must become idle.
pub(super) const FAULTS_MS: i64 = 20_000;

/// One client of a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientProfile {
    pub(super) user: i64,
    pub(super) v2: bool,
    /// Whether it repeats sends that are not acknowledged. A repeat would hide that the Room has lost
    /// the send, so some clients do not repeat.
    pub(super) repeats: bool,
    /// Whether it pings; a v2 client always does.
    pub(super) pings: bool,
    /// The lifetime of its tokens in milliseconds, and whether it renews them in time.
    pub(super) token: Option<(i64, bool)>,
}

/// The fate of a commit, with times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum CommitFate {
    /// Not stored; fails after a while.
    Refused { answer: i64 },
    /// Stored; the response is lost.
    Lost { stored: i64, answer: i64 },
    /// Times out, and is stored later.
    Late { answer: i64, stored: i64 },
    /// Slow, or stalled.
    Slow { stored: i64, answer: i64 },
}

/// One action or fault. Clients are numbered as in [`Plan::clients`].
#[derive(Debug, Clone, Copy)]
pub(super) enum PlannedAction {
    Join(usize),
    Send(usize),
    /// Three copies of one new send in one frame.
    Burst(usize),
    /// A repeat of the newest acknowledged send.
    Repeat(usize),
    /// A resume during a connection, from this many events back.
    Resume(usize, i64),
    /// A send over REST, repeated until it is answered, or not at all.
    RestSend {
        client: usize,
        repeats: bool,
    },
    /// This many sends over REST at once, all new or all the same.
    Flood {
        count: usize,
        same: bool,
    },
    /// The connection breaks; the client notices at once, the host after this time.
    Drop(usize, i64),
    /// No frame passes any more; the client notices after the first time, the host after the second.
    HalfOpen(usize, i64, i64),
    /// The client reads nothing for this time.
    Slow(usize, i64),
    /// Every connection breaks.
    DropAll,
    Commit(CommitFate),
    /// The next loads fail, each after this time.
    LoadsFail(u32, i64),
    /// Another program writes this many messages.
    ForeignWrite(usize),
    /// The process restarts: the Room's memory and all its sockets are lost.
    Restart,
    /// The Room is evicted while nothing is in flight; its sockets stay.
    Sleep,
    /// The Room's memory is lost whatever is in flight; its sockets stay.
    Crash,
    /// A second Room takes the new connections; the old one is shut down after this time, or at the end
    /// of the faults.
    Overlap(Option<i64>),
    /// The clock of the host jumps.
    SetClock(i64),
    Revoke(usize),
    /// The user of this client changes something, and the Room is notified.
    Change(usize, ChangeKind, Notification),
}

/// A change that is stored without the Room.
#[derive(Debug, Clone, Copy)]
pub(super) enum ChangeKind {
    /// The user's newest message is edited.
    Edit,
    /// The user's newest message is deleted.
    Delete,
    RemoveMember,
    AddMember,
}

/// How the Room is notified of it, times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Notification {
    After(i64),
    /// The outcome is unknown, so the Room is asked to check.
    Recheck(i64),
    /// The Room finds out with its own next commit.
    Never,
}

/// A world before it runs.
pub(super) struct Plan {
    pub(super) clients: Vec<ClientProfile>,
    /// 0 for none.
    pub(super) throttle_ms: i64,
    /// The longest latency of a frame, in milliseconds.
    pub(super) latency_ms: i64,
    /// Whether messages are so long that the Room's replay buffer holds few of them.
    pub(super) long_messages: bool,
    /// The most unread frames of a kind.
    pub(super) max_queued: usize,
    /// How late the host flushes at most, in milliseconds; 0 when it does not batch.
    pub(super) linger_ms: i64,
    /// Whether the Room watches its sockets, by the pings reported to it.
    pub(super) watched: bool,
    /// Ordered by their time in milliseconds.
    pub(super) items: Vec<(i64, PlannedAction)>,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = stream(seed, Stream::Plan, 0, 0);
        let mut host_rng = stream(seed, Stream::Host, 0, 0);
        let mut count_rng = stream(seed, Stream::ClientCount, 0, 0);
        let mut count = rng.usize(2..9);
        if count_rng.u8(0..16) == 0 {
            count = count_rng.usize(9..25);
        }
        // Some users hold two sockets.
        let mut clients: Vec<ClientProfile> =
            (0..count).map(|n| client_profile(n, &mut rng)).collect();
        let flood = rng.u8(0..100) == 0;
        let mut plan = Self {
            clients: Vec::new(),
            throttle_ms: if flood || rng.u8(0..8) == 0 { 0 } else { 300 },
            latency_ms: *rng.choice(&[5, 120, 120, 600]).unwrap_or(&120),
            long_messages: rng.u8(0..12) == 0,
            max_queued: *rng.choice(&[6, 40, 400]).unwrap_or(&40),
            linger_ms: *host_rng.choice(&[0, 0, 3, 100]).unwrap_or(&0),
            watched: host_rng.u8(0..4) == 0,
            items: Vec::new(),
        };
        for client in &mut clients {
            client.pings |= host_rng.bool();
        }
        plan.clients = clients;
        if plan.watched {
            // The runtime that answers pings bounds its queues itself.
            plan.max_queued = usize::MAX;
        }
        let actions = match rng.u8(0..4) {
            0 => 0..3,
            1 => 20..40,
            _ => 4..16,
        };
        for client in 0..count {
            plan.add(rng.i64(0..500), PlannedAction::Join(client));
            for _ in 0..rng.usize(actions.clone()) {
                let action = client_action(client, &mut rng);
                plan.add(rng.i64(500..FAULTS_MS), action);
            }
        }
        plan.faults(count, &mut rng);
        if flood {
            plan.add(
                9_000,
                PlannedAction::Commit(CommitFate::Slow {
                    stored: 2_000,
                    answer: 100,
                }),
            );
            let same = rng.bool();
            plan.add(9_100, PlannedAction::Flood { count: 1, same });
            plan.add(9_400, PlannedAction::Flood { count: 2_600, same });
        }
        plan.removal_and_return(count, &mut count_rng);
        plan.items.sort_by_key(|(at, _)| *at);
        plan.lost_last_commit(count, &mut rng);
        plan.quiet_start(count, &mut rng);
        plan
    }

    fn add(&mut self, at: i64, action: PlannedAction) {
        self.items.push((at, action));
    }

    fn faults(&mut self, count: usize, rng: &mut Rng) {
        for (at_most, fault) in FAULTS {
            // In half of the worlds a kind of fault is absent, so that others act alone.
            let times = if rng.bool() {
                rng.usize(0..=*at_most)
            } else {
                0
            };
            for _ in 0..times {
                let fault = fault(count, rng);
                self.add(rng.i64(0..FAULTS_MS), fault);
            }
        }
    }

    /// In a few worlds nothing happens but a write of another program while the clients are being
    /// connected.
    fn quiet_start(&mut self, count: usize, rng: &mut Rng) {
        if rng.u8(0..50) > 0 {
            return;
        }
        self.items.clear();
        for client in 0..count {
            self.add(300, PlannedAction::Join(client));
        }
        self.add(rng.i64(301..450), PlannedAction::ForeignWrite(1));
    }

    /// In some worlds a member is removed, added again and reconnects, and the Room receives neither
    /// event: it is not notified, cannot read for a while, and hibernates.
    fn removal_and_return(&mut self, count: usize, rng: &mut Rng) {
        if rng.u8(0..25) > 0 {
            return;
        }
        let (client, at) = (rng.usize(0..count), rng.i64(2_000..15_000));
        for change in [ChangeKind::RemoveMember, ChangeKind::AddMember] {
            self.add(
                at,
                PlannedAction::Change(client, change, Notification::Never),
            );
        }
        self.add(at, PlannedAction::Drop(client, 0));
        self.add(at, PlannedAction::LoadsFail(4, 100));
        for after in (400..2_400).step_by(200) {
            self.add(at + after, PlannedAction::Sleep);
        }
    }

    /// In some worlds the last commit stores a message, its response is lost, and no client repeats it.
    fn lost_last_commit(&mut self, count: usize, rng: &mut Rng) {
        if rng.u8(0..4) > 0 {
            return;
        }
        let (stored, answer) = (rng.i64(400..4_000), rng.i64(0..400));
        let fate = CommitFate::Late { answer, stored };
        self.add(FAULTS_MS - 500, PlannedAction::Commit(fate));
        let (client, repeats) = (rng.usize(0..count), false);
        self.add(FAULTS_MS - 499, PlannedAction::RestSend { client, repeats });
        if rng.bool() {
            self.add(FAULTS_MS - 50, PlannedAction::Sleep);
        }
    }
}

type MakeFault = fn(usize, &mut Rng) -> PlannedAction;

/// How often a fault happens in one world at most, and the fault.
const FAULTS: &[(usize, MakeFault)] = &[
    (10, |_, rng| PlannedAction::Commit(fate(rng))),
    (4, |_, rng| {
        PlannedAction::LoadsFail(rng.u32(1..3), rng.i64(0..2_000))
    }),
    (6, |_, rng| PlannedAction::ForeignWrite(foreign_count(rng))),
    (3, |_, _| PlannedAction::Restart),
    (8, |_, _| PlannedAction::Sleep),
    (2, |_, _| PlannedAction::Crash),
    (2, |_, rng| {
        PlannedAction::Overlap(rng.bool().then(|| rng.i64(0..6_000)))
    }),
    (3, |_, rng| {
        let clock_jumps = [-3_600_000, -10_000, -400, 400, 10_000, 3_600_000];
        PlannedAction::SetClock(*rng.choice(&clock_jumps).unwrap_or(&0))
    }),
    (2, |_, _| PlannedAction::DropAll),
    (1, |count, rng| PlannedAction::Revoke(rng.usize(0..count))),
    (6, |count, rng| change(count, ChangeKind::Edit, rng)),
    (2, |count, rng| change(count, ChangeKind::Delete, rng)),
    (2, |count, rng| change(count, ChangeKind::RemoveMember, rng)),
    (3, |count, rng| change(count, ChangeKind::AddMember, rng)),
];

fn client_profile(n: usize, rng: &mut Rng) -> ClientProfile {
    let v2 = rng.u8(0..4) > 0;
    ClientProfile {
        user: i64::try_from(n / 2 + 1).unwrap_or(1),
        v2,
        pings: v2,
        repeats: rng.u8(0..4) > 0,
        token: (rng.u8(0..6) == 0).then(|| (rng.i64(3_000..75_000), rng.bool())),
    }
}

fn client_action(client: usize, rng: &mut Rng) -> PlannedAction {
    match rng.u8(0..24) {
        0 | 1 => PlannedAction::Burst(client),
        2 | 3 => PlannedAction::Repeat(client),
        4 | 5 => PlannedAction::Drop(client, rng.i64(0..5_000)),
        6 => PlannedAction::HalfOpen(client, rng.i64(1_000..6_000), rng.i64(0..6_000)),
        7 => PlannedAction::Slow(client, rng.i64(500..5_000)),
        8 => PlannedAction::Resume(client, rng.i64(0..6)),
        9 | 10 => PlannedAction::RestSend {
            client,
            repeats: rng.bool(),
        },
        _ => PlannedAction::Send(client),
    }
}

fn fate(rng: &mut Rng) -> CommitFate {
    match rng.u8(0..5) {
        0 => CommitFate::Refused {
            answer: rng.i64(0..3_000),
        },
        1 | 2 => CommitFate::Lost {
            stored: rng.i64(0..200),
            answer: rng.i64(200..3_000),
        },
        3 => CommitFate::Late {
            answer: rng.i64(0..500),
            stored: rng.i64(500..4_000),
        },
        _ => CommitFate::Slow {
            stored: rng.i64(0..6_000),
            answer: rng.i64(0..3_000),
        },
    }
}

fn change(count: usize, change: ChangeKind, rng: &mut Rng) -> PlannedAction {
    let notification = match rng.u8(0..6) {
        0 => Notification::Never,
        1 => Notification::Recheck(rng.i64(0..400)),
        _ => Notification::After(rng.i64(0..400)),
    };
    PlannedAction::Change(rng.usize(0..count), change, notification)
}

/// Sometimes more events than a resume delivers.
fn foreign_count(rng: &mut Rng) -> usize {
    if rng.u8(0..25) == 0 {
        rng.usize(250..700)
    } else {
        rng.usize(1..4)
    }
}
