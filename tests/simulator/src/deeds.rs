//! What clients do, planned and by themselves, and the faults that are planned for a world.

use super::client::text_of;
use super::plan::{Changing, Planned, Told};
use super::rest::RestSend;
use super::world::{Happening, World};
use colloquy_proto::domain::{ClientMessageId, Timestamp, UserId};
use colloquy_proto::protocol::{Event, MemberChange, StoredEvent};
use colloquy_proto::room::{ConnectionId, Input};

impl World {
    pub(super) fn deed(&mut self, planned: Planned) -> Result<(), String> {
        match planned {
            Planned::Join(client) => {
                if let Some(client) = self.clients.get_mut(client) {
                    client.joined = true;
                }
                self.tend(client);
            }
            Planned::Send(client) => self.say(client, |client, long| Some(client.send(long))),
            Planned::Burst(client) => self.say(client, |client, long| Some(client.burst(long))),
            Planned::Again(client) => self.say(client, super::client::Client::again),
            Planned::Resume(client, back) => self.say(client, |client, _| client.resume(back)),
            Planned::Rest { client, repeats } => self.rest_of(client, repeats)?,
            Planned::Flood { count, same } => self.flood(count, same)?,
            Planned::Drop(client, seen) => self.lose(client, seen),
            Planned::HalfOpen(client, noticed, seen) => self.half_open(client, noticed, seen),
            Planned::Slow(client, millis) => {
                let until = Timestamp(self.now.0 + millis);
                if let Some(link) = self.link_of(client).and_then(|id| self.links.get_mut(&id)) {
                    link.reads_from = until;
                }
            }
            Planned::Storm => (0..self.clients.len()).for_each(|client| self.lose(client, 50)),
            Planned::Commit(fate) => self.fates.push_back(fate),
            Planned::LoadsFail(count, after) => self.failing_loads = (count, after),
            Planned::Foreign(count) => self.foreign_write(count)?,
            Planned::Restart => self.restart(),
            Planned::Sleep => self.sleep(),
            Planned::Crash => self.crash(),
            Planned::Overlap(end) => self.overlap(end),
            Planned::Clock(by) => self.set_clock(by),
            Planned::Revoke(client) => self.revoke(client)?,
            Planned::Change(client, change, told) => self.change(client, change, told),
        }
        Ok(())
    }

    /// The client says something, if it can.
    fn say(
        &mut self,
        index: usize,
        what: impl FnOnce(&mut super::client::Client, bool) -> Option<String>,
    ) {
        let long = self.plan.long_messages;
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let (Some(id), false) = (client.connection, client.stopped) else {
            return;
        };
        if let Some(text) = what(client, long) {
            self.send_up(id, text);
        }
        self.tend_later(index);
    }

    /// The client sees to it that it is connected and that its sends are acknowledged.
    pub(super) fn tend(&mut self, index: usize) {
        let long = self.plan.long_messages;
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        client.tending = false;
        if !client.joined || client.stopped {
            return;
        }
        let Some(id) = client.connection else {
            self.connect(index);
            self.tend_later(index);
            return;
        };
        if !client.member.repeats || client.sends.unacked.is_empty() {
            return;
        }
        for text in client.repeat(long) {
            self.send_up(id, text);
        }
        self.tend_later(index);
    }

    pub(super) fn tend_later(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        if !std::mem::replace(&mut client.tending, true) {
            let after = self.chance_of(index).i64(50..1_500);
            self.after(after, Happening::Tend(index));
        }
    }

    pub(super) fn link_of(&self, index: usize) -> Option<ConnectionId> {
        self.clients.get(index)?.connection
    }

    /// The connection breaks: the client sees it at once, the host after so long.
    fn lose(&mut self, index: usize, seen: i64) {
        let Some(id) = self.link_of(index) else {
            return;
        };
        self.after(seen, Happening::Gone(id));
        self.left(id);
    }

