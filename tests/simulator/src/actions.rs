//! Carries out the plan: what clients do and which faults happen; and what a client does by itself.

use super::client::text_of;
use super::events::{RestSend, ScheduledEvent};
use super::link::Link;
use super::plan::{ChangeKind, Notification, PlannedAction};
use super::world::World;
use colloquy_proto::domain::{ClientMessageId, Timestamp, UserId};
use colloquy_proto::protocol::{Event, MemberChange, StoredEvent};
use colloquy_proto::room::{ConnectionId, Input};

impl World {
    pub(super) fn act(&mut self, action: PlannedAction) -> Result<(), String> {
        match action {
            PlannedAction::Join(client) => {
                if let Some(client) = self.clients.get_mut(client) {
                    client.started = true;
                }
                self.poll_client(client);
            }
            PlannedAction::Send(client) => {
                self.client_sends(client, |client, long| Some(client.send(long)));
            }
            PlannedAction::Burst(client) => {
                self.client_sends(client, |client, long| Some(client.burst(long)));
            }
            PlannedAction::Repeat(client) => {
                self.client_sends(client, super::client::Client::repeat_newest);
            }
            PlannedAction::Resume(client, back) => {
                self.client_sends(client, |client, _| client.resume(back));
            }
            PlannedAction::RestSend { client, repeats } => self.send_rest(client, repeats)?,
            PlannedAction::Flood { count, same } => self.flood(count, same)?,
            PlannedAction::Drop(client, host_after) => self.drop_connection(client, host_after),
            PlannedAction::HalfOpen(client, client_after, host_after) => {
                self.half_open(client, client_after, host_after);
            }
            PlannedAction::Slow(client, millis) => {
                let until = Timestamp(self.now.0 + millis);
                if let Some(link) = self.link_of(client).and_then(|id| self.links.get_mut(&id)) {
                    link.reads_from = until;
                }
            }
            PlannedAction::DropAll => {
                (0..self.clients.len()).for_each(|client| self.drop_connection(client, 50));
            }
            PlannedAction::Commit(fate) => self.fates.push_back(fate),
            PlannedAction::LoadsFail(count, after) => self.failing_loads = (count, after),
            PlannedAction::ForeignWrite(count) => self.foreign_write(count)?,
            PlannedAction::Restart => self.restart(),
            PlannedAction::Sleep => self.sleep(),
            PlannedAction::Crash => self.crash(),
            PlannedAction::Overlap(end) => self.overlap(end),
            PlannedAction::SetClock(by) => self.set_clock(by),
            PlannedAction::Revoke(client) => self.revoke(client)?,
            PlannedAction::Change(client, change, notification) => {
                self.change(client, change, notification);
            }
        }
        Ok(())
    }

    /// The client sends a frame, if it can.
    fn client_sends(
        &mut self,
        index: usize,
        frame: impl FnOnce(&mut super::client::Client, bool) -> Option<String>,
    ) {
        let long = self.plan.long_messages;
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let (Some(id), false) = (client.connection, client.stopped) else {
            return;
        };
        if let Some(text) = frame(client, long) {
            self.send_up(id, text);
        }
        self.schedule_poll(index);
    }

    /// The client connects if it is not connected, and repeats sends that are not acknowledged.
    pub(super) fn poll_client(&mut self, index: usize) {
        let long = self.plan.long_messages;
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        client.poll_scheduled = false;
        if !client.started || client.stopped {
            return;
        }
        let Some(id) = client.connection else {
            self.connect(index);
            self.schedule_poll(index);
            return;
        };
        if !client.profile.repeats || client.sends.unacked.is_empty() {
            return;
        }
        for text in client.repeat_unacked(long) {
            self.send_up(id, text);
        }
        self.schedule_poll(index);
    }

    pub(super) fn schedule_poll(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        if !std::mem::replace(&mut client.poll_scheduled, true) {
            let after = self.rng_of(index).i64(50..1_500);
            self.after(after, ScheduledEvent::PollClient(index));
        }
    }

    pub(super) fn link_of(&self, index: usize) -> Option<ConnectionId> {
        self.clients.get(index)?.connection
    }

    /// The connection breaks: the client notices at once, the host after so long.
    fn drop_connection(&mut self, index: usize, host_after: i64) {
        let Some(id) = self.link_of(index) else {
            return;
        };
        self.after(host_after, ScheduledEvent::HostDisconnected(id));
        self.client_disconnected(id);
    }

    fn send_rest(&mut self, index: usize, repeats: bool) -> Result<(), String> {
        let Some(client) = self.clients.get(index).filter(|client| !client.stopped) else {
            return Ok(());
        };
        let name = format!("rest{}", self.next_request);
        let send = RestSend {
            host: self.primary,
            user: client.user,
            session: client.session.clone(),
            client_message_id: ClientMessageId::new(name.as_str()).ok(),
            message: text_of(&name, self.plan.long_messages),
            repeats,
        };
        self.send_over_rest(send)
    }

