//! The order rule that every socket is checked against: from `hello` on, `seq` grows by exactly one,
//! until a `resume` or `reset` sets a new position (docs/protocol.md, rules 1 and 3). A v1 socket
//! receives messages only, so there `number` grows by exactly one and `seq` just grows.

use serde_json::Value;

use crate::events::is_event;

/// The position of a socket, from the frames it has received.
#[derive(Debug, Default)]
pub struct OrderCheck {
    position: Option<u64>,
    /// The `number` of the newest message on a v1 socket.
    number: Option<u64>,
    /// Set by `hello`.
    epoch: Option<String>,
    resume: Option<Resume>,
}

/// A resume in flight.
#[derive(Debug)]
struct Resume {
    since: u64,
    /// How many of its events have arrived; `None` before the first.
    events: Option<u64>,
}

impl OrderCheck {
    /// The `seq` of the newest event received.
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// The epoch of `hello` or `reset`.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// A `resume` was sent.
    pub fn resume_sent(&mut self, since: u64) {
        self.resume = Some(Resume {
            since,
            events: None,
        });
    }

    /// Checks one frame. The error describes the rule it breaks.
    pub fn check(&mut self, frame: &Value) -> Result<(), String> {
        match frame["type"].as_str() {
            Some("hello") => {
                if self.epoch.is_some() {
                    return Err("a second hello".to_owned());
                }
                // A v1 socket that becomes v2 keeps its position; the events it has not received
                // are not messages.
                let missed = self.number.is_some() && self.number != frame["number"].as_u64();
                if missed || self.position > frame["seq"].as_u64() {
                    return Err(format!("at {:?}, received {frame}", self.position));
                }
                self.set(frame);
            }
            Some("sync") => self.sync(frame)?,
            Some("reset") => {
                self.resume = None;
                self.set(frame);
            }
            _ if is_event(frame) => self.event(frame)?,
            _ => {}
        }
        Ok(())
    }

    fn set(&mut self, frame: &Value) {
        self.position = frame["seq"].as_u64();
        self.epoch = frame["epoch"].as_str().map(str::to_owned);
    }

    fn event(&mut self, frame: &Value) -> Result<(), String> {
        let seq = frame["seq"].as_u64().ok_or("an event without seq")?;
        if self.epoch.is_none() {
            return self.v1_message(seq, frame);
        }
        // The first event of a resume sets the position back. Live events may arrive before it,
        // even the same event.
        if let Some(resume) = &mut self.resume {
            if seq == resume.since + 1 {
                resume.events = Some(1);
                self.position = Some(seq);
                return Ok(());
            }
            if let Some(events) = &mut resume.events {
                *events += 1;
            }
        }
        match self.position {
            Some(position) if seq == position + 1 => self.position = Some(seq),
            position => return Err(format!("seq {seq} after {position:?}")),
        }
        Ok(())
    }

    /// A v1 socket has no `hello`: its first message sets its position.
    fn v1_message(&mut self, seq: u64, frame: &Value) -> Result<(), String> {
        let number = frame["number"].as_u64().ok_or("a message without number")?;
        if self.number.is_some_and(|last| number != last + 1) {
            return Err(format!("number {number} after {:?}", self.number));
        }
        if self.position.is_some_and(|last| seq <= last) {
            return Err(format!("seq {seq} after {:?}", self.position));
        }
        (self.number, self.position) = (Some(number), Some(seq));
        Ok(())
    }

    fn sync(&mut self, frame: &Value) -> Result<(), String> {
        let resume = self.resume.take().ok_or("a sync without a resume")?;
        let number = |name: &str| frame[name].as_u64().ok_or(format!("a sync without {name}"));
        let (from, to, count) = (number("from")?, number("to")?, number("count")?);
        let events = resume.events.unwrap_or(0);
        if from != resume.since {
            return Err(format!("sync from {from}, requested {}", resume.since));
        }
        if to != from + count || events != count {
            return Err(format!("sync after {events} events: {frame}"));
        }
        self.position = Some(to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hello(seq: u64) -> Value {
        json!({"type": "hello", "seq": seq, "number": seq, "epoch": "e"})
    }

    fn event(seq: u64) -> Value {
        message(seq, seq)
    }

    fn message(seq: u64, number: u64) -> Value {
        json!({"type": "message", "seq": seq, "number": number})
    }

    fn sync(from: u64, count: u64) -> Value {
        json!({"type": "sync", "from": from, "to": from + count, "count": count})
    }

    /// Checks frames; `None` means that the client sends `resume` since 3.
    fn check_all(frames: &[Option<Value>]) -> Result<Option<u64>, String> {
        let mut order = OrderCheck::default();
        for frame in frames {
            match frame {
                Some(frame) => order.check(frame)?,
                None => order.resume_sent(3),
            }
        }
        Ok(order.position())
    }

    #[test]
    fn dense_orders_are_accepted() {
        let live = [Some(hello(4)), Some(event(5)), Some(event(6))];
        assert_eq!(check_all(&live), Ok(Some(6)));
        let first = [Some(event(9)), Some(event(10))];
        assert_eq!(check_all(&first), Ok(Some(10)));
        let skipped = [Some(message(9, 7)), Some(message(12, 8))];
        assert_eq!(check_all(&skipped), Ok(Some(12)));
        let resumed = [
            Some(hello(4)),
            None,
            Some(event(5)),
            Some(event(4)),
            Some(event(5)),
            Some(sync(3, 2)),
            Some(event(6)),
        ];
        assert_eq!(check_all(&resumed), Ok(Some(6)));
        let raced = [
            Some(hello(3)),
            None,
            Some(event(4)),
            Some(event(5)),
            Some(event(4)),
            Some(event(5)),
            Some(sync(3, 2)),
        ];
        assert_eq!(check_all(&raced), Ok(Some(5)));
        let late_hello = [Some(event(9)), Some(hello(9)), Some(event(10))];
        assert_eq!(check_all(&late_hello), Ok(Some(10)));
        let at_head = [Some(hello(3)), None, Some(sync(3, 0)), Some(event(4))];
        assert_eq!(check_all(&at_head), Ok(Some(4)));
    }

    #[test]
    fn gaps_and_duplicates_are_rejected() {
        for frames in [
            vec![Some(hello(4)), Some(event(6))],
            vec![Some(hello(4)), Some(event(4))],
            vec![Some(hello(4)), Some(event(5)), Some(event(5))],
            vec![Some(hello(4)), Some(hello(4))],
            vec![Some(event(9)), Some(hello(8))],
            vec![Some(event(9)), Some(hello(10))],
            vec![Some(message(9, 7)), Some(message(10, 9))],
            vec![Some(message(9, 7)), Some(message(9, 8))],
            vec![Some(hello(4)), Some(sync(3, 0))],
            vec![Some(hello(5)), None, Some(event(4)), Some(sync(3, 2))],
            vec![Some(hello(5)), None, Some(sync(3, 2))],
            vec![Some(hello(5)), None, Some(event(4)), Some(sync(2, 1))],
        ] {
            assert!(check_all(&frames).is_err(), "{frames:?}");
        }
    }
}
