//! Faults in how a Room treats its connections: sessions, tokens, memberships, heartbeats.

use super::mutation::{Mutation, edit};

pub(crate) const CONNECTION_MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "keeps serving a revoked session",
        edits: &[edit(
            "mod.rs",
            "            |c| c.session_id == *session_id,\n",
            "            |c| c.session_id == *session_id && c.user_id.0 == 0,\n",
        )],
    },
    Mutation {
        name: "keeps a connection whose send was denied",
        edits: &[edit(
            "sends.rs",
            "                self.close(id, close_code(*denied), effects);\n",
            "                let _ = close_code(*denied);\n",
        )],
    },
    Mutation {
        name: "keeps a connection with an expired token",
        edits: &[edit(
            "mod.rs",
            "Due::Expired(id) => self.close(id, CloseCode::TokenExpired, effects),",
            "Due::Expired(id) => drop(self.connections.get(id)),",
        )],
    },
    Mutation {
        name: "keeps silent connections",
        edits: &[edit(
            "mod.rs",
            "Due::HeartbeatLost(id) => self.close(id, CloseCode::HeartbeatLost, effects),",
            "Due::HeartbeatLost(id) => drop(self.connections.get(id)),",
        )],
    },
    Mutation {
        name: "schedules no heartbeat checks",
        edits: &[edit(
            "connections/connection.rs",
            "            .map_or(token, |at| token.min(at.plus(HEARTBEAT_CHECK_AFTER)))\n",
            "            .map_or(token, |_| token)\n",
        )],
    },
    Mutation {
        name: "checks heartbeats too late",
        edits: &[edit(
            "connections/connection.rs",
            "const HEARTBEAT_CHECK_AFTER: Seconds = Seconds(900);",
            "const HEARTBEAT_CHECK_AFTER: Seconds = Seconds(930);",
        )],
    },
    Mutation {
        name: "ignores later heartbeats",
        edits: &[edit(
            "connections/mod.rs",
            "                .replace(at.max(connection.last_heartbeat.unwrap_or(at)));\n",
            "                .replace(connection.last_heartbeat.unwrap_or(at));\n",
        )],
    },
    Mutation {
        name: "closes clients that have never pinged",
        edits: &[edit(
            "connections/connection.rs",
            "        self.last_heartbeat.is_some_and(is_lost)\n",
            "        self.last_heartbeat.is_none_or(is_lost)\n",
        )],
    },
    Mutation {
        name: "loses heartbeats in hibernation",
        edits: &[edit(
            "snapshot.rs",
            "            last_heartbeat: snapshot.last_heartbeat_ms.map(Timestamp),\n",
            "            last_heartbeat: None,\n",
        )],
    },
    Mutation {
        name: "verifies a token endlessly",
        edits: &[edit(
            "commands.rs",
            "                self.connections.extend_expiry(id, token_expires_at);\n",
            "                self.connections.extend_expiry(id, token_expires_at);
                effects.push(Effect::Authenticate { id, token: \"\".into() });\n",
        )],
    },
    Mutation {
        name: "delivers to a removed member",
        edits: &[edit(
            "fanout.rs",
            "        self.close_where(CloseCode::NotMember, is_removed, effects);\n",
            "        self.close_where(CloseCode::NotMember, |c| is_removed(c) && false, effects);\n",
        )],
    },
    Mutation {
        name: "keeps a removed member connected without events",
        edits: &[edit(
            "fanout.rs",
            "        self.close_where(CloseCode::NotMember, is_removed, effects);\n",
            "        for id in self.connections.ids_where(is_removed) {
            self.connections.get_mut(id).into_iter().for_each(|c| c.delivered = Seq(0));
        }\n",
        )],
    },
    Mutation {
        name: "overlooks a removal among other events",
        edits: &[edit(
            "fanout.rs",
            "events.chunk_by(|_, next| next.removed_user().is_none())",
            "events.chunk_by(|_, _| true)",
        )],
    },
    Mutation {
        name: "connects a member removed since admission",
        edits: &[edit(
            "admission.rs",
            "            Membership::Removed => return Err(CloseCode::NotMember),\n",
            "            Membership::Removed => {}\n",
        )],
    },
    Mutation {
        name: "connects a socket whose admission is too old to check",
        edits: &[edit(
            "admission.rs",
            "            Membership::Unknown => return Err(CloseCode::Restarting),\n",
            "            Membership::Unknown => {}\n",
        )],
    },
    Mutation {
        name: "closes a readmitted member",
        edits: &[edit(
            "fanout.rs",
            "c.user_id == user_id && c.membership_seen_at < seq",
            "c.user_id == user_id",
        )],
    },
    Mutation {
        name: "loses a readmission in hibernation",
        edits: &[edit(
            "snapshot.rs",
            "            membership_seen_at: snapshot.membership_seen_at.unwrap_or(head_seq),\n",
            "            membership_seen_at: head_seq,\n",
        )],
    },
];
