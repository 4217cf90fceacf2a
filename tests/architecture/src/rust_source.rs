//! A Rust file with its code separated from comments and string literals.

/// A Rust file: its text, its code and its string literals.
pub(crate) struct Source {
    pub(crate) text: String,
    /// The code with the same lines as the file; comments and the contents of literals are blank.
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
}

/// A string literal and its first line.
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn of(text: String) -> Self {
        let mut lexer = Lexer {
            rest: &text,
            code: String::new(),
            literals: Vec::new(),
            line: 1,
        };
        while lexer.next() {}
        let (code, literals) = (lexer.code, lexer.literals);
        Self {
            text,
            code,
            literals,
        }
    }

    /// The code's lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The code's lines before the test module at the end of the file, with their numbers.
    pub(crate) fn lines_of_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().take(self.lines_before_tests())
    }

    /// The code before the test module at the end of the file.
    pub(crate) fn code_before_tests(&self) -> &str {
        let lines = self
            .code
            .split_inclusive('\n')
            .take(self.lines_before_tests());
        &self.code[..lines.map(str::len).sum()]
    }

    /// The number of lines before the test module at the end of the file.
    pub(crate) fn lines_before_tests(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().map(str::trim).collect();
        lines
            .windows(2)
            .position(|pair| {
                pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
            })
            .unwrap_or(lines.len())
    }
}

/// A minimal lexer, sufficient for files that compile.
struct Lexer<'t> {
    rest: &'t str,
    code: String,
    literals: Vec<Literal>,
    line: usize,
}

impl Lexer<'_> {
    /// Consumes one token; `false` at the end.
    fn next(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        let in_word = self
            .code
            .ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some(hashes) = raw_string(self.rest).filter(|_| !in_word) {
            let open = self.rest.find('"').map_or(0, |quote| quote + 1);
            let end = format!("\"{}", "#".repeat(hashes));
            let length = self.rest[open..]
                .find(&end)
                .unwrap_or(self.rest.len() - open);
            self.literal(open, length, end.len());
        } else if first == '"' {
            self.literal(1, string(&self.rest[1..]), 1);
        } else if let Some(length) = character(self.rest) {
            self.blank(length);
        } else {
            self.keep(first.len_utf8());
        }
        true
    }

    fn keep(&mut self, length: usize) {
        let (token, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += token.matches('\n').count();
        self.code.push_str(token);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (token, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += token.matches('\n').count();
        self.code.extend(
            token
                .chars()
                .map(|char| if char == '\n' { '\n' } else { ' ' }),
        );
        self.rest = rest;
    }

    fn literal(&mut self, open: usize, length: usize, close: usize) {
        self.keep(open);
        let text = self.rest[..length].to_owned();
        self.literals.push(Literal {
            line: self.line,
            text,
        });
        self.blank(length);
        self.keep(close);
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The number of hashes if a raw string begins here.
fn raw_string(text: &str) -> Option<usize> {
    let after = ["r", "br", "cr"].iter().find_map(|prefix| {
        text.strip_prefix(prefix)
            .filter(|rest| rest.starts_with(['#', '"']))
    })?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a string's content, up to its closing quote.
fn string(text: &str) -> usize {
    let mut escaped = false;
    text.find(|char| {
        let ends = char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        ends
    })
    .unwrap_or(text.len())
}

/// The length of a character literal, if one begins here and not a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        // The character after the backslash is part of the escape, also if it is a quote.
        let first = escape.chars().next()?.len_utf8();
        return Some(2 + first + escape[first..].find('\'')? + 1);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first + 2)
}

/// Whether a character may be part of an identifier.
pub(crate) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}
