//! The WebSocket frames a client writes and reads (RFC 6455 §5), with as little work as the
//! measuring takes.
//!
//! A message carries a mark, fixed in width: who sent it, which of the sender's it is, and when it
//! was to be sent. Frames are not parsed beyond their header: their bytes are searched for marks,
//! so one frame may hold one message or a batch of them, and whose protocol it is does not matter.

use anyhow::{Result, bail};

/// Opens a mark. It stands nowhere else in what a server sends here.
const OPEN: u8 = b'~';

/// Digits of the sender, of the message's ordinal, of the microseconds.
const WIDTHS: [usize; 3] = [5, 8, 11];

/// The mark's length in bytes, with its opening.
const MARK: usize = 1 + WIDTHS[0] + WIDTHS[1] + WIDTHS[2];

/// What follows the mark, so that a message is about as long as a line of chat.
const FILLER: &str = " the quick brown fox jumps over the lazy dog";

/// What a message says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The sender's index in its room.
    pub(crate) sender: u32,
    /// Counted by the sender, from 0.
    pub(crate) ordinal: u32,
    /// When it was to be sent, in microseconds since the run began.
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

/// Appends one text frame to `out`. Clients must mask (§5.3); the mask is zero here, which spares
/// the generator a pass over its bytes and the server nothing.
pub(crate) fn text_frame(payload: &str, out: &mut Vec<u8>) {
    frame(0x81, payload.as_bytes(), out);
}

/// Appends the answer to a ping.
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

/// What reading found besides marks.
#[derive(Default)]
pub(crate) struct Found {
    /// Bytes of whole frames; what is behind them is the beginning of the next.
    pub(crate) consumed: usize,
    /// Frames without a mark, such as greetings and acknowledgements.
    pub(crate) others: usize,
}

/// Reads the whole frames at the beginning of `bytes`: calls `on_mark` for every message, appends
/// answers to pings to `answers`.
///
/// # Errors
/// A close frame, a fragment, or a frame that tells an error: none belongs into a measurement.
pub(crate) fn read_frames(
    bytes: &[u8],
    answers: &mut Vec<u8>,
    mut on_mark: impl FnMut(Mark),
) -> Result<Found> {
    let mut found = Found::default();
    while let Some((first, start, end)) = header(&bytes[found.consumed..]) {
        let rest = &bytes[found.consumed..];
        let Some(payload) = rest.get(start..end) else {
            break;
        };
        match first {
            0x81 => {
                let mut marked = false;
                let mut left = payload;
                while let Some(at) = memchr::memchr(OPEN, left) {
                    if let Some(mark) = Mark::read(&left[at + 1..]) {
                        on_mark(mark);
                        marked = true;
                    }
                    left = left.get(at + MARK..).unwrap_or_default();
                }
                if !marked {
                    found.others += 1;
                    refuse_errors(payload)?;
                }
            }
            0x89 => pong(payload, answers),
            0x8A => {}
            0x88 => bail!("the server closed a socket: {}", closing(payload)),
            other => bail!("a frame that begins with {other:#x}"),
        }
        found.consumed += end;
    }
    Ok(found)
}

/// Whether the first frame is here whole, and is the greeting of a v2 socket.
///
/// # Errors
/// It is any other frame.
pub(crate) fn is_greeted(bytes: &[u8]) -> Result<bool> {
    let Some((first, start, end)) = header(bytes) else {
        return Ok(false);
    };
    let Some(payload) = bytes.get(start..end) else {
        return Ok(false);
    };
    match first {
        0x81 if memchr::memmem::find(payload, b"\"type\":\"hello\"").is_some() => Ok(true),
        0x81 => bail!("greeted by {}", String::from_utf8_lossy(payload)),
        0x88 => bail!("the server closed a socket: {}", closing(payload)),
        other => bail!("a frame that begins with {other:#x}"),
    }
}

/// The first byte of a server's frame, and where its payload begins and ends.
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
        bail!("the server answered {}", String::from_utf8_lossy(payload));
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
    fn marks_are_found_one_by_one_in_batches_and_never_in_half_a_frame() {
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
        let mut seen = Vec::new();
        let found = read_frames(&bytes, &mut Vec::new(), |mark| seen.push(mark)).unwrap();
        assert_eq!(seen, marks);
        assert_eq!((found.consumed, found.others), (whole, 0));
    }

    #[test]
    fn what_ends_a_measurement_is_told() {
        let error = server_frame(r#"{"error":"too fast"}"#);
        let close = [0x88, 4, 0x0F, 0xA1, b'b', b'y'];
        for (bytes, word) in [(&error[..], "too fast"), (&close[..], "4001 by")] {
            let told = read_frames(bytes, &mut Vec::new(), |_| {}).err().unwrap();
            assert!(told.to_string().contains(word), "{told}");
        }
    }

    #[test]
    fn only_a_whole_greeting_greets() {
        let greeting = server_frame(r#"{"type":"hello","v":2}"#);
        assert!(is_greeted(&greeting).unwrap());
        for end in 0..greeting.len() {
            assert!(!is_greeted(&greeting[..end]).unwrap(), "{end} bytes");
        }
        let close = [0x88, 2, 0x11, 0x31];
        let message = server_frame(r#"{"type":"message"}"#);
        for (bytes, word) in [(&close[..], "4401"), (&message[..], "message")] {
            let told = is_greeted(bytes).err().unwrap();
            assert!(told.to_string().contains(word), "{told}");
        }
    }

    #[test]
    fn a_ping_is_answered_with_its_own_bytes() {
        let mut answers = Vec::new();
        read_frames(&[0x89, 2, b'h', b'i'], &mut answers, |_| {}).unwrap();
        assert_eq!(answers, [0x8A, 0x82, 0, 0, 0, 0, b'h', b'i']);
    }
}
