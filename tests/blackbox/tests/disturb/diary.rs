//! What one client of the crowd was told, and the comparison of all of it with what is kept.

use std::collections::{BTreeMap, HashMap};

use colloquy_tests::{Close, Sent};
use serde_json::Value;

/// Everything one client has been told.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    /// Who it is, for messages.
    pub(crate) name: String,
    /// Each of its sends that was acknowledged: id → (message id, seq).
    pub(crate) acknowledged: HashMap<String, (u64, u64)>,
    /// Every event heard, by `seq`.
    pub(crate) heard: BTreeMap<u64, Sent>,
    /// How its sockets ended.
    pub(crate) closes: Vec<Close>,
    /// The codes of refusals.
    pub(crate) refusals: Vec<String>,
}

impl Diary {
    /// Writes an event down. Hearing one again is fine (it was resumed), hearing another in its
    /// place is not.
    pub(crate) fn hear(&mut self, event: &Value) {
        let event = Sent::of_event(event);
        if let Some(before) = self.heard.insert(event.seq, event.clone()) {
            assert_eq!(before, event, "{}: two events in one place", self.name);
        }
    }

    /// Writes an acknowledgement down. A repeat must say the same as the first.
    pub(crate) fn acknowledge(&mut self, ack: &Value) {
        let key = ack["client_message_id"].as_str().expect("an id").to_owned();
        let place = (
            ack["message_id"].as_u64().expect("an id"),
            ack["seq"].as_u64().expect("a seq"),
        );
        if let Some(before) = self.acknowledged.insert(key.clone(), place) {
            assert_eq!(before, place, "{}: {key} in two places", self.name);
        }
    }
}

/// Holds every diary against a history as one member reads it over REST.
pub(crate) fn compare(diaries: &[Diary], history: &[Value]) {
    let kept = Sent::all_of(history);
    let expected: Vec<u64> = (1..).take(kept.len()).collect();
    let seqs: Vec<u64> = kept.iter().map(|message| message.seq).collect();
    let numbers: Vec<u64> = kept.iter().map(|message| message.number).collect();
    assert_eq!(seqs, expected, "seq is dense");
    assert_eq!(numbers, expected, "number is dense");
    let mut places: HashMap<(u64, &str), Vec<(u64, u64)>> = HashMap::new();
    for (message, row) in kept.iter().zip(history) {
        let key = row["client_message_id"].as_str().expect("an id");
        let place = (message.message_id, message.seq);
        let places = places.entry((message.sender_id, key)).or_default();
        places.push(place);
        assert_eq!(
            places.len(),
            1,
            "{key} was stored more than once: {places:?}"
        );
    }
    let by_key: HashMap<&str, (u64, u64)> = places
        .iter()
        .map(|((_, key), places)| (*key, places[0]))
        .collect();
    for diary in diaries {
        for (key, place) in &diary.acknowledged {
            assert_eq!(
                by_key.get(key.as_str()),
                Some(place),
                "{}: {key} was acknowledged",
                diary.name
            );
        }
        let heard: Vec<&Sent> = diary.heard.values().collect();
        assert_eq!(heard, kept.iter().collect::<Vec<_>>(), "{}", diary.name);
    }
}
