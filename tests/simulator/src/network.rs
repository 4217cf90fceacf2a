//! Connections: frames are delayed but keep their order, clients may read slowly, and either side may
//! be gone without the other noticing.

use fastrand::Rng;

use super::client_checks::ClientAction;
use super::heartbeats::HeartbeatState;
use super::rng::{Stream, stream};
use super::world::{ScheduledEvent, World};
use colloquy_proto::domain::{Admission, Caller, NewMessage, Seq, Timestamp, UserId};
use colloquy_proto::protocol::{CloseCode, MAX_SOCKETS_PER_USER};
use colloquy_proto::room::{ConnectionId, Delivery, EncodedFrame, Input, NewConnection};

/// A token that outlives every world.
pub(super) const FAR_AWAY: Timestamp = Timestamp(i64::MAX / 4);

/// One connection, as the network and the host's socket layer see it.
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) user: UserId,
    pub(super) host: u64,
    /// When the last frame in each direction arrives.
    up: Timestamp,
    down: Timestamp,
    rng: Rng,
    pub(super) stage: AdmissionStage,
    /// Whether the host has it open; the client's side is known by the client.
    pub(super) open: bool,
    pub(super) heartbeat: HeartbeatState,
    /// The client reads nothing before this time.
    pub(super) reads_from: Timestamp,
    /// Frames that have not been read, and the step in which they became too many.
    unread: Unread,
    slow_since: Option<u64>,
    /// By the host's clock.
    pub(super) expires_at: Timestamp,
    /// The position of the conversation when the socket was admitted.
    pub(super) admitted_at: Seq,
}

/// How far an admitted socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdmissionStage {
    /// Authorized by the database; its Room does not know of it.
    Admitted,
    /// Registered with the session's object; its Room is about to connect it.
    Opening,
    /// Passed to its Room.
    Connected,
}

impl Link {
    /// Whether this host is about to connect it.
    pub(super) fn is_opening(&self, host: u64) -> bool {
        self.host == host && self.stage == AdmissionStage::Opening
    }
}

/// Whether a connection's queue took the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendResult {
    Queued,
    QueueFull,
}

/// Unread frames by kind: each has a bound of its own, as in the send queue of a native socket. There
/// it is in bytes, here in frames.
#[derive(Default)]
struct Unread {
    fanout: usize,
    replies: usize,
}

impl Unread {
    const fn of(&mut self, delivery: Delivery) -> &mut usize {
        match delivery {
            Delivery::Fanout => &mut self.fanout,
            Delivery::Reply => &mut self.replies,
        }
    }
}

impl World {
    /// The client's socket is admitted now and connected to the Room a while later.
    pub(super) fn connect(&mut self, index: usize) {
        let position = self.store.position();
        let admitted_at = position.seq;
        let now = self.clock(self.primary);
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        if self.revoked.contains(&client.session) || self.store.removed.contains(&client.user) {
            client.stopped = true;
            return;
        }
        let Some(id) = self.hosts.get_mut(&self.primary).map(|host| {
            host.last_connection = host.process.next_connection_id();
            host.last_connection
        }) else {
            return;
        };
        if !self.connection_ids.insert(id) {
            self.violation = Some(format!("connection id {} was given out twice", id.0));
            return;
        }
        client.connected(id, position.seq);
        let mut rng = stream(self.seed, Stream::Link, index as u64, client.connections);
        let life = client.profile.token.filter(|_| !self.faults_over);
        let expires_at = life.map_or(FAR_AWAY, |(life, _)| Timestamp(now.0 + life));
        let connection = NewConnection {
            caller: Caller {
                user_id: client.user,
                session_id: client.session.clone(),
                expires_at,
            },
            admission: Admission {
                position,
                last_removal_seq: self.store.last_removal_seq(),
            },
            v2: client.profile.v2,
        };
        let entered = Timestamp(self.now.0 + rng.i64(0..400));
        let link = Link {
            client: index,
            user: client.user,
            host: self.primary,
            // None of its frames arrives before it is connected.
            up: entered,
            down: self.now,
            rng,
            stage: AdmissionStage::Admitted,
            open: false,
            heartbeat: HeartbeatState::of(client.profile.v2, client.profile.pings),
            reads_from: self.now,
            unread: Unread::default(),
            slow_since: None,
            expires_at,
            admitted_at,
        };
        self.links.insert(id, link);
        if self.hibernates {
            let registered = Timestamp(i64::midpoint(self.now.0, entered.0));
            self.at(registered, ScheduledEvent::Register(id));
        }
        self.at(entered, ScheduledEvent::Connect(id, connection));
    }

