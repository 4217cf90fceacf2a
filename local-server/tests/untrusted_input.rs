//! Frames that the server writes, read back by an independent WebSocket implementation.

use std::io::{self, Read, Write};

use colloquy_fuzz::{Rng, arbitrary_text, for_all};
use colloquy_local_server::send_queue::{PING, encode_close, encode_text};
use colloquy_proto::protocol::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Payload lengths at which the frame header changes its form (RFC 6455 §5.2).
const LENGTH_BOUNDARIES: [usize; 4] = [0, 125, 126, 65_535];

/// A stream of prepared bytes; writes are discarded.
struct Wire(io::Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A random text, often with a length near a boundary.
fn random_text(random: &mut Rng) -> String {
    if random.bool() {
        return arbitrary_text(random);
    }
    let length = LENGTH_BOUNDARIES[random.usize(0..LENGTH_BOUNDARIES.len())] + random.usize(0..3);
    let mut text = "é".repeat(length / 2);
    text.push_str(&"x".repeat(length - text.len()));
    text
}

#[test]
fn written_frames_are_read_back_unchanged() {
    for_all("written_frames_are_read_back_unchanged", 1_000, |random| {
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..random.usize(0..4) {
            let texts: Vec<String> = (0..random.usize(0..4))
                .map(|_| random_text(random))
                .collect();
            wire.extend_from_slice(&encode_text(texts.iter().map(String::as_str)));
            expected.extend(texts.into_iter().map(|text| Message::Text(text.into())));
            if random.bool() {
                wire.extend_from_slice(&PING);
                expected.push(Message::Ping(Bytes::new()));
            }
        }
        let code = CloseCode::ALL[random.usize(0..CloseCode::ALL.len())];
        wire.extend_from_slice(&encode_close(code));

        let config = WebSocketConfig::default();
        let wire = Wire(io::Cursor::new(wire));
        let mut client = WebSocket::from_raw_socket(wire, Role::Client, Some(config));
        for message in expected {
            assert_eq!(client.read().expect("a message"), message);
        }
        let Ok(Message::Close(Some(close))) = client.read() else {
            panic!("no close frame");
        };
        assert_eq!(
            (u16::from(close.code), &*close.reason),
            (code.code(), code.reason())
        );
    });
}
