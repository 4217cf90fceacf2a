//! Faults of the Room's state machine: order, duplicates, resume, throttle, bounds, hibernation. Those of
//! its connections are in `mutations_connections.rs`.

use super::mutation::{Mutation, edit};

pub(crate) const ROOM_MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "drops the gap check",
        edits: &[edit(
            "commit.rs",
            "if expected == Some(first) && is_dense {",
            "if expected.is_some() {",
        )],
    },
    Mutation {
        name: "acknowledges before the commit",
        edits: &[edit(
            "sends.rs",
            "        self.send_queue.push(message, reply_to);\n",
            "        if let (ReplyTo::Connection(id), Some(head)) = (reply_to, &self.head) {
            let stored = StoredMessage {
                message_id: crate::domain::MessageId(head.seq.0 + 1_001),
                seq: head.seq.next(),
                number: crate::domain::MessageNumber(head.number.0 + 1),
                timestamp: now,
                sender: \"\".into(),
                mentions: Vec::new(),
            };
            self.acknowledge(id, message.client_message_id.as_ref(), &stored, false, effects);
        }
        self.send_queue.push(message, reply_to);\n",
        )],
    },
    Mutation {
        name: "broadcasts before the commit",
        edits: &[
            edit(
                "commit.rs",
                "            effects.push(super::Effect::Commit(messages));\n",
                "            self.broadcast_early(&messages, effects);
            effects.push(super::Effect::Commit(messages));\n",
            ),
            edit(
                "commit.rs",
                "    /// A commit succeeded: replies",
                "    fn broadcast_early(&mut self, batch: &[NewMessage], effects: &mut Effects) {
        let Some(head) = &self.head else { return };
        let (mut seq, mut number) = (head.seq.0, head.number.0);
        let mut events = Vec::new();
        for message in batch {
            (seq, number) = (seq + 1, number + 1);
            let stored = StoredMessage {
                message_id: crate::domain::MessageId(seq + 1_000),
                seq: Seq(seq),
                number: MessageNumber(number),
                timestamp: message.now,
                sender: format!(\"user{}\", message.sender_id).into(),
                mentions: Vec::new(),
            };
            events.push(message_event(message, &stored));
        }
        self.apply_events(&events, effects);
    }

    /// A commit succeeded: replies",
            ),
        ],
    },
    Mutation {
        name: "acknowledges a send whose commit failed",
        edits: &[edit(
            "commit.rs",
            "            self.complete_send(send, SendOutcome::Unavailable, now, effects);\n",
            "            let Some(head) = &self.head else { continue };
            let stored = StoredMessage {
                message_id: crate::domain::MessageId(head.seq.0 + 1_001),
                seq: head.seq.next(),
                number: MessageNumber(head.number.0 + 1),
                timestamp: now,
                sender: \"\".into(),
                mentions: Vec::new(),
            };
            let outcome = SendOutcome::Appended(AppendOutcome::Stored(stored));
            self.complete_send(send, outcome, now, effects);\n",
        )],
    },
    Mutation {
        name: "does not recognise duplicates of stored sends",
        edits: &[edit(
            "dedup.rs",
            "        self.stored.get(&(user_id, client_message_id.clone()))\n",
            "        self.stored.get(&(user_id, client_message_id.clone())).filter(|_| false)\n",
        )],
    },
    Mutation {
        name: "does not recognise duplicates of sends in flight",
        edits: &[edit(
            "send_queue.rs",
            "        let Some(original) = original else {\n",
            "        let Some(original) = original.filter(|_| false) else {\n",
        )],
    },
    Mutation {
        name: "acknowledges a duplicate as new",
        edits: &[edit(
            "sends.rs",
            "                self.acknowledge(id, client_message_id, stored, true, effects);",
            "                self.acknowledge(id, client_message_id, stored, false, effects);",
        )],
    },
    Mutation {
        name: "forgets the throttle",
        edits: &[edit(
            "throttle.rs",
            "        self.periods.insert(user_id, Period::new(now));\n",
            "        self.periods.insert(user_id, Period::new(Timestamp(now.0 - self.period_ms)));\n",
        )],
    },
    Mutation {
        name: "charges the throttle for sends that were not stored",
        edits: &[edit(
            "sends.rs",
            "            self.throttle.refund(user_id, queued_at);\n",
            "            let _ = queued_at;\n",
        )],
    },
    Mutation {
        name: "does not recheck after a lost commit response",
        edits: &[edit(
            "commit.rs",
            "        self.event_loader.schedule_rechecks(now);\n",
            "",
        )],
    },
    Mutation {
        name: "does not recheck for events written before it started",
        edits: &[edit(
            "admission.rs",
            "                self.event_loader.recheck_now(now);\n",
            "                let _ = now;\n",
        )],
    },
    Mutation {
        name: "ignores the position of a duplicate",
        edits: &[edit(
            "commit.rs",
            "                AppendOutcome::Duplicate(stored) => {
                    self.highest_seen = self.highest_seen.max(stored.seq);\n",
            "                AppendOutcome::Duplicate(_) => {\n",
        )],
    },
    Mutation {
        name: "loses an event on resume",
        edits: &[edit(
            "resume.rs",
            "            && let Some(buffered) = replay_buffer.after(part.end)\n",
            "            && let Some(buffered) = replay_buffer.after(part.end.next())\n",
        )],
    },
    Mutation {
        name: "delivers twice after a resume",
        edits: &[edit(
            "resume.rs",
            "        connection.delivered = part.end;\n",
            "        connection.delivered = part.end;
        if part.end == head && resume.count > 1 {
            connection.delivered = Seq(part.end.0 - 1);
        }\n",
        )],
    },
    Mutation {
        name: "completes a resume too early",
        edits: &[edit(
            "resume.rs",
            "        let is_complete = part.end == head;\n",
            "        let is_complete = part.end == head || resume.count > 0;\n",
        )],
    },
    Mutation {
        name: "queues a resume without waiting for the client",
        edits: &[edit(
            "resume.rs",
            "            self.connections.set_awaits_drain(to, true);\n",
            "",
        )],
    },
    Mutation {
        name: "sends a whole resume as one part",
        edits: &[edit(
            "resume.rs",
            "self.events.is_empty() || bytes <= RESUME_PART_BYTES;",
            "self.events.is_empty() || bytes > 0;",
        )],
    },
    Mutation {
        name: "forgets a resume after its first part",
        edits: &[edit(
            "resume.rs",
            "        self.connections.set_awaits_drain(id, false);\n",
            "        let _ = &self.connections;\n",
        )],
    },
    Mutation {
        name: "delivers live events during a resume",
        edits: &[edit(
            "fanout.rs",
            "if connection.delivered == before && connection.pending_resume().is_none() {",
            "if connection.delivered == before || connection.pending_resume().is_some() {",
        )],
    },
    Mutation {
        name: "resets a client ahead of it without reading the store",
        edits: &[edit(
            "resume.rs",
            "        if epoch.is_some_and(|epoch| *epoch != head_epoch) {\n",
            "        if epoch.is_some_and(|epoch| *epoch != head_epoch) || since > head_seq {\n",
        )],
    },
    Mutation {
        name: "sends changes to v1 sockets",
        edits: &[edit(
            "replay_buffer.rs",
            "            v1: event.is_message(),\n",
            "            v1: true,\n",
        )],
    },
    Mutation {
        name: "delivers a change that is not the next event",
        edits: &[edit(
            "commit.rs",
            "Some(head) if head.seq.next() == event.seq() =>",
            "Some(head) if head.seq < event.seq() =>",
        )],
    },
    Mutation {
        name: "forgets a change that is not the next event",
        edits: &[edit(
            "commit.rs",
            "            Some(_) => self.highest_seen = self.highest_seen.max(event.seq()),\n",
            "            Some(_) => {}\n",
        )],
    },
    Mutation {
        name: "queues sends without bound",
        edits: &[edit(
            "send_queue.rs",
            "        self.waiting.len() >= MAX_WAITING\n",
            "        self.waiting.len() >= MAX_WAITING * 10\n",
        )],
    },
    Mutation {
        name: "queues duplicates without bound",
        edits: &[edit(
            "send_queue.rs",
            "        if original.duplicates.len() >= MAX_DUPLICATES {\n",
            "        if original.duplicates.len() >= MAX_DUPLICATES * 1_000 {\n",
        )],
    },
    Mutation {
        name: "commits without bound",
        edits: &[edit(
            "send_queue.rs",
            "        let count = self.waiting.len().min(MAX_BATCH);\n",
            "        let count = self.waiting.len();\n",
        )],
    },
    Mutation {
        name: "does not retry a failed load",
        edits: &[edit(
            "event_loader.rs",
            "        self.retry_at = Some(Timestamp(now.0 + RETRY_MS));\n",
            "        self.retry_at = Some(Timestamp(now.0 + RETRY_MS * 1_000));\n",
        )],
    },
    Mutation {
        name: "waits for a clock that was set back to catch up",
        edits: &[edit(
            "mod.rs",
            "        self.event_loader.observe_clock(now);\n",
            "",
        )],
    },
    Mutation {
        name: "panics when its clock is set back",
        edits: &[edit(
            "event_loader.rs",
            "at.0 = at.0.saturating_sub(back_ms);",
            "at.0 -= back_ms * i64::MAX;",
        )],
    },
    Mutation {
        name: "lingers until a clock that was set back has caught up",
        edits: &[edit(
            "batching.rs",
            "(0..commit.linger_ms).contains(&now.millis_since(commit.finished_at))",
            "now.millis_since(commit.finished_at) < commit.linger_ms",
        )],
    },
    Mutation {
        name: "loses its position in hibernation",
        edits: &[edit(
            "fanout.rs",
            "        self.highest_seen = self.highest_seen.max(head.seq);
        self.connections.mark_checkpoint_dirty();\n",
            "        self.highest_seen = self.highest_seen.max(head.seq);\n",
        )],
    },
    Mutation {
        name: "loses a pending resume in hibernation",
        edits: &[edit(
            "snapshot.rs",
            "        let resume = snapshot.pending_resume;\n",
            "        let resume = snapshot.pending_resume.filter(|_| false);\n",
        )],
    },
    Mutation {
        name: "loses the throttle in hibernation",
        edits: &[edit(
            "snapshot.rs",
            "            self.throttle.restore(user_id, Timestamp(started_at));\n",
            "            self.throttle.restore(user_id, Timestamp(started_at / 2));\n",
        )],
    },
    Mutation {
        name: "loses scheduled rechecks in hibernation",
        edits: &[edit(
            "snapshot.rs",
            "            room.event_loader = EventLoader::restore(recheck_at);\n",
            "            room.event_loader = EventLoader::restore(recheck_at.take(0));\n",
        )],
    },
    Mutation {
        name: "drops accepted sends at shutdown",
        edits: &[edit(
            "mod.rs",
            "        if self.closing && self.send_queue.is_empty() {\n",
            "        if self.closing {\n",
        )],
    },
];
