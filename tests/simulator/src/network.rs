//! Connections: frames are delayed but keep their order, clients may read slowly, and either side may
//! be gone without the other noticing.

use super::client_checks::ClientAction;
use super::events::ScheduledEvent;
use super::link::{AdmissionStage, FAR_AWAY, HeartbeatState, Link, SendResult, Unread};
use super::rng::{Stream, stream};
use super::world::World;
use colloquy_proto::domain::{Admission, Caller, Timestamp, UserId};
use colloquy_proto::protocol::{CloseCode, MAX_SOCKETS_PER_USER};
use colloquy_proto::room::{ConnectionId, Delivery, EncodedFrame, Input, NewConnection};

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
            part_of: None,
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
        if self.sockets_of(host, connection.caller.user_id) > MAX_SOCKETS_PER_USER {
            self.sync_heartbeats(host)?;
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
        let host = self
            .links
            .get(&id)
            .and_then(|link| self.hosts.get(&link.host));
        let evictions = host.map_or(0, |host| host.evictions);
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
        if delivery == Delivery::ResumePart {
            link.check_part(frames, evictions)?;
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
        let last = link.down;
        for (at, event) in arrivals {
            self.at(at, event);
        }
        if delivery == Delivery::ResumePart {
            self.at(last, ScheduledEvent::Drained(id));
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

    /// The host sees that the client has taken a part of its resume.
    pub(super) fn drained(&mut self, id: ConnectionId) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        link.part_of = None;
        if !link.open || link.heartbeat.dead_since.is_some() {
            return Ok(());
        }
        let host = link.host;
        self.input(host, Input::Drained { id })
    }

    pub(super) fn sockets_of(&self, host: u64, user: UserId) -> usize {
        let open = |link: &&Link| link.open && link.host == host && link.user == user;
        self.links.values().filter(open).count()
    }
}
