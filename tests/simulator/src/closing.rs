//! The end of a connection: closed by the host with a justified code, or noticed by either side.

use super::events::ScheduledEvent;
use super::link::FAR_AWAY;
use super::world::World;
use colloquy_proto::domain::{NewMessage, Seq, Timestamp};
use colloquy_proto::protocol::{CloseCode, MAX_SOCKETS_PER_USER};
use colloquy_proto::room::{ConnectionId, Input};

impl World {
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
        let is_full = sockets > MAX_SOCKETS_PER_USER;
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
            CloseCode::HeartbeatLost => is_silent || is_full && self.has_missed_a_ping(link),
            CloseCode::TooManySockets => is_full,
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
    pub(super) fn mark_closed(&mut self, id: ConnectionId, close: CloseCode) {
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
}
