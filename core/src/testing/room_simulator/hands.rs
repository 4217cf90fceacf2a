//! The driver of these worlds: carries out the Room's effects, as slowly and badly as the seed
//! decides, and does what the world around it does: another writer, a restart, a revocation.

use super::world::{CHAOS_MS, END_OF_TOKENS, FOREIGN, Happening, THROTTLE_MS, World, new_room};
use crate::domain::{Append, Caller, ConversationId, MessageText, Seq, SessionId, Timestamp};
use crate::protocol::{CloseCode, Event};
use crate::room::{ConnectionId, Effect, Effects, Input, Join, StoreFailed, TokenRefused};

impl World {
    /// Gives the Room one input and carries out what it wants done.
    pub(super) fn input(&mut self, input: Input<'_>) -> Result<(), String> {
        let effects = self.room.handle(input, self.now);
        self.carry_out(effects)?;
        // One wake-up is under way at a time, the earliest one.
        let wanted = self
            .room
            .next_wakeup(self.now)
            .filter(|at| *at < END_OF_TOKENS);
        if let Some(at) = wanted.map(|at| at.max(self.now))
            && self.wake_at.is_none_or(|planned| at < planned)
        {
            self.wake_at = Some(at);
            self.at(at, Happening::Wake);
        }
        Ok(())
    }

    /// A socket opens at the Room.
    pub(super) fn enter(&mut self, id: ConnectionId, join: Join) -> Result<(), String> {
        if self.revoked.contains(&join.session_id) {
            self.leave(id);
        }
        if !self.owners.contains_key(&id) {
            return Ok(());
        }
        self.input(Input::Connect { id, join })
    }

    fn carry_out(&mut self, effects: Effects) -> Result<(), String> {
        for effect in effects {
            match effect {
                Effect::Reply { to, frames } => {
                    for frame in frames {
                        self.send_down(to, Happening::ToClient(to, frame))?;
                    }
                }
                Effect::Fanout { to, frames } => {
                    for (id, frame) in to
                        .iter()
                        .flat_map(|id| frames.iter().map(|f| (*id, f.clone())))
                    {
                        self.send_down(id, Happening::ToClient(id, frame))?;
                    }
                }
                Effect::Close { id, close } => {
                    if close == CloseCode::Malformed {
                        return Err("a well-made client was called malformed".into());
                    }
                    self.send_down(id, Happening::ClosedByServer(id))?;
                }
                Effect::Commit(sends) => {
                    self.check_throttle(&sends)?;
                    self.commit(sends);
                }
                Effect::Load { since, limit } => self.load(since, limit),
                Effect::Record { events, .. } => {
                    for (seq, frame) in events {
                        let stored = self.store.event(seq).map(Event::encode);
                        if stored.as_ref() != Some(&frame) {
                            return Err(format!("the cache was told of {seq} what is not stored"));
                        }
                    }
                }
                Effect::Authenticate { id, .. } => {
                    let result: Result<Caller, _> = Err(TokenRefused::Expired);
                    self.input(Input::Authenticated { id, result })?;
                }
                Effect::Answer { .. } => {}
            }
        }
        Ok(())
    }

    /// Between two sends that one Room took of a user, there is the throttle's period, unless
    /// the first was refused after all.
    fn check_throttle(&mut self, sends: &[Append]) -> Result<(), String> {
        for send in sends.iter().filter(|send| !send.repeat_only) {
            let last = self.accepted.insert(send.sender_id, send.now);
            if last.is_some_and(|last| send.now.millis_since(last) < THROTTLE_MS) {
                return Err(format!("user {} was not throttled", send.sender_id));
            }
        }
        Ok(())
    }

    fn commit(&mut self, sends: Vec<Append>) {
        let room = self.room_number;
        let chaos = self.now.0 < 1_000_000 + CHAOS_MS;
        let fate = if chaos { self.rng.u8(0..20) } else { 0 };
        if (1..=3).contains(&fate) {
            // Refused, as far as anyone is told.
            self.accepted.clear();
        }
        let failed = Happening::Committed {
            room,
            result: Err(StoreFailed),
        };
        match fate {
            // Never stored.
            1 => drop(self.after(0, 3_000, failed)),
            // Stored, the answer lost.
            2 => {
                self.after(
                    0,
                    200,
                    Happening::Apply {
                        room,
                        sends,
                        answer: None,
                    },
                );
                self.after(200, 3_000, failed);
            }
            // Given up, and stored all the same later.
            3 => {
                self.after(0, 500, failed);
                self.after(
                    500,
                    4_000,
                    Happening::Apply {
                        room,
                        sends,
                        answer: None,
                    },
                );
            }
            // Slow.
            4 => {
                let answer = Some(Timestamp(self.now.0 + self.rng.i64(1_000..4_000)));
                self.after(
                    0,
                    1_000,
                    Happening::Apply {
                        room,
                        sends,
                        answer,
                    },
                );
            }
            _ => {
                let answer = Some(Timestamp(self.now.0 + self.rng.i64(10..40)));
                self.after(
                    0,
                    10,
                    Happening::Apply {
                        room,
                        sends,
                        answer,
                    },
                );
            }
        }
        self.report.failed_commits += u64::from((1..=3).contains(&fate));
    }

    fn load(&mut self, since: Seq, limit: i64) {
        let room = self.room_number;
        let chaos = self.now.0 < 1_000_000 + CHAOS_MS;
        if chaos && self.rng.u8(0..10) == 0 {
            self.after(0, 2_000, Happening::LoadFailed { room });
        } else {
            self.after(0, 300, Happening::Load { room, since, limit });
        }
    }

    /// Another Room of the same conversation, as during a deploy.
    pub(super) fn foreign_write(&mut self) {
        let Ok(message) = MessageText::new("from elsewhere") else {
            return;
        };
        let append = Append {
            conversation_id: ConversationId(1),
            sender_id: FOREIGN,
            session_id: SessionId("foreign".into()),
            client_message_id: None,
            message,
            reply_to: None,
            mentions: Vec::new(),
            repeat_only: false,
            now: self.now,
        };
        drop(self.store.append(&[append]));
    }

    /// The process dies: memory is gone, every socket breaks, what is on its way to the database
    /// may still arrive there.
    pub(super) fn restart(&mut self) {
        self.report.restarts += 1;
        self.accepted.clear();
        self.room = new_room();
        self.room_number += 1;
        let ids: Vec<ConnectionId> = self.owners.keys().copied().collect();
        for id in ids {
            self.leave(id);
        }
    }

    pub(super) fn revoke(&mut self, index: usize) -> Result<(), String> {
        let Some(client) = self.clients.get(index) else {
            return Ok(());
        };
        let session = client.session.clone();
        self.store.revoked.insert(session.clone());
        self.revoked.insert(session.clone());
        self.input(Input::Revoke {
            session_id: &session,
        })
    }
}
