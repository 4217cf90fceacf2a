//! The check of one socket's frames, in both directions, against the description.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::asyncapi::{AsyncApi, Direction, Version};

/// What a socket has sent and received so far.
#[derive(Debug)]
pub(crate) struct FrameCheck {
    description: &'static AsyncApi,
    seen: BTreeSet<String>,
    /// Whether the description allows everything that was sent.
    all_allowed: bool,
    /// The ids of sends that the description does not allow.
    forbidden_ids: HashSet<String>,
}

impl FrameCheck {
    pub(crate) fn new(description: &'static AsyncApi) -> Self {
        Self {
            description,
            seen: BTreeSet::new(),
            all_allowed: true,
            forbidden_ids: HashSet::new(),
        }
    }

    /// The names of the described frames that were sent or received.
    pub(crate) fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }

    /// Something else than a text frame of JSON is sent.
    pub(crate) fn sent_other(&mut self) {
        self.all_allowed = false;
    }

    /// A text is sent. The description need not allow it.
    pub(crate) fn sent(&mut self, version: Version, text: &str) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return self.sent_other();
        };
        self.all_allowed &= self.identify_sent(version, &frame);
        match &frame {
            Value::Array(commands) => commands.iter().for_each(|one| {
                let is_allowed = self.identify_sent(Version::V2, one);
                self.record_id(one, is_allowed);
            }),
            command => {
                let is_allowed = self.identify_sent(version, command);
                self.record_id(command, is_allowed);
            }
        }
    }

    /// A v1 socket accepts v2 frames too, and becomes v2.
    fn identify_sent(&mut self, version: Version, frame: &Value) -> bool {
        let as_version = |version| {
            self.description
                .identify(version, Direction::ToServer, frame)
        };
        let name = as_version(version).or_else(|_| as_version(Version::V2));
        let name = name.ok().map(str::to_owned);
        let is_allowed = name.is_some();
        self.seen.extend(name);
        is_allowed
    }

    fn record_id(&mut self, command: &Value, is_allowed: bool) {
        let Some(id) = command["client_message_id"].as_str() else {
            return;
        };
        if is_allowed {
            self.forbidden_ids.remove(id);
        } else {
            self.forbidden_ids.insert(id.to_owned());
        }
    }

    /// Checks a received frame.
    pub(crate) fn received(&mut self, version: Version, frame: &Value) -> Result<(), String> {
        let name = self
            .description
            .identify(version, Direction::ToClient, frame)?;
        self.seen.insert(name.to_owned());
        let is_syntax_error = ["malformed", "unknown_type"]
            .iter()
            .any(|code| frame["code"] == *code);
        if is_syntax_error && self.all_allowed {
            return Err("the description allows every frame that was sent".to_owned());
        }
        let id = frame["client_message_id"].as_str().unwrap_or_default();
        if frame["type"] == "ack" && self.forbidden_ids.contains(id) {
            return Err("the description does not allow the send that was acknowledged".to_owned());
        }
        Ok(())
    }
}