    /// An admitted socket is connected to its Room; the host must refuse it if its session was revoked
    /// since.
    pub(super) fn connect_to_room(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
    ) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let host = link.host;
        link.open = true;
        link.stage = AdmissionStage::Connected;
        let newest = self.store.position().seq;
        let is_revoked = self.revoked.contains(&connection.caller.session_id);
        let Some(sim_host) = self.hosts.get_mut(&host) else {
            return self.close(id, CloseCode::Restarting);
        };
        if !is_revoked {
            // A Room delivers what was stored before it admitted the socket; one that begins with this
            // socket also delivers what was stored since.
            let admitted_at = connection.admission.position.seq;
            let must_serve = if std::mem::take(&mut sim_host.without_head) {
                sim_host.taken_in = sim_host.taken_in.max(admitted_at);
                newest
            } else {
                admitted_at
            };
            sim_host.must_serve = sim_host.must_serve.max(must_serve);
            self.start_heartbeats(id, connection.v2);
        }
        self.call_host(host, false, |room, now, sink| {
            room.connect(id, connection, now, sink);
        })?;
        if is_revoked && self.links.get(&id).is_some_and(|link| link.open) {
            return Err("a socket was connected after its session was revoked".into());
        }
        Ok(())
    }

    pub(super) fn send_up(&mut self, id: ConnectionId, text: String) {
        let latency = self.plan.latency_ms;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let arrives = self.now.0 + link.rng.i64(0..=latency);
        link.up = Timestamp(link.up.0.max(arrives));
        let at = link.up;
        self.at(at, ScheduledEvent::ToServer(id, text));
    }

    pub(super) fn reach_host(&mut self, id: ConnectionId, text: &str) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        if !link.open || link.heartbeat.dead_since.is_some() {
            return Ok(());
        }
        link.heartbeat.frame_arrived(self.now);
        let host = link.host;
        for rest in text.split("\"client_message_id\":\"").skip(1) {
            let name = rest.split('"').next().unwrap_or_default();
            let arrived_on = self.arrived_on.entry((host, name.to_owned())).or_default();
            arrived_on.retain(|other| *other != id);
            arrived_on.push(id);
        }
        self.input(host, Input::Frame { id, text })
    }

    /// The host queues frames for a connection: all of them, or none if too many are unread already.
    pub(super) fn send_down(
        &mut self,
        id: ConnectionId,
        frames: &[EncodedFrame],
        delivery: Delivery,
    ) -> Result<SendResult, String> {
        if let Some(link) = self.links.get(&id).filter(|link| link.open) {
            self.check_member(link)?;
        }
        let (latency, bound, step) = (self.plan.latency_ms, self.plan.max_queued, self.step());
        let served = |link: &&mut Link| link.open || link.slow_since == Some(step);
        let Some(link) = self.links.get_mut(&id).filter(served) else {
            return Err("the Room sent to a connection that is closed".into());
        };
        if link.slow_since.is_some() {
            // Effects of the same step; the host has yet to report the failure to its Room.
            return Ok(SendResult::QueueFull);
        }
        let unread = link.unread.of(delivery);
        let is_full = *unread > bound;
        *unread += frames.len();
        let session = self.clients.get(link.client).map(|client| &client.session);
        if let Some(session) = session.filter(|session| self.revoked.contains(session)) {
            return Err(format!("{} was revoked and still served", session.0));
        }
        if is_full {
            link.slow_since = Some(step);
            self.report.slow += 1;
            self.mark_closed(id, CloseCode::SlowConsumer);
            return Ok(SendResult::QueueFull);
        }
        let mut arrivals = Vec::new();
        for frame in frames {
            let arrives = link
                .reads_from
                .0
                .max(self.now.0 + link.rng.i64(0..=latency));
            link.down = Timestamp(link.down.0.max(arrives));
            let event = ScheduledEvent::ToClient(id, frame.clone(), delivery);
            arrivals.push((link.down, event));
        }
        for (at, event) in arrivals {
            self.at(at, event);
        }
        Ok(SendResult::Queued)
    }

    pub(super) fn reach_client(
        &mut self,
        id: ConnectionId,
        frame: &EncodedFrame,
        delivery: Delivery,
    ) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        if link.heartbeat.dead_since.is_some() {
            return Ok(());
        }
        *link.unread.of(delivery) -= 1;
        let index = link.client;
        let Some(client) = self.clients.get_mut(index) else {
            return Ok(());
        };
        if client.connection != Some(id) {
            return Ok(());
        }
        match client.receive(frame, link.admitted_at, &self.store)? {
            ClientAction::None => {}
            ClientAction::Send(text) => self.send_up(id, text),
            ClientAction::RenewToken => {
                let renews = client.profile.token.is_some_and(|(_, renews)| renews);
                if renews || self.faults_over {
                    let token = format!(r#"{{"type":"auth","token":"of {}"}}"#, client.session.0);
                    self.send_up(id, token);
                }
            }
        }
        Ok(())
    }

    /// The host closes a connection, with a code that is justified.
    pub(super) fn close(&mut self, id: ConnectionId, close: CloseCode) -> Result<(), String> {
        let sockets = self
            .links
            .get(&id)
            .map_or(0, |link| self.sockets_of(link.host, link.user));
        let Some(link) = self.links.get(&id) else {
            return Err(format!("an unknown connection was closed with {close:?}"));
        };
        if link.slow_since == Some(self.step()) {
            // Closed by its full queue a moment before.
            return Ok(());
        }
        if !link.open {
            return Err(format!("a connection was closed twice, with {close:?}"));
        }
        let is_silent = self.has_fallen_silent(link);
        let session = self.clients.get(link.client).map(|client| &client.session);
        let is_justified = match close {
            CloseCode::Restarting => true,
            CloseCode::TokenExpired => link.expires_at < FAR_AWAY,
            CloseCode::TokenInvalid => {
                session.is_some_and(|session| self.revoked.contains(session))
            }
            CloseCode::NotMember => {
                self.store
                    .removed_after(link.admitted_at, link.user, Seq(i64::MAX))
            }
            CloseCode::HeartbeatLost => is_silent,
            CloseCode::TooManySockets => sockets > MAX_SOCKETS_PER_USER,
            _ => false,
        };
        let host = self.hosts.get(&link.host);
        let is_waiting = |send: &NewMessage| {
            let name = send
                .client_message_id
                .as_ref()
                .map(|name| name.as_str().to_owned());
            let arrived_on = name.and_then(|name| self.arrived_on.get(&(link.host, name)));
            arrived_on.and_then(|arrived_on| arrived_on.last()) == Some(&id)
        };
        let in_flight = host.and_then(|host| host.in_flight.as_ref());
        if close == CloseCode::Restarting
            && in_flight.is_some_and(|sends| sends.iter().any(is_waiting))
        {
            return Err("a Room shut down before its accepted sends were committed".into());
        }
        if !is_justified {
            return Err(format!("a correct client was closed with {close:?}"));
        }
        self.report.silent += u64::from(close == CloseCode::HeartbeatLost);
        self.mark_closed(id, close);
        Ok(())
    }

    /// The connection is closed at the host; the client sees it after the frames that are queued.
    fn mark_closed(&mut self, id: ConnectionId, close: CloseCode) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.open = false;
        let at = Timestamp(link.down.0.max(self.now.0));
        let (host, user) = (link.host, link.user);
        self.remove_snapshot(host, user, id);
        self.at(at, ScheduledEvent::Closed(id, close));
    }

    /// The close frame reaches the client.
    pub(super) fn closed(&mut self, id: ConnectionId, close: CloseCode) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        if link.heartbeat.dead_since.is_some() {
            return;
        }
        let is_final = matches!(close, CloseCode::TokenInvalid | CloseCode::NotMember);
        if let Some(client) = self.clients.get_mut(link.client)
            && client.connection == Some(id)
            && is_final
        {
            client.stopped = true;
        }
        self.client_disconnected(id);
    }

    /// The client notices that its connection is closed.
    pub(super) fn client_disconnected(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let index = link.client;
        if !link.open {
            self.links.remove(&id);
        }
        if let Some(client) = self.clients.get_mut(index)
            && client.connection == Some(id)
        {
            client.connection = None;
            self.schedule_poll(index);
        }
    }

    /// The host notices that a connection is closed.
    pub(super) fn host_disconnected(&mut self, id: ConnectionId) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let (host, user, client) = (link.host, link.user, link.client);
        let was_open = std::mem::replace(&mut link.open, false);
        if self
            .clients
            .get(client)
            .is_none_or(|client| client.connection != Some(id))
        {
            self.links.remove(&id);
        }
        if !was_open {
            return Ok(());
        }
        // A hibernating Room is restored with this connection's snapshot.
        self.input(host, Input::Disconnect { id })?;
        self.remove_snapshot(host, user, id);
        Ok(())
    }

    pub(super) fn sockets_of(&self, host: u64, user: UserId) -> usize {
        let open = |link: &&Link| link.open && link.host == host && link.user == user;
        self.links.values().filter(open).count()
    }
}
