//! Connections: frames take their time but keep their order, readers may be slow, and either side
//! may be gone without the other knowing.

use fastrand::Rng;

use super::chance::{Stream, stream};
use super::hearing::Answer;
use super::heartbeat::Signs;
use super::world::{Happening, World};
use colloquy_proto::domain::{Admission, Caller, Seq, Timestamp, UserId};
use colloquy_proto::protocol::{CloseCode, MAX_SOCKETS_PER_USER};
use colloquy_proto::room::{ConnectionId, EncodedFrame, Input, NewConnection};

/// A token that outlives every world.
pub(super) const FAR_AWAY: Timestamp = Timestamp(i64::MAX / 4);

/// One connection, as the network and the host's socket layer see it.
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) user: UserId,
    pub(super) host: u64,
    /// When the last frame each way arrives.
    up: Timestamp,
    down: Timestamp,
    chance: Rng,
    /// Whether the host has it open; the client's side is known by the client.
    pub(super) open: bool,
    /// What is heard of the client; nothing passes any more when it has died.
    pub(super) signs: Signs,
    /// The client reads nothing before this time.
    pub(super) reads_from: Timestamp,
    /// Frames that have not been read, and whether they have become too many.
    unread: Unread,
    slow: bool,
    /// By the host's clock.
    pub(super) expires_at: Timestamp,
    /// Where the conversation stood when the client was let in.
    pub(super) granted: Seq,
}

/// Which frames: each kind has a bound of its own, as in the outbox of a native socket. There it
/// is one of bytes, here of frames.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Those that everyone gets.
    Shared,
    /// Answers to this connection alone.
    Answer,
}

#[derive(Default)]
struct Unread {
    shared: usize,
    answers: usize,
}

impl Unread {
    const fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Shared => &mut self.shared,
            Kind::Answer => &mut self.answers,
        }
    }
}

