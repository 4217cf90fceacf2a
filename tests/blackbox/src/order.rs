//! The rule every socket is held to: `seq` grows by exactly one, from `hello` on, until a `resume`
//! or `reset` sets a new position (docs/protocol.md, rules 1 and 3). A v1 socket hears messages
//! alone, so there `number` grows by exactly one and `seq` just grows.

use serde_json::Value;

use crate::shapes::is_event;

/// Where a socket stands, learnt from what it received.
#[derive(Debug, Default)]
pub struct Order {
    position: Option<u64>,
    /// The newest message a v1 socket has been told of, by its `number`.
    number: Option<u64>,
    /// Known from `hello` on.
    epoch: Option<String>,
    resume: Option<Resume>,
}

/// A resume that has been asked for and not been answered in full.
#[derive(Debug)]
struct Resume {
    since: u64,
    /// How many of its events have come; none until the first.
    events: Option<u64>,
}

impl Order {
    /// The newest event the socket has been told of.
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// The history it counts in, from `hello` or `reset`.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// A resume was sent.
    pub fn resuming(&mut self, since: u64) {
        self.resume = Some(Resume {
            since,
            events: None,
        });
    }

    /// Takes in one frame; the error says which rule it breaks.
    pub fn note(&mut self, frame: &Value) -> Result<(), String> {
        match frame["type"].as_str() {
            Some("hello") => {
                if self.epoch.is_some() {
                    return Err("a second hello".to_owned());
                }
                // A v1 socket that becomes v2 goes on where it stands; what it has not heard was
                // no message.
                let missed = self.number.is_some() && self.number != frame["number"].as_u64();
                if missed || self.position > frame["seq"].as_u64() {
                    return Err(format!("at {:?}, greeted with {frame}", self.position));
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
        // The first answer to a resume sets the position back. Live events may come before it,
        // also the very one that it will begin with.
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

    /// A v1 socket has no hello: its first message is its position.
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
        let resume = self.resume.take().ok_or("a sync nobody asked for")?;
        let number = |name: &str| frame[name].as_u64().ok_or(format!("a sync without {name}"));
        let (from, to, count) = (number("from")?, number("to")?, number("count")?);
        let events = resume.events.unwrap_or(0);
        if from != resume.since {
            return Err(format!("sync from {from}, asked for {}", resume.since));
        }
        if to != from + count || events != count {
            return Err(format!("sync of {events} events says {frame}"));
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

    /// Notes frames; `None` stands for `resume` since 3.
    fn note(frames: &[Option<Value>]) -> Result<Option<u64>, String> {
        let mut order = Order::default();
        for frame in frames {
            match frame {
                Some(frame) => order.note(frame)?,
                None => order.resuming(3),
            }
        }
        Ok(order.position())
    }

    #[test]
    fn dense_orders_pass() {
        let live = [Some(hello(4)), Some(event(5)), Some(event(6))];
        assert_eq!(note(&live), Ok(Some(6)));
        let first = [Some(event(9)), Some(event(10))];
        assert_eq!(note(&first), Ok(Some(10)));
        let skipped = [Some(message(9, 7)), Some(message(12, 8))];
        assert_eq!(note(&skipped), Ok(Some(12)));
        let resumed = [
            Some(hello(4)),
            None,
            Some(event(5)),
            Some(event(4)),
            Some(event(5)),
            Some(sync(3, 2)),
            Some(event(6)),
        ];
        assert_eq!(note(&resumed), Ok(Some(6)));
        let raced = [
            Some(hello(3)),
            None,
            Some(event(4)),
            Some(event(5)),
            Some(event(4)),
            Some(event(5)),
            Some(sync(3, 2)),
        ];
        assert_eq!(note(&raced), Ok(Some(5)));
        let greeted_late = [Some(event(9)), Some(hello(9)), Some(event(10))];
        assert_eq!(note(&greeted_late), Ok(Some(10)));
        let at_head = [Some(hello(3)), None, Some(sync(3, 0)), Some(event(4))];
        assert_eq!(note(&at_head), Ok(Some(4)));
    }

    #[test]
    fn gaps_and_repeats_fail() {
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
            assert!(note(&frames).is_err(), "{frames:?}");
        }
    }
}
