//! The end of a membership, as its Room sees it: from the event on that tells of it, the member's
//! connections get nothing but their end. A Room knows of what it has taken in, which it also gives
//! to the cache; what it has not met yet it need not know.

use super::network::Link;
use super::world::World;
use colloquy_proto::domain::Seq;

impl World {
    /// A Room has taken in all events up to here.
    pub(super) fn takes_in(&mut self, host: u64, until: Option<Seq>) {
        if let (Some(host), Some(until)) = (self.hosts.get_mut(&host), until) {
            host.met = host.met.max(until);
        }
    }

    /// Whether this connection's Room has met the end of the membership it was let in by.
    fn has_left(&self, link: &Link) -> bool {
        let met = self.hosts.get(&link.host).map_or(Seq(0), |host| host.met);
        self.store.left_after(link.granted, link.user, met)
    }

    /// Nothing is said to who is no member any more.
    pub(super) fn check_member(&self, link: &Link) -> Result<(), String> {
        if self.has_left(link) {
            return Err(format!("user {} was removed and still served", link.user));
        }
        Ok(())
    }

    /// After every step: whose departure a Room has met is gone.
    pub(super) fn check_gone(&self, host: u64) -> Result<(), String> {
        if self.store.last_removal_seq() == Seq(0) {
            return Ok(());
        }
        let stays = |link: &&Link| link.open && link.host == host && self.has_left(link);
        match self.links.values().find(stays) {
            Some(link) => Err(format!("user {} was removed and stays on", link.user)),
            None => Ok(()),
        }
    }
}
