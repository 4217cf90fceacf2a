//! The format of a corpus: one input per line, escaped as in a Rust byte string, so that any bytes can
//! be read, compared and pasted. Blank lines and lines that start with `#` are comments.

/// The input as a line of a corpus.
pub fn escape(input: &[u8]) -> String {
    let line = input.escape_ascii().to_string();
    // Quotes need no escape within a line.
    let line = line.replace("\\\"", "\"").replace("\\'", "'");
    match line.strip_prefix('#') {
        Some(rest) => format!("\\x23{rest}"),
        None => line,
    }
}

/// The inputs of a corpus. Panics on an incomplete escape.
pub(crate) fn inputs(text: &str) -> Vec<Vec<u8>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| unescape(line).unwrap_or_else(|| panic!("invalid line of a corpus: {line}")))
        .collect()
}

/// Decodes a line.
pub(crate) fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut input = Vec::with_capacity(line.len());
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            input.push(byte);
            continue;
        }
        input.push(match bytes.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            escaped @ (b'\\' | b'"' | b'\'') => escaped,
            _ => return None,
        });
    }
    Some(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_line_decodes_to_its_input() {
        let all: Vec<u8> = (0..=255).collect();
        for input in [&all[..], b"", b"# no comment", br#"{"a":"\n"}"#, b"a\\"] {
            let line = escape(input);
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(unescape(&line).as_deref(), Some(input), "{line}");
        }
        assert_eq!(inputs("# why\n\na\\tb\né\n"), [b"a\tb", "é".as_bytes()]);
        assert_eq!(unescape("\\x4"), None);
    }
}
