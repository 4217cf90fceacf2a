//! Faults to plant in how a Room looks after its connections: whose they are, whether those may
//! hear and speak, whether anybody is still there. What else may be wrong is in `mutations.rs`.

use super::mutations::{Mutation, edit};

pub(super) const MUTATIONS_OF_CONNECTIONS: &[Mutation] = &[
    Mutation {
        name: "keeps serving a revoked session",
        edits: &[edit(
            "mod.rs",
            "            |c| c.session_id == *session_id,\n",
            "            |c| c.session_id == *session_id && c.user_id.0 == 0,\n",
        )],
    },
    Mutation {
        name: "keeps serving a removed member who was refused",
        edits: &[edit(
            "commands.rs",
            "                self.close(connection, close_for(*denied), fx);\n",
            "                let _ = close_for(*denied);\n",
        )],
    },
    Mutation {
        name: "lets an ended token stay",
        edits: &[edit(
            "mod.rs",
            "connection::Due::Expired(id) => self.close(id, CloseCode::TokenExpired, effects),",
            "connection::Due::Expired(id) => drop(self.connections.get(id)),",
        )],
    },
    Mutation {
        name: "never lets go of who fell silent",
        edits: &[edit(
            "mod.rs",
            "connection::Due::Silent(id) => self.close(id, CloseCode::HeartbeatLost, effects),",
            "connection::Due::Silent(id) => drop(self.connections.get(id)),",
        )],
    },
    Mutation {
        name: "looks for nobody who may have fallen silent",
        edits: &[edit(
            "connection.rs",
            "            .map_or(token, |heard| token.min(heard.plus(LOOK_AFTER)))\n",
            "            .map_or(token, |_| token)\n",
        )],
    },
    Mutation {
        name: "looks too late for who fell silent",
        edits: &[edit(
            "connection.rs",
            "const LOOK_AFTER: Seconds = Seconds(900);",
            "const LOOK_AFTER: Seconds = Seconds(930);",
        )],
    },
    Mutation {
        name: "closes who was heard",
        edits: &[edit(
            "connection.rs",
            "                .replace(at.max(connection.heard.unwrap_or(at)));\n",
            "                .replace(connection.heard.unwrap_or(at));\n",
        )],
    },
    Mutation {
        name: "closes who has never pinged",
        edits: &[edit(
            "connection.rs",
            "        self.heard.is_some_and(lost)\n",
            "        self.heard.is_none_or(lost)\n",
        )],
    },
    Mutation {
        name: "forgets in its sleep whom it listens for",
        edits: &[edit(
            "snapshot.rs",
            "                heard: snapshot.heard.map(Timestamp),\n",
            "                heard: None,\n",
        )],
    },
    Mutation {
        name: "asks without end whether a token is genuine",
        edits: &[edit(
            "commands.rs",
            "                self.connections.extend(id, caller.expires_at);\n",
            "                self.connections.extend(id, caller.expires_at);
                fx.push(Effect::Authenticate { id, token: \"\".into() });\n",
        )],
    },
    Mutation {
        name: "leaks to a removed member",
        edits: &[edit(
            "fanout.rs",
            "        self.close_where(CloseCode::NotMember, gone, fx);\n",
            "        self.close_where(CloseCode::NotMember, |c| gone(c) && false, fx);\n",
        )],
    },
    Mutation {
        name: "keeps a removed member, though it tells no more",
        edits: &[edit(
            "fanout.rs",
            "        self.close_where(CloseCode::NotMember, gone, fx);\n",
            "        for id in self.connections.ids_where(gone) {
            self.connections.get_mut(id).into_iter().for_each(|c| c.delivered = Seq(0));
        }\n",
        )],
    },
    Mutation {
        name: "overlooks a departure among other events",
        edits: &[edit(
            "fanout.rs",
            "events.chunk_by(|_, next| next.removed_user().is_none())",
            "events.chunk_by(|_, _| true)",
        )],
    },
    Mutation {
        name: "lets in who has left since the entry was granted",
        edits: &[edit(
            "mod.rs",
            "            Membership::Removed => Some(CloseCode::NotMember),\n",
            "            Membership::Removed => None,\n",
        )],
    },
    Mutation {
        name: "lets in by an entry it cannot judge",
        edits: &[edit(
            "mod.rs",
            "            Membership::Unknown => Some(CloseCode::Restarting),\n",
            "            Membership::Unknown => None,\n",
        )],
    },
    Mutation {
        name: "closes who is a member again",
        edits: &[edit(
            "fanout.rs",
            "c.user_id == user && c.member_at < seq",
            "c.user_id == user",
        )],
    },
    Mutation {
        name: "forgets in its sleep who is a member again",
        edits: &[edit(
            "snapshot.rs",
            "                member_at: snapshot.member_at.unwrap_or(delivered),\n",
            "                member_at: delivered,\n",
        )],
    },
];
