//! Text frames, v1 and v2.

use std::sync::Arc;

use colloquy_fuzz::{Rng, Target, arbitrary_text, for_all};
use colloquy_proto::domain::{
    ClientMessageId, Epoch, MAX_MENTIONS, MAX_MESSAGE_CHARS, MessageId, MessageText, Seq, UserId,
};
use colloquy_proto::protocol::{
    Command, MAX_COMMANDS_PER_FRAME, ParseError, ParsedFrame, SendCommand, parse,
};
use serde_json::json;

/// The maximum length of an error text, which never repeats the input.
const MAX_ERROR_BYTES: usize = 120;

#[test]
fn frames() {
    let target = Target {
        name: "frames",
        corpus: include_str!("corpus/frames.txt"),
        words: &[
            "type",
            "send",
            "resume",
            "auth",
            "ping",
            "message",
            "client_message_id",
            "reply_to",
            "mentions",
            "since",
            "epoch",
            "token",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
        ],
        cases: 20_000,
    };
    target.run(|input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        match parse(text) {
            Err(error) | Ok(ParsedFrame::V1(Err(error))) => check_error(&error),
            Ok(ParsedFrame::V1(Ok(send))) => {
                check_send(&send);
                assert_eq!(send.client_message_id, None, "v1 has no ids");
                let again = parse(&json!({"message": send.message}).to_string());
                assert_eq!(again, Ok(ParsedFrame::V1(Ok(send))));
            }
            Ok(ParsedFrame::V2(commands)) => {
                assert!(commands.len() <= MAX_COMMANDS_PER_FRAME);
                commands.into_iter().for_each(check_command);
            }
        }
    });
}

fn check_command(command: Result<Command, ParseError>) {
    let command = match command {
        Ok(command) => command,
        Err(error) => return check_error(&error),
    };
    if let Command::Send(send) = &command {
        check_send(send);
        assert!(send.client_message_id.is_some(), "a v2 send without an id");
    }
    check_round_trip(command);
}

/// INVARIANT: a parsed command parses to itself after it is serialized.
fn check_round_trip(command: Command) {
    let frame = json!(command).to_string();
    assert_eq!(
        parse(&frame),
        Ok(ParsedFrame::V2(vec![Ok(command)])),
        "{frame}"
    );
}

fn check_send(send: &SendCommand) {
    let text = send.message.as_str();
    assert!((1..=MAX_MESSAGE_CHARS).contains(&text.chars().count()));
    assert!(!text.contains('\0') && !text.trim().is_empty(), "{text:?}");
    assert!(send.mentions.len() <= MAX_MENTIONS);
}

fn check_error(error: &ParseError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= MAX_ERROR_BYTES, "{text}");
}

/// A random valid command.
pub(crate) fn random_command(random: &mut Rng) -> Command {
    match random.u8(0..6) {
        0 => Command::Ping,
        1 => Command::Resume {
            since: Seq(random.i64(..)),
            epoch: random.bool().then(|| Epoch(arbitrary_text(random).into())),
        },
        2 => Command::Auth {
            token: arbitrary_text(random).into(),
        },
        _ => Command::Send(random_send(random)),
    }
}

fn random_send(random: &mut Rng) -> SendCommand {
    let text = loop {
        let text: Arc<str> = arbitrary_text(random).into();
        if let Ok(text) = MessageText::new(text) {
            break text;
        }
    };
    let length = random.usize(1..=ClientMessageId::MAX_CHARS);
    let id: String = (0..length).map(|_| random.char('!'..='~')).collect();
    SendCommand {
        client_message_id: Some(ClientMessageId::new(id).expect("printable")),
        message: text,
        reply_to: random.bool().then(|| MessageId(random.i64(..))),
        mentions: (0..random.usize(0..=MAX_MENTIONS))
            .map(|_| UserId(random.i64(..)))
            .collect(),
    }
}

#[test]
fn commands_round_trip() {
    for_all("commands_round_trip", 3_000, |random| {
        let count = random.usize(1..=MAX_COMMANDS_PER_FRAME);
        let commands: Vec<Command> = (0..count).map(|_| random_command(random)).collect();
        for command in &commands {
            check_round_trip(command.clone());
        }
        let frame = json!(commands);
        let read = parse(&frame.to_string());
        assert_eq!(
            read,
            Ok(ParsedFrame::V2(commands.into_iter().map(Ok).collect()))
        );
    });
}
