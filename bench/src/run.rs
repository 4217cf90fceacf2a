//! The state shared by the sockets of a load: the clock, the phase, the counters.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::output;
use crate::wire::Mark;

/// The size of a read; a saturated socket has this much data waiting.
const BUFFER: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Sockets do not send by themselves.
    Quiet,
    /// Sockets fill their windows.
    Sending,
}

/// The counters of one room.
pub(crate) struct RoomCounters {
    /// The conversation's id.
    pub(crate) id: i64,
    /// How many messages each sender has sent.
    pub(crate) sent: Vec<Cell<u32>>,
}

/// The shared state of one load.
pub(crate) struct Run {
    started: Instant,
    v2: bool,
    /// Messages a sender keeps in flight.
    pub(crate) window: u32,
    pub(crate) phase: Cell<Phase>,
    /// Messages scheduled in this range count; in microseconds since the start.
    pub(crate) measured: RangeCell,
    pub(crate) histogram: RefCell<Histogram<u64>>,
    pub(crate) buffer: RefCell<Vec<u8>>,
    arrived: Cell<u64>,
    arrived_in_time: Cell<u64>,
    failure: RefCell<Option<String>>,
}

/// A range that can be set from behind a shared reference.
pub(crate) struct RangeCell(Cell<(u64, u64)>);

impl RangeCell {
    pub(crate) fn get(&self) -> Range<u64> {
        let (start, end) = self.0.get();
        start..end
    }

    pub(crate) fn set(&self, range: Range<u64>) {
        self.0.set((range.start, range.end));
    }
}

impl Run {
    pub(crate) fn new(v2: bool, window: u32) -> anyhow::Result<Self> {
        Ok(Self {
            started: Instant::now(),
            v2,
            window,
            phase: Cell::new(Phase::Quiet),
            measured: RangeCell(Cell::new((u64::MAX, u64::MAX))),
            histogram: RefCell::new(output::histogram()?),
            buffer: RefCell::new(vec![0; BUFFER]),
            arrived: Cell::new(0),
            arrived_in_time: Cell::new(0),
            failure: RefCell::new(None),
        })
    }

    /// The origin of the clock.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether sockets speak v2.
    pub(crate) fn v2(&self) -> bool {
        self.v2
    }

    /// The frame that sends a message.
    pub(crate) fn frame(&self, room: i64, mark: Mark) -> String {
        frame(self.v2, room, mark)
    }

    /// Counts received messages.
    pub(crate) fn count(&self, messages: u64, now_us: u64) {
        self.arrived.set(self.arrived.get() + messages);
        if self.measured.get().contains(&now_us) {
            self.arrived_in_time
                .set(self.arrived_in_time.get() + messages);
        }
    }

    /// All messages received, and those received in the measured time.
    pub(crate) fn arrived(&self) -> (u64, u64) {
        (self.arrived.get(), self.arrived_in_time.get())
    }

    /// Records the first failure.
    pub(crate) fn fail(&self, what: String) {
        self.failure.borrow_mut().get_or_insert(what);
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match &*self.failure.borrow() {
            None => Ok(()),
            Some(what) => anyhow::bail!("{what}"),
        }
    }
}

/// The frame that sends a message to a room.
pub(crate) fn frame(v2: bool, room: i64, mark: Mark) -> String {
    let text = mark.text();
    if v2 {
        let (sender, ordinal) = (mark.sender, mark.ordinal);
        format!(
            r#"{{"type":"send","client_message_id":"{room}-{sender}-{ordinal}","message":"{text}"}}"#
        )
    } else {
        format!(r#"{{"message":"{text}"}}"#)
    }
}