    fn rest_of(&mut self, index: usize, repeats: bool) -> Result<(), String> {
        let Some(client) = self.clients.get(index).filter(|client| !client.stopped) else {
            return Ok(());
        };
        let name = format!("rest{}", self.next_request);
        let send = RestSend {
            host: self.front,
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
                host: self.front,
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

    /// The database stores a change; the front's Room is told of it, or not.
    fn change(&mut self, index: usize, change: Changing, told: Told) {
        let Some(user) = self.clients.get(index).map(|client| client.user) else {
            return;
        };
        let now = self.now;
        let text = format!("edited at {}", now.0);
        let change = match change {
            Changing::Edit => self.store.change_newest_of(user, Some(&text), now),
            Changing::Delete => self.store.change_newest_of(user, None, now),
            Changing::Leave => self.store.change_member(user, MemberChange::Removed, now),
            Changing::Join => self.store.change_member(user, MemberChange::Added, now),
        };
        let Some(change) = change else { return };
        self.report.changes += 1;
        if let Event::Member(member) = &change.event
            && member.change == MemberChange::Added
        {
            self.come_back(user);
        }
        match told {
            Told::After(millis) => self.after(millis, Happening::Told(Some(change))),
            Told::Look(millis) => self.after(millis, Happening::Told(None)),
            Told::Never => {}
        }
    }

    /// Who is a member again connects again.
    fn come_back(&mut self, user: UserId) {
        for index in 0..self.clients.len() {
            let Some(client) = self.clients.get_mut(index) else {
                continue;
            };
            if client.user == user && !self.revoked.contains(&client.session) {
                client.stopped = false;
                self.tend_later(index);
            }
        }
    }

    /// The front's Room hears of a change, unless it sleeps and has no sockets.
    pub(super) fn told(&mut self, change: Option<StoredEvent>) -> Result<(), String> {
        let front = self.front;
        let mut links = self.links.values();
        let served = links.any(|link| link.open && link.host == front);
        if !served && !self.is_awake(front) {
            return Ok(());
        }
        let seq = change.as_ref().map(|change| change.event.seq());
        self.input(front, Input::ChangeStored(change))?;
        if let (Some(host), Some(seq)) = (self.hosts.get_mut(&front), seq.filter(|_| served)) {
            host.own = host.own.max(seq);
        }
        Ok(())
    }

    fn is_awake(&self, host: u64) -> bool {
        let host = self.hosts.get(&host);
        host.is_some_and(|host| host.room.is_some())
    }

    fn overlap(&mut self, end: Option<i64>) {
        let old = self.front;
        let skew = self.hosts.get(&old).map_or(0, |host| host.skew);
        self.new_host(skew);
        self.report.overlaps += 1;
        if let Some(end) = end {
            self.after(end, Happening::ShutDown(old));
        }
    }

    fn set_clock(&mut self, by: i64) {
        let front = self.front;
        let Some(host) = self.hosts.get_mut(&front) else {
            return;
        };
        host.skew += by;
        host.jumps += 1;
        host.era += u64::from(by > 0);
        if by < 0 {
            // A period that is over would be running again.
            host.set_back = true;
            for taken in host.taken.values_mut() {
                taken.certain = false;
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
            // First remembered, then told: who is being let in is found either here or there.
            if let Some(host) = self.hosts.get_mut(&host) {
                host.revoked.insert(session.clone());
            }
            // A Room that sleeps and holds none of its sockets is not woken.
            let has_one = self
                .links
                .values()
                .any(|link| link.open && link.host == host && link.client == index);
            if has_one || self.is_awake(host) {
                let session_id = &session;
                self.input(host, Input::Revoke { session_id })?;
            }
        }
        let stays = |link: &&super::network::Link| link.open && link.client == index;
        if self.links.values().any(|link| stays(&link)) {
            return Err(format!("{} was revoked and stays connected", session.0));
        }
        Ok(())
    }
}
