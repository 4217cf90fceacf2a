//! Pagination cursors.

use colloquy_core::service::cursor;
use colloquy_fuzz::{Target, for_all};
use colloquy_proto::domain::{ConversationId, ListPosition, MessageNumber, UserId};

#[test]
fn cursors() {
    let target = Target {
        name: "cursors",
        corpus: include_str!("corpus/cursors.txt"),
        words: &["LQ", "Lg", "=", "_", "-"],
        cases: 20_000,
    };
    target.run(|input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        if let Some(number) = cursor::number(text) {
            assert!(number.0 >= 0, "{number}");
            assert_eq!(cursor::number(&cursor::of_number(number)), Some(number));
        }
        if let Some(id) = cursor::member(text) {
            assert!(id.0 > 0, "{id}");
            assert_eq!(cursor::member(&cursor::of_member(id)), Some(id));
            assert_eq!(cursor::number(text), None, "a cursor of both kinds");
        }
        if let Some((at, id)) = cursor::list_position(text) {
            assert_eq!(
                cursor::list_position(&cursor::of_list_position(at, id)),
                Some((at, id))
            );
            assert_eq!(cursor::number(text), None, "a cursor of both kinds");
        }
    });
}

#[test]
fn cursors_round_trip() {
    for_all("cursors_round_trip", 20_000, |random| {
        let number = MessageNumber(random.i64(0..) >> random.u32(0..63));
        assert_eq!(cursor::number(&cursor::of_number(number)), Some(number));
        assert_eq!(cursor::number(&number.to_string()), Some(number));
        let member = UserId(1 + (random.i64(0..i64::MAX) >> random.u32(0..63)));
        assert_eq!(cursor::member(&cursor::of_member(member)), Some(member));
        let position = (ListPosition(random.i64(..)), ConversationId(random.i64(..)));
        assert_eq!(
            cursor::list_position(&cursor::of_list_position(position.0, position.1)),
            Some(position)
        );
    });
}
