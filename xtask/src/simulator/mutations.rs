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
            "fanout.rs",
            "if expected == Some(first) && dense {",
            "if expected.is_some() {",
        )],
    },
    Mutation {
        name: "acknowledges before the commit",
        edits: &[edit(
            "commands.rs",
            "        self.send_queue.push(append, origin);\n",
            "        if let (Origin::Connection(id), Some(head)) = (origin, &self.head) {
            let stored = StoredMessage {
                message_id: crate::domain::MessageId(head.seq.0 + 1_001),
                seq: head.seq.next(),
                number: crate::domain::MessageNumber(head.number.0 + 1),
                timestamp: now,
                sender: \"\".into(),
            };
            self.acknowledge(id, append.client_message_id.as_ref(), &stored, false, fx);
        }
        self.send_queue.push(append, origin);\n",
        )],
    },
    Mutation {
        name: "broadcasts before the commit",
        edits: &[
            edit(
                "mod.rs",
                "            effects.push(Effect::Commit(batch));\n",
                "            self.foretell(&batch, effects);
            effects.push(Effect::Commit(batch));\n",
            ),
            edit(
                "fanout.rs",
                "    /// Takes the next events, which start",
                "    pub(super) fn foretell(&mut self, batch: &[crate::domain::NewMessage], fx: &mut Effects) {
        let Some(head) = &self.head else { return };
        let (mut seq, mut number) = (head.seq.0, head.number.0);
        let mut events = Vec::new();
        for append in batch {
            (seq, number) = (seq + 1, number + 1);
            let stored = StoredMessage {
                message_id: crate::domain::MessageId(seq + 1_000),
                seq: Seq(seq),
                number: MessageNumber(number),
                timestamp: append.now,
                sender: format!(\"user{}\", append.sender_id).into(),
            };
            events.push(event_of(append, &stored));
        }
        self.ingest(&events, fx);
    }

    /// Takes the next events, which start",
            ),
        ],
    },
    Mutation {
        name: "acknowledges what the store refused",
        edits: &[edit(
            "fanout.rs",
            "            self.settle(sent, SendOutcome::Unavailable, now, fx);\n",
            "            let Some(head) = &self.head else { continue };
            let stored = StoredMessage {
                message_id: crate::domain::MessageId(head.seq.0 + 1_001),
                seq: head.seq.next(),
                number: MessageNumber(head.number.0 + 1),
                timestamp: now,
                sender: \"\".into(),
            };
            self.settle(sent, SendOutcome::Appended(AppendOutcome::Stored(stored)), now, fx);\n",
        )],
    },
    Mutation {
        name: "does not know repeats of what is stored",
        edits: &[edit(
            "send_queue.rs",
            "        self.known.get(&(user, id.clone()))\n",
            "        self.known.get(&(user, id.clone())).filter(|_| false)\n",
        )],
    },
    Mutation {
        name: "does not know repeats of what is on its way",
        edits: &[edit(
            "send_queue.rs",
            "        let Some(pending) = same else {\n",
            "        let Some(pending) = same.filter(|_| false) else {\n",
        )],
    },
    Mutation {
        name: "calls a repeat new",
        edits: &[edit(
            "commands.rs",
            "                self.acknowledge(connection, id, stored, true, fx);",
            "                self.acknowledge(connection, id, stored, false, fx);",
        )],
    },
    Mutation {
        name: "forgets the throttle",
        edits: &[edit(
            "throttle.rs",
            "        let (taken, asked) = (now, false);\n",
            "        let (taken, asked) = (Timestamp(now.0 - self.period_ms), false);\n",
        )],
    },
    Mutation {
        name: "charges for what was not stored",
        edits: &[edit(
            "commands.rs",
            "            self.throttle.give_back(user, taken);\n",
            "            let _ = taken;\n",
        )],
    },
    Mutation {
        name: "does not look for what was stored without an answer",
        edits: &[edit(
            "fanout.rs",
            "        self.loads.suspect(now);\n",
            "",
        )],
    },
    Mutation {
        name: "does not look for what was written before it came",
        edits: &[edit("mod.rs", "        self.loads.check(now);\n", "        let _ = now;\n")],
    },
    Mutation {
        name: "takes no hint from a duplicate",
        edits: &[edit(
            "fanout.rs",
            "AppendOutcome::Duplicate(stored) => self.known = self.known.max(stored.seq),",
            "AppendOutcome::Duplicate(_) => {}",
        )],
    },
    Mutation {
        name: "loses an event on resume",
        edits: &[edit(
            "resume.rs",
            "            && let Some(rest) = self.replay_buffer.after(at)\n",
            "            && let Some(rest) = self.replay_buffer.after(at.next())\n",
        )],
    },
    Mutation {
        name: "delivers twice after a resume",
        edits: &[edit(
            "resume.rs",
            "        connection.delivered = at;\n",
            "        connection.delivered = at.min(head);
        if at == head && resuming.count > 1 {
            connection.delivered = Seq(at.0 - 1);
        }\n",
        )],
    },
    Mutation {
        name: "calls a part of a resume the whole",
        edits: &[edit(
            "resume.rs",
            "        let done = at == head;\n",
            "        let done = at == head || resuming.count > 0;\n",
        )],
    },
    Mutation {
        name: "delivers live events in the middle of a resume",
        edits: &[edit(
            "fanout.rs",
            "if connection.delivered == before && connection.resuming().is_none() {",
            "if connection.delivered == before || connection.resuming().is_some() {",
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
            "fanout.rs",
            "Some(head) if head.seq.next() == event.seq() =>",
            "Some(head) if head.seq < event.seq() =>",
        )],
    },
    Mutation {
        name: "forgets a change that is not the next in line",
        edits: &[edit(
            "fanout.rs",
            "            Some(_) => self.known = self.known.max(event.seq()),\n",
            "            Some(_) => {}\n",
        )],
    },
    Mutation {
        name: "takes sends without bound",
        edits: &[edit(
            "send_queue.rs",
            "        self.waiting.len() >= MAX_PENDING\n",
            "        self.waiting.len() >= MAX_PENDING * 10\n",
        )],
    },
    Mutation {
        name: "lets repeats pile up",
        edits: &[edit(
            "send_queue.rs",
            "        if pending.repeats.len() >= MAX_REPEATS {\n",
            "        if pending.repeats.len() >= MAX_REPEATS * 1_000 {\n",
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
            "resume.rs",
            "        self.retry_at = Some(Timestamp(now.0 + RETRY_MS));\n",
            "        self.retry_at = Some(Timestamp(now.0 + RETRY_MS * 1_000));\n",
        )],
    },
    Mutation {
        name: "waits for a clock that was set back",
        edits: &[edit(
            "mod.rs",
            "        self.loads.observe(now);\n",
            "",
        )],
    },
    Mutation {
        name: "panics when its clock is set back",
        edits: &[edit("resume.rs", "at.0 = at.0.saturating_sub(back);", "at.0 -= back * i64::MAX;")],
    },
    Mutation {
        name: "waits for company until a clock that was set back has caught up",
        edits: &[edit(
            "batching.rs",
            "(0..answered.patience_ms).contains(&now.millis_since(answered.at))",
            "now.millis_since(answered.at) < answered.patience_ms",
        )],
    },
    Mutation {
        name: "forgets where it stands in its sleep",
        edits: &[edit(
            "fanout.rs",
            "        self.known = self.known.max(head.seq);
        self.connections.touch_keeper();\n",
            "        self.known = self.known.max(head.seq);\n",
        )],
    },
    Mutation {
        name: "forgets an unanswered resume in its sleep",
        edits: &[edit(
            "snapshot.rs",
            "            let resume = snapshot.resume;\n",
            "            let resume = snapshot.resume.filter(|_| false);\n",
        )],
    },
    Mutation {
        name: "forgets the throttle in its sleep",
        edits: &[edit(
            "snapshot.rs",
            "                room.throttle.restore(user_id, Timestamp(since));\n",
            "                room.throttle.restore(user_id, Timestamp(since / 2));\n",
        )],
    },
    Mutation {
        name: "forgets in its sleep what it was going to look for",
        edits: &[edit(
            "snapshot.rs",
            "            room.loads = Loads::planned(keeper.looks.iter().copied().map(Timestamp));\n",
            "            room.loads = Loads::planned(keeper.looks.iter().copied().map(Timestamp).take(0));\n",
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