impl World {
    /// The client is let in now; the Room hears of it a while later.
    pub(super) fn connect(&mut self, index: usize) {
        let position = self.store.position();
        let granted = position.seq;
        let now = self.clock(self.front);
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        if self.revoked.contains(&client.session) || self.store.removed.contains(&client.user) {
            client.stopped = true;
            return;
        }
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        client.connected(id, position.seq);
        let mut chance = stream(self.seed, Stream::Link, index as u64, client.connections);
        let life = client.member.token.filter(|_| !self.calm);
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
            v2: client.member.v2,
        };
        let entered = Timestamp(self.now.0 + chance.i64(0..400));
        let link = Link {
            client: index,
            user: client.user,
            host: self.front,
            // Nothing it says arrives before it is known.
            up: entered,
            down: self.now,
            chance,
            open: false,
            signs: Signs::of(client.member.v2, client.member.pings),
            reads_from: self.now,
            unread: Unread::default(),
            slow: false,
            expires_at,
            granted,
        };
        self.links.insert(id, link);
        self.at(entered, Happening::Enter(id, connection));
    }

    /// A socket opens at the Room.
    pub(super) fn enter(
        &mut self,
        id: ConnectionId,
        connection: NewConnection,
    ) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let host = link.host;
        link.open = true;
        let here = self.store.position().seq;
        let Some(host_there) = self.hosts.get_mut(&host) else {
            return self.close(id, CloseCode::Restarting);
        };
        if host_there.revoked.contains(&connection.caller.session_id) {
            return self.close(id, CloseCode::TokenInvalid);
        }
        // What was stored when it was let in reaches everybody here; what came between then and
        // now does, when this Room begins with it.
        let told = if std::mem::take(&mut host_there.fresh) {
            host_there.met = host_there.met.max(connection.admission.position.seq);
            here
        } else {
            connection.admission.position.seq
        };
        host_there.own = host_there.own.max(told);
        let v2 = connection.v2;
        self.input(host, Input::Connect { id, connection })?;
        self.enters(id, v2)
    }

    pub(super) fn send_up(&mut self, id: ConnectionId, text: String) {
        let latency = self.plan.latency_ms;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let arrives = self.now.0 + link.chance.i64(0..=latency);
        link.up = Timestamp(link.up.0.max(arrives));
        let at = link.up;
        self.at(at, Happening::ToServer(id, text));
    }

    pub(super) fn reach_host(&mut self, id: ConnectionId, text: &str) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        if !link.open || link.signs.died.is_some() {
            return Ok(());
        }
        link.signs.speaks(self.now);
        let host = link.host;
        for rest in text.split("\"client_message_id\":\"").skip(1) {
            let name = rest.split('"').next().unwrap_or_default();
            let came_by = self.came_by.entry((host, name.to_owned())).or_default();
            came_by.retain(|other| *other != id);
            came_by.push(id);
        }
        self.input(host, Input::Frame { id, text })
    }

    /// The host queues frames for a connection, in one piece: who has too many already gets none
    /// of it.
    pub(super) fn send_down(
        &mut self,
        id: ConnectionId,
        frames: &[EncodedFrame],
        kind: Kind,
    ) -> Result<(), String> {
        if let Some(link) = self.links.get(&id).filter(|link| link.open) {
            self.check_member(link)?;
        }
        let (latency, bound) = (self.plan.latency_ms, self.plan.max_queued);
        let Some(link) = self
            .links
            .get_mut(&id)
            .filter(|link| link.open || link.slow)
        else {
            return Err("the Room spoke to a connection that is closed".into());
        };
        if link.slow {
            return Ok(());
        }
        let unread = link.unread.of(kind);
        let full = *unread > bound;
        *unread += frames.len();
        let session = self.clients.get(link.client).map(|client| &client.session);
        if let Some(session) = session.filter(|session| self.revoked.contains(session)) {
            return Err(format!("{} was revoked and still served", session.0));
        }
        if full {
            return self.too_slow(id);
        }
        let mut arrivals = Vec::new();
        for frame in frames {
            let arrives = link
                .reads_from
                .0
                .max(self.now.0 + link.chance.i64(0..=latency));
            link.down = Timestamp(link.down.0.max(arrives));
            arrivals.push((link.down, Happening::ToClient(id, frame.clone(), kind)));
        }
        for (at, happening) in arrivals {
            self.at(at, happening);
        }
        Ok(())
    }

    /// A full queue takes nothing more: the socket is closed, and the Room told that it left.
    fn too_slow(&mut self, id: ConnectionId) -> Result<(), String> {
        self.report.slow += 1;
        self.close(id, CloseCode::SlowConsumer)?;
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        link.slow = true;
        let host = link.host;
        let now = self.clock(host);
        let room = self
            .hosts
            .get_mut(&host)
            .and_then(|host| host.room.as_mut());
        let effects = room.map(|room| room.handle(Input::Disconnect { id }, now));
        // It happens in the middle of other effects, so adapters do not look at these.
        if effects.is_some_and(|effects| effects.into_iter().next().is_some()) {
            return Err("the Room wants something done because a slow reader left".into());
        }
        Ok(())
    }

    pub(super) fn reach_client(
        &mut self,
        id: ConnectionId,
        frame: &EncodedFrame,
        kind: Kind,
    ) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        if link.signs.died.is_some() {
            return Ok(());
        }
        *link.unread.of(kind) -= 1;
        let index = link.client;
        let Some(client) = self.clients.get_mut(index) else {
            return Ok(());
        };
        if client.connection != Some(id) {
            return Ok(());
        }
        match client.receive(frame, link.granted, &self.store)? {
            Answer::Nothing => {}
            Answer::Say(text) => self.send_up(id, text),
            Answer::Renew => {
                if client.member.token.is_some_and(|(_, renews)| renews) || self.calm {
                    let token = format!(r#"{{"type":"auth","token":"of {}"}}"#, client.session.0);
                    self.send_up(id, token);
                }
            }
        }
        Ok(())
    }

    /// The host closes a connection; the client hears of it after what is queued.
    pub(super) fn close(&mut self, id: ConnectionId, close: CloseCode) -> Result<(), String> {
        let sockets = self
            .links
            .get(&id)
            .map_or(0, |link| self.sockets_of(link.host, link.user));
        let link = self.links.get(&id);
        let silent = link.is_some_and(|link| self.has_fallen_silent(link));
        let Some(link) = self
            .links
            .get_mut(&id)
            .filter(|link| link.open || link.slow)
        else {
            return Err(format!("a connection was closed twice, with {close:?}"));
        };
        if link.slow {
            return Ok(());
        }
        let session = self.clients.get(link.client).map(|client| &client.session);
        let deserved = match close {
            CloseCode::Restarting | CloseCode::SlowConsumer => true,
            CloseCode::TokenExpired => link.expires_at < FAR_AWAY,
            CloseCode::TokenInvalid => {
                session.is_some_and(|session| self.revoked.contains(session))
            }
            CloseCode::NotMember => self
                .store
                .left_after(link.granted, link.user, Seq(i64::MAX)),
            CloseCode::HeartbeatLost => silent,
            CloseCode::TooManySockets => sockets > MAX_SOCKETS_PER_USER,
            _ => false,
        };
        let host = self.hosts.get(&link.host);
        let waits = |send: &colloquy_proto::domain::NewMessage| {
            let name = send
                .client_message_id
                .as_ref()
                .map(|name| name.as_str().to_owned());
            let came_by = name.and_then(|name| self.came_by.get(&(link.host, name)));
            came_by.and_then(|came_by| came_by.last()) == Some(&id)
        };
        let in_flight = host.and_then(|host| host.in_flight.as_ref());
        if close == CloseCode::Restarting && in_flight.is_some_and(|sends| sends.iter().any(waits))
        {
            return Err("a Room that ends did not wait for what it had accepted".into());
        }
        if !deserved {
            return Err(format!("a well-made client was closed with {close:?}"));
        }
        link.open = false;
        self.report.silent += u64::from(close == CloseCode::HeartbeatLost);
        let at = Timestamp(link.down.0.max(self.now.0));
        let (host, user) = (link.host, link.user);
        self.forget_kept(host, user, id);
        self.at(at, Happening::Closed(id, close));
        Ok(())
    }

    /// The close frame reaches the client.
    pub(super) fn closed(&mut self, id: ConnectionId, close: CloseCode) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        if link.signs.died.is_some() {
            return;
        }
        let stops = matches!(close, CloseCode::TokenInvalid | CloseCode::NotMember);
        if let Some(client) = self.clients.get_mut(link.client)
            && client.connection == Some(id)
            && stops
        {
            client.stopped = true;
        }
        self.left(id);
    }

    /// The client knows that its connection is over.
    pub(super) fn left(&mut self, id: ConnectionId) {
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
            self.tend_later(index);
        }
    }

    /// The host knows that a connection is over.
    pub(super) fn gone(&mut self, id: ConnectionId) -> Result<(), String> {
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
        // A Room that sleeps wakes with what this connection kept.
        self.input(host, Input::Disconnect { id })?;
        self.forget_kept(host, user, id);
        Ok(())
    }

    pub(super) fn sockets_of(&self, host: u64, user: UserId) -> usize {
        let open = |link: &&Link| link.open && link.host == host && link.user == user;
        self.links.values().filter(open).count()
    }
}
