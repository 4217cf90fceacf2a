//! WebSocket frames as a client writes and reads them (RFC 6455 §5), with minimal work.
//!
//! A message carries a mark of fixed width: its sender, its ordinal, and its scheduled time. Frames
//! are parsed no further than their header and then searched for marks, so a frame may have one
//! message or a batch, in any protocol.

use anyhow::{Result, bail};

/// Starts a mark. It occurs nowhere else in a server's frames.
const OPEN: u8 = b'~';

/// Digits of the sender, the ordinal and the microseconds.
const WIDTHS: [usize; 3] = [5, 8, 11];

/// The length of the mark in bytes, including its start.
const MARK: usize = 1 + WIDTHS[0] + WIDTHS[1] + WIDTHS[2];

/// Follows the mark, so that a message has the length of a typical line of chat.
const FILLER: &str = " the quick brown fox jumps over the lazy dog";

/// The mark of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The sender's index in its room.
    pub(crate) sender: u32,
    /// Counts the sender's messages from 0.
    pub(crate) ordinal: u32,
    /// Its scheduled time, in microseconds since the start of the run.
    pub(crate) intended_us: u64,
}

impl Mark {
    /// The text of the message.
    pub(crate) fn text(self) -> String {
        let Self {
            sender,
            ordinal,
            intended_us,
        } = self;
        format!("~{sender:05}{ordinal:08}{intended_us:011}{FILLER}")
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = 0;
        let mut fields = [0_u64; 3];
        for (field, width) in fields.iter_mut().zip(WIDTHS) {
            *field = digits(bytes.get(at..at + width)?)?;
            at += width;
        }
        Some(Self {
            sender: u32::try_from(fields[0]).ok()?,
            ordinal: u32::try_from(fields[1]).ok()?,
            intended_us: fields[2],
        })
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

/// Appends one text frame to `out`. Clients must mask (§5.3); a mask of zero saves the generator a
/// pass over the bytes and the server nothing.
pub(crate) fn text_frame(payload: &str, out: &mut Vec<u8>) {
    frame(0x81, payload.as_bytes(), out);
}

/// Appends the reply to a ping.
fn pong(payload: &[u8], out: &mut Vec<u8>) {
    frame(0x8A, payload, out);
}

fn frame(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        out.push(0x80 | length);
    } else {
        out.push(0x80 | 0x7E);
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The result of reading frames, besides the marks.
#[derive(Default)]
pub(crate) struct FrameScan {
    /// Bytes of complete frames; an incomplete frame may follow.
    pub(crate) consumed: usize,
    /// Frames without a mark, such as `hello` and acknowledgements.
    pub(crate) others: usize,
}

/// Reads the complete frames at the start of `bytes`: calls `on_mark` for every message and appends
/// replies to pings to `replies`.
///
/// # Errors
/// A close frame, a fragment, or an error frame.
pub(crate) fn read_frames(
    bytes: &[u8],
    replies: &mut Vec<u8>,
    mut on_mark: impl FnMut(Mark),
) -> Result<FrameScan> {
    let mut found = FrameScan::default();
    while let Some((first, start, end)) = header(&bytes[found.consumed..]) {
        let rest = &bytes[found.consumed..];
        let Some(payload) = rest.get(start..end) else {
            break;
        };
        match first {
            0x81 => {
                let mut marked = false;
                let mut rest_of_payload = payload;
                while let Some(at) = memchr::memchr(OPEN, rest_of_payload) {
                    if let Some(mark) = Mark::read(&rest_of_payload[at + 1..]) {
                        on_mark(mark);
                        marked = true;
                    }
                    rest_of_payload = rest_of_payload.get(at + MARK..).unwrap_or_default();
                }
                if !marked {
                    found.others += 1;
                    refuse_errors(payload)?;
                }
            }
            0x89 => pong(payload, replies),
            0x8A => {}
            0x88 => bail!("the server closed a socket: {}", closing(payload)),
            other => bail!("unexpected frame type {other:#x}"),
        }
        found.consumed += end;
    }
    Ok(found)
}

/// Whether the first frame is complete and is `hello`.
///
/// # Errors
/// It is any other frame.
pub(crate) fn has_hello(bytes: &[u8]) -> Result<bool> {
    let Some((first, start, end)) = header(bytes) else {
        return Ok(false);
    };
    let Some(payload) = bytes.get(start..end) else {
        return Ok(false);
    };
    match first {
        0x81 if memchr::memmem::find(payload, b"\"type\":\"hello\"").is_some() => Ok(true),
        0x81 => bail!("expected hello, got {}", String::from_utf8_lossy(payload)),
        0x88 => bail!("the server closed a socket: {}", closing(payload)),
        other => bail!("unexpected frame type {other:#x}"),
    }
}

/// The first byte of a server's frame, and the start and end of its payload.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = match second & 0x7F {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(length).ok()?)
        }
        short => (2, usize::from(short)),
    };
    Some((first, start, start + length))
}

