//! Checks how the Room treats the end of a membership: once it has taken in the removal event, it
//! sends the member nothing but the close frame. A removal that has not reached the Room is not
//! checked.

use super::link::Link;
use super::world::World;
use colloquy_proto::domain::Seq;

impl World {
    /// Whether this connection's Room has taken in the end of the membership that admitted it.
    fn is_removed(&self, link: &Link) -> bool {
        let host = self.hosts.get(&link.host);
        let taken_in = host.map_or(Seq(0), |host| host.taken_in);
        self.store
            .removed_after(link.admitted_at, link.user, taken_in)
    }

    /// A removed member is sent nothing.
    pub(super) fn check_member(&self, link: &Link) -> Result<(), String> {
        if self.is_removed(link) {
            return Err(format!("user {} was removed and still served", link.user));
        }
        Ok(())
    }

    /// After every step: a removed member is disconnected.
    pub(super) fn check_removed_members(&self, host: u64) -> Result<(), String> {
        if self.store.last_removal_seq() == Seq(0) {
            return Ok(());
        }
        let stays = |link: &&Link| link.open && link.host == host && self.is_removed(link);
        match self.links.values().find(stays) {
            Some(link) => Err(format!("user {} was removed and stays on", link.user)),
            None => Ok(()),
        }
    }
}
