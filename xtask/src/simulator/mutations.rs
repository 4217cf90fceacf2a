//! Faults to plant in the Room, each of which the simulator must find: a promise nobody would see
//! broken is not tested. The list is the test of the tests; a new rule of the Room wants a row. Those
//! about who is connected are in `mutations_of_connections.rs`.

/// A fault: texts of `proto/src/room` and what stands there instead.
pub(super) struct Mutation {
    /// What the mutated Room does, in a few words.
    pub(super) name: &'static str,
    pub(super) edits: &'static [Edit],
}

/// One text of a file, which must be there exactly once, and its replacement.
pub(super) struct Edit {
    /// Below `proto/src/room`.
    pub(super) file: &'static str,
    pub(super) old: &'static str,
    pub(super) new: &'static str,
}

pub(super) const fn edit(file: &'static str, old: &'static str, new: &'static str) -> Edit {
    Edit { file, old, new }
}

pub(super) const MUTATIONS: &[Mutation] = &[
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
        name: "acknowledges what the store refused",
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
            };
            let outcome = SendOutcome::Appended(AppendOutcome::Stored(stored));
            self.complete_send(send, outcome, now, effects);\n",
        )],
    },
    Mutation {
        name: "does not know repeats of what is stored",
        edits: &[edit(
            "dedup.rs",
            "        self.stored.get(&(user_id, client_message_id.clone()))\n",
            "        self.stored.get(&(user_id, client_message_id.clone())).filter(|_| false)\n",
        )],
    },
    Mutation {
        name: "does not know repeats of what is on its way",
        edits: &[edit(
            "send_queue.rs",
            "        let Some(original) = original else {\n",
            "        let Some(original) = original.filter(|_| false) else {\n",
        )],
    },
    Mutation {
        name: "calls a repeat new",
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
        name: "charges for what was not stored",
        edits: &[edit(
            "sends.rs",
            "            self.throttle.refund(user_id, queued_at);\n",
            "            let _ = queued_at;\n",
        )],
    },
    Mutation {
        name: "does not look for what was stored without an answer",
        edits: &[edit(
            "commit.rs",
            "        self.event_loader.schedule_rechecks(now);\n",
            "",
        )],
    },
    Mutation {
        name: "does not look for what was written before it came",
        edits: &[edit(
            "admission.rs",
            "                self.event_loader.recheck_now(now);\n",
            "                let _ = now;\n",
        )],
    },
    Mutation {
        name: "takes no hint from a duplicate",
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
            "        && let Some(buffered) = replay_buffer.after(at)\n",
            "        && let Some(buffered) = replay_buffer.after(at.next())\n",
        )],
    },
    Mutation {
        name: "delivers twice after a resume",
        edits: &[edit(
            "resume.rs",
            "        connection.delivered = at;\n",
            "        connection.delivered = at.min(head);
        if at == head && resume.count > 1 {
            connection.delivered = Seq(at.0 - 1);
        }\n",
        )],
    },
    Mutation {
        name: "calls a part of a resume the whole",
        edits: &[edit(
            "resume.rs",
            "        let is_complete = at == head;\n",
            "        let is_complete = at == head || resume.count > 0;\n",
        )],
    },
    Mutation {
        name: "delivers live events in the middle of a resume",
        edits: &[edit(
            "fanout.rs",
            "if connection.delivered == before && connection.pending_resume().is_none() {",
            "if connection.delivered == before || connection.pending_resume().is_some() {",
        )],
    },
    Mutation {
        name: "resets who is ahead of it without asking the store",
        edits: &[edit(
            "resume.rs",
            "        if epoch.is_some_and(|epoch| *epoch != head_epoch) {\n",
            "        if epoch.is_some_and(|epoch| *epoch != head_epoch) || since > head_seq {\n",
        )],
    },
    Mutation {
        name: "tells v1 sockets of changes",
        edits: &[edit(
            "replay_buffer.rs",
            "            v1: event.is_message(),\n",
            "            v1: true,\n",
        )],
    },
    Mutation {
        name: "takes a change that is not the next in line",
        edits: &[edit(
            "commit.rs",
            "Some(head) if head.seq.next() == event.seq() =>",
            "Some(head) if head.seq < event.seq() =>",
        )],
    },
    Mutation {
        name: "forgets a change that is not the next in line",
        edits: &[edit(
            "commit.rs",
            "            Some(_) => self.highest_seen = self.highest_seen.max(event.seq()),\n",
            "            Some(_) => {}\n",
        )],
    },
    Mutation {
        name: "takes sends without bound",
        edits: &[edit(
            "send_queue.rs",
            "        self.waiting.len() >= MAX_WAITING\n",
            "        self.waiting.len() >= MAX_WAITING * 10\n",
        )],
    },
    Mutation {
        name: "lets repeats pile up",
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
        name: "never asks again after a load failed",
        edits: &[edit(
            "event_loader.rs",
            "        self.retry_at = Some(Timestamp(now.0 + RETRY_MS));\n",
            "        self.retry_at = Some(Timestamp(now.0 + RETRY_MS * 1_000));\n",
        )],
    },
    Mutation {
        name: "waits for a clock that was set back",
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
        name: "waits for company until a clock that was set back has caught up",
        edits: &[edit(
            "batching.rs",
            "(0..commit.linger_ms).contains(&now.millis_since(commit.finished_at))",
            "now.millis_since(commit.finished_at) < commit.linger_ms",
        )],
    },
    Mutation {
        name: "forgets where it stands in its sleep",
        edits: &[edit(
            "fanout.rs",
            "        self.highest_seen = self.highest_seen.max(head.seq);
        self.connections.mark_checkpoint_dirty();\n",
            "        self.highest_seen = self.highest_seen.max(head.seq);\n",
        )],
    },
    Mutation {
        name: "forgets an unanswered resume in its sleep",
        edits: &[edit(
            "snapshot.rs",
            "        let resume = snapshot.pending_resume;\n",
            "        let resume = snapshot.pending_resume.filter(|_| false);\n",
        )],
    },
    Mutation {
        name: "forgets the throttle in its sleep",
        edits: &[edit(
            "snapshot.rs",
            "            self.throttle.restore(user_id, Timestamp(started_at));\n",
            "            self.throttle.restore(user_id, Timestamp(started_at / 2));\n",
        )],
    },
    Mutation {
        name: "forgets in its sleep what it was going to look for",
        edits: &[edit(
            "snapshot.rs",
            "            room.event_loader = EventLoader::restore(recheck_at);\n",
            "            room.event_loader = EventLoader::restore(recheck_at.take(0));\n",
        )],
    },
    Mutation {
        name: "drops what it accepted when it ends",
        edits: &[edit(
            "mod.rs",
            "        if self.closing && self.send_queue.is_empty() {\n",
            "        if self.closing {\n",
        )],
    },
];