    fn flood(&mut self, count: usize, same: bool) -> Result<(), String> {
        let Some(client) = self.clients.first() else {
            return Ok(());
        };
        let (user, session) = (client.user, client.session.clone());
        let text = same.then(|| "flood".to_owned());
        for _ in 0..count {
            let send = RestSend {
                host: self.primary,
                user,
                session: session.clone(),
                client_message_id: ClientMessageId::new("flood").ok().filter(|_| same),
                message: text
                    .clone()
                    .unwrap_or_else(|| format!("flood {}", self.next_request)),
                repeats: false,
            };
            self.send_over_rest(send)?;
        }
        Ok(())
    }

    /// The database stores a change; the primary's Room is notified of it, or not.
    fn change(&mut self, index: usize, change: ChangeKind, notification: Notification) {
        let Some(user) = self.clients.get(index).map(|client| client.user) else {
            return;
        };
        let now = self.now;
        let text = format!("edited at {}", now.0);
        let change = match change {
            ChangeKind::Edit => self.store.change_newest_of(user, Some(&text), now),
            ChangeKind::Delete => self.store.change_newest_of(user, None, now),
            ChangeKind::RemoveMember => self.store.change_member(user, MemberChange::Removed, now),
            ChangeKind::AddMember => self.store.change_member(user, MemberChange::Added, now),
        };
        let Some(change) = change else { return };
        self.report.changes += 1;
        if let Event::Member(member) = &change.event
            && member.change == MemberChange::Added
        {
            self.reconnect_clients_of(user);
        }
        match notification {
            Notification::After(millis) => self.after(millis, ScheduledEvent::Notify(Some(change))),
            Notification::Recheck(millis) => self.after(millis, ScheduledEvent::Notify(None)),
            Notification::Never => {}
        }
    }

    /// The clients of a user that is a member again reconnect.
    fn reconnect_clients_of(&mut self, user: UserId) {
        for index in 0..self.clients.len() {
            let Some(client) = self.clients.get_mut(index) else {
                continue;
            };
            if client.user == user && !self.revoked.contains(&client.session) {
                client.stopped = false;
                self.schedule_poll(index);
            }
        }
    }

    /// The primary's Room is notified of a change, unless it hibernates without sockets.
    pub(super) fn notify(&mut self, change: Option<StoredEvent>) -> Result<(), String> {
        let primary = self.primary;
        let mut links = self.links.values();
        let served = links.any(|link| link.open && link.host == primary);
        if !served && !self.is_awake(primary) {
            return Ok(());
        }
        let seq = change.as_ref().map(|change| change.event.seq());
        self.input(primary, Input::ChangeStored(change))?;
        if let (Some(host), Some(seq)) = (self.hosts.get_mut(&primary), seq.filter(|_| served)) {
            host.must_serve = host.must_serve.max(seq);
        }
        Ok(())
    }

    fn is_awake(&self, host: u64) -> bool {
        let host = self.hosts.get(&host);
        host.is_some_and(|host| host.room.is_some())
    }

    fn overlap(&mut self, end: Option<i64>) {
        let old = self.primary;
        let skew = self.hosts.get(&old).map_or(0, |host| host.skew);
        self.new_host(skew);
        self.report.overlaps += 1;
        if let Some(end) = end {
            self.after(end, ScheduledEvent::ShutDown(old));
        }
    }

    fn set_clock(&mut self, by: i64) {
        let primary = self.primary;
        let Some(host) = self.hosts.get_mut(&primary) else {
            return;
        };
        host.skew += by;
        host.clock_jumps += 1;
        host.recheck_era += u64::from(by > 0);
        if by < 0 {
            // A period that is over runs again.
            host.set_back = true;
            for start in host.throttles.values_mut() {
                start.certain = false;
            }
        }
        self.report.clocks += 1;
    }

    fn revoke(&mut self, index: usize) -> Result<(), String> {
        let Some(client) = self.clients.get(index) else {
            return Ok(());
        };
        let session = client.session.clone();
        self.store.revoked.insert(session.clone());
        self.revoked.insert(session.clone());
        let hosts: Vec<u64> = self.hosts.keys().copied().collect();
        for host in hosts {
            // A Room that hibernates is woken only if a socket of the session is registered there.
            let is_registered = self.links.values().any(|link| {
                link.client == index && link.host == host && (link.open || link.is_opening(host))
            });
            if is_registered || self.is_awake(host) {
                let session_id = &session;
                self.call_host(host, false, |room, now, sink| {
                    room.revoke(session_id, now, sink);
                })?;
            }
        }
        let is_connected = |link: &Link| link.open && link.client == index;
        if self.links.values().any(is_connected) {
            return Err(format!("{} was revoked and stays connected", session.0));
        }
        Ok(())
    }
}
