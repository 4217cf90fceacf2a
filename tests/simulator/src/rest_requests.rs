//! Sends over REST: through the primary host, answered once, repeated by clients that repeat.

use super::events::{RestSend, ScheduledEvent};
use super::world::World;
use colloquy_proto::domain::{AppendOutcome, MessageText, SendOutcome, Seq, UserId};
use colloquy_proto::protocol::SendCommand;
use colloquy_proto::room::RequestId;

/// The most unanswered sends of one Room: its queue and one commit.
const MAX_UNANSWERED: usize = 2_048 + 256;

/// The pause before a send without a result is repeated, in milliseconds.
const RETRY_MS: i64 = 700;

impl World {
    pub(super) fn send_over_rest(&mut self, mut send: RestSend) -> Result<(), String> {
        if self.revoked.contains(&send.session) {
            return Ok(());
        }
        send.host = self.primary;
        self.next_request += 1;
        let request_id = RequestId(self.next_request);
        let command = SendCommand {
            client_message_id: send.client_message_id.clone(),
            message: MessageText::new(send.message.as_str()).map_err(|error| error.to_string())?,
            reply_to: None,
            mentions: Vec::new(),
        };
        let (user_id, session_id) = (send.user, send.session.clone());
        self.rest_requests.insert(request_id, send);
        self.call_host(self.primary, true, |room, now, sink| {
            room.send((user_id, session_id), command, request_id, now, sink);
        })?;
        let unanswered = |host: u64| {
            self.rest_requests
                .values()
                .filter(|send| send.host == host)
                .count()
        };
        if self.rest_requests.len() > MAX_UNANSWERED && unanswered(self.primary) > MAX_UNANSWERED {
            return Err("more sends wait in a Room than its bound".into());
        }
        Ok(())
    }

    /// Checks a reply: one per request, and true. Returns the user if the send was throttled.
    pub(super) fn answered(
        &mut self,
        request_id: RequestId,
        outcome: SendOutcome,
    ) -> Result<Option<UserId>, String> {
        let Some(send) = self.rest_requests.remove(&request_id) else {
            return Err("a REST send was answered twice".into());
        };
        self.report.answers += 1;
        match outcome {
            SendOutcome::Appended(
                AppendOutcome::Stored(reported) | AppendOutcome::Duplicate(reported),
            ) => {
                let stored = match &send.client_message_id {
                    Some(id) => self.store.find(send.user, id).map(|stored| stored.seq),
                    None => self
                        .store
                        .event(reported.seq)
                        .map(colloquy_proto::protocol::Event::seq),
                };
                if stored != Some(reported.seq) {
                    return Err(format!(
                        "the reply was {}, stored is {stored:?}",
                        reported.seq
                    ));
                }
                Ok(None)
            }
            SendOutcome::Appended(AppendOutcome::Denied(_)) => {
                let was_removed = self.store.removed_after(Seq(0), send.user, Seq(i64::MAX));
                let may_deny = self.revoked.contains(&send.session) || was_removed;
                may_deny
                    .then_some(None)
                    .ok_or_else(|| "a member was denied".into())
            }
            SendOutcome::Throttled { .. } => {
                let user = send.user;
                self.retry(send);
                Ok(Some(user))
            }
            SendOutcome::Overloaded | SendOutcome::Unavailable => {
                self.retry(send);
                Ok(None)
            }
            SendOutcome::Appended(other) => Err(format!("a REST send was answered with {other:?}")),
        }
    }

    fn retry(&mut self, send: RestSend) {
        if send.repeats {
            self.after(RETRY_MS, ScheduledEvent::RetryRest(send));
        }
    }

    /// A host loses its memory: its requests fail.
    pub(super) fn fail_rest_requests(&mut self, host: u64) {
        let lost = self
            .rest_requests
            .extract_if(.., |_, send| send.host == host);
        let lost: Vec<RestSend> = lost.map(|(_, send)| send).collect();
        for send in lost {
            self.retry(send);
        }
    }
}
