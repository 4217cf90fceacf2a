//! Sends over REST: through the front's Room, answered once, repeated by those who repeat.

use super::world::{Happening, World};
use colloquy_proto::domain::{
    AppendOutcome, ClientMessageId, MessageText, SendOutcome, Seq, SessionId, UserId,
};
use colloquy_proto::protocol::SendCommand;
use colloquy_proto::room::{Input, RequestId};

/// Sends one Room may owe an answer: those waiting and one commit, as the Room promises.
const MAX_UNANSWERED: usize = 2_048 + 256;

/// When a send without an answer is repeated, in milliseconds.
const AGAIN_MS: i64 = 700;

/// One send over REST.
#[derive(Debug, Clone)]
pub(super) struct RestSend {
    pub(super) host: u64,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) client_message_id: Option<ClientMessageId>,
    pub(super) message: String,
    pub(super) repeats: bool,
}

impl World {
    pub(super) fn send_over_rest(&mut self, mut send: RestSend) -> Result<(), String> {
        if self.revoked.contains(&send.session) {
            return Ok(());
        }
        send.host = self.front;
        self.next_request += 1;
        let request_id = RequestId(self.next_request);
        let command = SendCommand {
            client_message_id: send.client_message_id.clone(),
            message: MessageText::new(send.message.as_str()).map_err(|error| error.to_string())?,
            reply_to: None,
            mentions: Vec::new(),
        };
        let (user_id, session_id) = (send.user, send.session.clone());
        self.rest.insert(request_id, send);
        let input = Input::Send {
            request_id,
            user_id,
            session_id,
            send: command,
        };
        self.input(self.front, input)?;
        let owed = |host: u64| self.rest.values().filter(|send| send.host == host).count();
        if self.rest.len() > MAX_UNANSWERED && owed(self.front) > MAX_UNANSWERED {
            return Err("more sends wait in a Room than it promises".into());
        }
        Ok(())
    }

    /// An answer: given once, and true. Says who was told to wait.
    pub(super) fn answered(
        &mut self,
        request_id: RequestId,
        outcome: SendOutcome,
    ) -> Result<Option<UserId>, String> {
        let Some(send) = self.rest.remove(&request_id) else {
            return Err("a REST send was answered twice".into());
        };
        self.report.answers += 1;
        match outcome {
            SendOutcome::Appended(AppendOutcome::Stored(told) | AppendOutcome::Duplicate(told)) => {
                let stored = match &send.client_message_id {
                    Some(id) => self.store.find(send.user, id).map(|stored| stored.seq),
                    None => self
                        .store
                        .event(told.seq)
                        .map(colloquy_proto::protocol::Event::seq),
                };
                if stored != Some(told.seq) {
                    return Err(format!(
                        "REST was told of {}, stored is {stored:?}",
                        told.seq
                    ));
                }
                Ok(None)
            }
            SendOutcome::Appended(AppendOutcome::Denied(_)) => {
                let was_removed = self.store.left_after(Seq(0), send.user, Seq(i64::MAX));
                let is_over = self.revoked.contains(&send.session) || was_removed;
                is_over
                    .then_some(None)
                    .ok_or_else(|| "a member was denied".into())
            }
            SendOutcome::Throttled { .. } => {
                let user = send.user;
                self.send_again(send);
                Ok(Some(user))
            }
            SendOutcome::Overloaded | SendOutcome::Unavailable => {
                self.send_again(send);
                Ok(None)
            }
            SendOutcome::Appended(other) => Err(format!("a REST send became {other:?}")),
        }
    }

    fn send_again(&mut self, send: RestSend) {
        if send.repeats {
            self.after(AGAIN_MS, Happening::RestAgain(send));
        }
    }

    /// A host loses its memory: whoever waits for it is told that it failed.
    pub(super) fn drop_tickets(&mut self, host: u64) {
        let lost = self.rest.extract_if(.., |_, send| send.host == host);
        let lost: Vec<RestSend> = lost.map(|(_, send)| send).collect();
        for send in lost {
            self.send_again(send);
        }
    }
}
