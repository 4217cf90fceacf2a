//! Mutations of an input, applied in small steps.

use fastrand::Rng;

/// Numbers at the limits of number types, as text.
pub const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "2147483648",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1e400",
    "0.5",
    "1.0",
    "00",
    "+1",
    "NaN",
];

/// Texts that parsers often handle wrongly.
pub const TEXTS: &[&str] = &[
    "",
    " ",
    "\u{0}",
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud800",
    "\u{feff}",
    "\u{202e}",
    "\u{2028}",
    "\u{fffd}",
    "👩‍👩‍👧",
    "e\u{301}\u{301}\u{301}",
    "İ",
    "%00",
    "%ff",
    "%",
    "..",
    "\r\n",
    "'",
    "\"",
    "\\",
    "null",
    "true",
    "[]",
    "{}",
    "null,null",
];

/// Bytes that are not valid UTF-8.
const BYTES: &[&[u8]] = &[
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x00",
];

/// Above every limit of the tested code, but short enough to be fast.
const MAX_BYTES: usize = 80 * 1_024;

/// A short text, sometimes with special characters.
pub fn arbitrary_text(random: &mut Rng) -> String {
    let pieces = random.usize(0..5);
    let mut text = String::new();
    for _ in 0..pieces {
        match random.u8(0..4) {
            0 => text.push_str(pick(random, TEXTS)),
            1 => text.push(random.char(..)),
            2 => text.push(random.alphanumeric()),
            _ => text.push_str("word "),
        }
    }
    text
}

fn pick<'a, T: ?Sized>(random: &mut Rng, from: &[&'a T]) -> &'a T {
    from[random.usize(0..from.len())]
}

/// A mutation of one of the inputs.
pub(crate) fn mutated(random: &mut Rng, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let Some(mut input) = random.choice(corpus).cloned() else {
        return (0..random.usize(0..64)).map(|_| random.u8(..)).collect();
    };
    // Mostly one or two steps: inputs far from valid ones are rejected early.
    let steps = 1 + random.u8(0..8).saturating_sub(3).pow(2) / 2;
    for _ in 0..steps {
        step(random, &mut input, corpus, words);
    }
    input.truncate(MAX_BYTES);
    input
}

fn step(random: &mut Rng, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let range = random_range(random, input.len());
    match random.u8(0..14) {
        0 => {
            if let Some(byte) = input.get_mut(range.start) {
                *byte ^= 1 << random.u8(0..8);
            }
        }
        1 => drop(input.splice(range.start..range.start, [random.u8(..)])),
        2 => drop(input.drain(range)),
        3 => {
            let copy = input[range.clone()].to_vec();
            input.splice(range.start..range.start, copy);
        }
        4 => replace(input, range, pick(random, BYTES)),
        5 if !words.is_empty() => replace(input, range, pick(random, words).as_bytes()),
        6 | 5 => replace(input, range, pick(random, TEXTS).as_bytes()),
        7 | 8 => replace_token(random, input, words),
        9 => {
            let other = random.choice(corpus).map_or(&[][..], Vec::as_slice);
            let part = other[random_range(random, other.len())].to_vec();
            replace(input, range, &part);
        }
        10 => input.truncate(range.start),
        11 => swap_tokens(random, input),
        12 => {
            let times = 1 << random.u32(1..7);
            let copy = input[range.clone()].repeat(times);
            input.splice(range, copy.into_iter().take(MAX_BYTES));
        }
        _ => grow(random, input, range),
    }
}

/// Inserts something very long or deeply nested.
fn grow(random: &mut Rng, input: &mut Vec<u8>, range: std::ops::Range<usize>) {
    let (one, other): (&[u8], &[u8]) = match random.u8(0..6) {
        0 => (b"[", b"]"),
        1 => (b"{\"a\":", b"}"),
        2 => (b" ", b""),
        3 => ("é".as_bytes(), b""),
        4 => (b"9", b""),
        _ => (b"x", b""),
    };
    let times = 1 << random.u32(4..15);
    let before = one.repeat(times);
    let after = other.repeat(times);
    input.splice(range.end..range.end, after);
    input.splice(range.start..range.start, before);
}

fn replace(input: &mut Vec<u8>, range: std::ops::Range<usize>, by: &[u8]) {
    input.splice(range, by.iter().copied());
}

/// A random range, more often short than long.
fn random_range(random: &mut Rng, length: usize) -> std::ops::Range<usize> {
    let start = random.usize(0..=length);
    let longest = if random.u8(0..4) == 0 { length } else { 4 };
    let end = length.min(start + random.usize(0..=longest));
    start..end
}

/// The words, numbers and strings of an input in any format.
fn tokens(input: &[u8]) -> Vec<std::ops::Range<usize>> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+%".contains(byte);
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < input.len() {
        let rest = &input[at..];
        let length = match rest[0] {
            b'"' => rest[1..]
                .iter()
                .position(|byte| *byte == b'"')
                .map_or(rest.len(), |end| end + 2),
            byte if is_word(&byte) => rest.iter().take_while(|byte| is_word(byte)).count(),
            _ => {
                at += 1;
                continue;
            }
        };
        tokens.push(at..at + length);
        at += length;
    }
    tokens
}

/// Replaces a token by another one, possibly of another type.
fn replace_token(random: &mut Rng, input: &mut Vec<u8>, words: &[&str]) {
    let Some(range) = random.choice(tokens(input)) else {
        return;
    };
    let by = match random.u8(0..4) {
        0 | 1 => pick(random, NUMBERS).to_owned(),
        2 if !words.is_empty() => pick(random, words).to_owned(),
        _ => format!("\"{}\"", pick(random, TEXTS)),
    };
    replace(input, range, by.as_bytes());
}

fn swap_tokens(random: &mut Rng, input: &mut Vec<u8>) {
    let tokens = tokens(input);
    let (Some(one), Some(other)) = (random.choice(&tokens), random.choice(&tokens)) else {
        return;
    };
    let (first, second) = if one.start <= other.start {
        (one, other)
    } else {
        (other, one)
    };
    let texts = (
        input[first.clone()].to_vec(),
        input[second.clone()].to_vec(),
    );
    replace(input, second.clone(), &texts.0);
    if first != second {
        replace(input, first.clone(), &texts.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_depend_on_the_seed_alone() {
        let corpus = [br#"{"type":"ping","since":7}"#.to_vec()];
        let of_seed = |seed| mutated(&mut Rng::with_seed(seed), &corpus, &["send"]);
        let inputs: std::collections::HashSet<Vec<u8>> = (0..500).map(of_seed).collect();
        assert!(inputs.len() > 300, "only {} different inputs", inputs.len());
        assert!(inputs.iter().any(|input| input.len() > 1_000));
        assert_eq!(of_seed(42), of_seed(42));
    }

    #[test]
    fn tokens_are_found() {
        let found: Vec<String> = tokens(br#"{"a":-1, x"#)
            .into_iter()
            .map(|range| String::from_utf8_lossy(&br#"{"a":-1, x"#[range]).into_owned())
            .collect();
        assert_eq!(found, ["\"a\"", "-1", "x"]);
        assert!(tokens(b"\"").len() == 1 && tokens(b"").is_empty());
    }
}
