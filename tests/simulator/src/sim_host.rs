//! A simulated process, or Durable Object, with the product's own host of the Room.

use std::collections::BTreeMap;

use super::plan::Plan;
use colloquy_proto::domain::{ConversationId, NewMessage, Seq, Timestamp, UserId};
use colloquy_proto::room::{
    BatchPolicy, ConnectionId, Host, HostConfig, ProcessState, RequestId, WriteBuffer,
};

/// The product's host; a REST request of these worlds is named by its number.
pub(super) type RoomHost = Host<RequestId>;

pub(super) const CONVERSATION: ConversationId = ConversationId(1);

/// The events of a conversation that a write buffer holds.
pub(super) const MAX_BUFFERED: usize = 150;

/// Each host's connection ids are in a range of their own.
const IDS_PER_HOST: u64 = 1_000_000;

/// Where work was started: a host, and which incarnation of its memory. The results of an incarnation
/// that is lost are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkOrigin {
    pub(super) host: u64,
    pub(super) incarnation: u64,
    /// Changes when the scheduled rechecks are lost, or shortened by a clock set forward.
    pub(super) recheck_era: u64,
}

/// One process, or one Durable Object.
pub(super) struct SimHost {
    /// None while it hibernates, and while it is being called.
    pub(super) room: Option<RoomHost>,
    pub(super) process: ProcessState,
    /// The newest connection id given out here.
    pub(super) last_connection: ConnectionId,
    pub(super) incarnation: u64,
    /// How often the Room was evicted or its memory lost.
    pub(super) evictions: u64,
    /// What its clock shows beyond the world's, in milliseconds.
    pub(super) skew: i64,
    pub(super) recheck_era: u64,
    /// Whether its clock was ever set back.
    pub(super) set_back: bool,
    /// How often its Room was restored from snapshots.
    pub(super) restores: u32,
    /// How often its clock was set.
    pub(super) clock_jumps: u32,
    pub(super) crashed: Option<Timestamp>,
    /// The snapshot of each connection, as the edge attaches it to the socket.
    pub(super) snapshots: BTreeMap<ConnectionId, String>,
    /// By the world's clock.
    pub(super) alarm: Option<Timestamp>,
    pub(super) in_flight: Option<Vec<NewMessage>>,
    /// The time of the scheduled flush, by the world's clock.
    pub(super) flush_at: Option<Timestamp>,
    /// The position from which a load in flight reads.
    pub(super) loading: Option<Seq>,
    pub(super) job_count: u64,
    /// The newest event that this incarnation has to deliver: it stored it, or was notified of it.
    pub(super) must_serve: Seq,
    /// The newest event its Room has taken in.
    pub(super) taken_in: Seq,
    pub(super) write_buffer: WriteBuffer,
    /// The newest event passed to the write buffer, and the newest one written to the cache.
    pub(super) buffered: Option<Seq>,
    pub(super) cached: Option<Seq>,
    /// Whether this incarnation knows no position yet.
    pub(super) without_head: bool,
    pub(super) closing: bool,
    /// Each user's running throttle period.
    pub(super) throttles: BTreeMap<UserId, ThrottleStart>,
}

/// A send that started a throttle period and may have been stored, by the host's clock.
#[derive(Clone, Copy)]
pub(super) struct ThrottleStart {
    pub(super) at: Timestamp,
    /// Whether the Room has to know of it.
    pub(super) certain: bool,
    /// Whether it also has to know of it after hibernation.
    pub(super) saved: bool,
    /// Whether a connection of the user, perhaps the one that sent, may have closed since.
    pub(super) disconnected: bool,
}

impl SimHost {
    pub(super) fn new(number: u64, skew: i64, room: impl FnOnce(ProcessState) -> RoomHost) -> Self {
        let last_connection = ConnectionId(number * IDS_PER_HOST);
        let process = ProcessState::after(last_connection);
        Self {
            room: Some(room(process.clone())),
            process,
            last_connection,
            incarnation: 0,
            evictions: 0,
            skew,
            recheck_era: 0,
            set_back: false,
            restores: 0,
            clock_jumps: 0,
            crashed: None,
            snapshots: BTreeMap::new(),
            alarm: None,
            in_flight: None,
            flush_at: None,
            loading: None,
            job_count: 0,
            must_serve: Seq(0),
            taken_in: Seq(0),
            write_buffer: WriteBuffer::new(MAX_BUFFERED),
            buffered: None,
            cached: None,
            without_head: true,
            closing: false,
            throttles: BTreeMap::new(),
        }
    }

    /// When the batch that waits in its Room is due.
    pub(super) fn flush_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.room.as_ref()?.deadlines(now).flush
    }
}

/// How the Rooms of this world are run.
pub(super) fn host_config(plan: &Plan) -> HostConfig {
    HostConfig {
        throttle_ms: plan.throttle_ms,
        // A host that flushes late is one whose policy lets sends wait for long.
        batching: (plan.linger_ms > 0).then(|| BatchPolicy {
            commit_multiple: 1 + plan.linger_ms / 50,
            max_linger_ms: 10 + 2 * plan.linger_ms,
        }),
        watches_heartbeats: plan.watched,
    }
}