fn refuse_errors(payload: &[u8]) -> Result<()> {
    let is_error =
        payload.starts_with(b"{\"error\"") || payload.starts_with(b"{\"type\":\"error\"");
    if is_error {
        bail!("the server sent {}", String::from_utf8_lossy(payload));
    }
    Ok(())
}

fn closing(payload: &[u8]) -> String {
    match payload.split_at_checked(2) {
        Some((code, reason)) => {
            let code = code
                .iter()
                .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
            format!("{code} {}", String::from_utf8_lossy(reason))
        }
        None => "without a code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(payload: &str) -> Vec<u8> {
        let mut frame = vec![0x81];
        match payload.len() {
            length @ 0..126 => frame.push(u8::try_from(length).unwrap()),
            length => {
                frame.push(126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend(payload.as_bytes());
        frame
    }

    #[test]
    fn marks_are_found_in_single_and_batched_messages_of_complete_frames() {
        let marks = [1, 2, 3].map(|ordinal| Mark {
            sender: 7,
            ordinal,
            intended_us: 123_456,
        });
        let texts = marks.map(|mark| format!(r#"{{"message":"{}"}}"#, mark.text()));
        let mut bytes = server_frame(&texts[0]);
        bytes.extend(server_frame(&format!("[{},{}]", texts[1], texts[2])));
        let whole = bytes.len();
        bytes.extend(&server_frame(&texts[0])[..30]);
        let mut received = Vec::new();
        let found = read_frames(&bytes, &mut Vec::new(), |mark| received.push(mark)).unwrap();
        assert_eq!(received, marks);
        assert_eq!((found.consumed, found.others), (whole, 0));
    }

    #[test]
    fn error_and_close_frames_end_a_measurement() {
        let error = server_frame(r#"{"error":"too fast"}"#);
        let close = [0x88, 4, 0x0F, 0xA1, b'b', b'y'];
        for (bytes, word) in [(&error[..], "too fast"), (&close[..], "4001 by")] {
            let error = read_frames(bytes, &mut Vec::new(), |_| {}).err().unwrap();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn hello_is_recognized_when_complete() {
        let hello = server_frame(r#"{"type":"hello","v":2}"#);
        assert!(has_hello(&hello).unwrap());
        for end in 0..hello.len() {
            assert!(!has_hello(&hello[..end]).unwrap(), "{end} bytes");
        }
        let close = [0x88, 2, 0x11, 0x31];
        let message = server_frame(r#"{"type":"message"}"#);
        for (bytes, word) in [(&close[..], "4401"), (&message[..], "message")] {
            let error = has_hello(bytes).err().unwrap();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn ping_is_answered_with_its_payload() {
        let mut replies = Vec::new();
        read_frames(&[0x89, 2, b'h', b'i'], &mut replies, |_| {}).unwrap();
        assert_eq!(replies, [0x8A, 0x82, 0, 0, 0, 0, b'h', b'i']);
    }
}
