//! Standard output or standard error, with coloured levels on a terminal.

use std::io::{self, IsTerminal as _, Write};

use tracing::Level;

use super::line_buffer::LineBuffer;

/// The bytes that wait before they are written although more lines follow.
const BUFFER_BYTES: usize = 8 * 1024;

/// A stream of the process.
pub(super) struct Console {
    stream: Box<dyn Write + Send>,
    colours: bool,
    lines: LineBuffer,
    /// Whether the last write failed.
    failed: bool,
}

impl Console {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        Self::new(Box::new(io::stdout()), io::stdout().is_terminal())
    }

    /// Standard error, for commands whose standard output is their result.
    pub(super) fn stderr() -> Self {
        Self::new(Box::new(io::stderr()), io::stderr().is_terminal())
    }

    fn new(stream: Box<dyn Write + Send>, terminal: bool) -> Self {
        Self {
            stream,
            colours: terminal && std::env::var_os("NO_COLOR").is_none(),
            lines: LineBuffer::default(),
            failed: false,
        }
    }

    /// Appends a line, which is written by the next flush at the latest.
    pub(super) fn write(&mut self, level: Level, line: &str) {
        match line.split_once(' ').filter(|_| self.colours) {
            None => self.lines.push(line),
            Some((name, rest)) => {
                let colour = colour(level);
                self.lines
                    .push(&format!("\u{1b}[{colour}m{name}\u{1b}[0m {rest}"));
            }
        }
        if self.lines.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Writes the waiting lines. The reader of the stream may be gone; the files are still written.
    pub(super) fn flush(&mut self) {
        let written = self.lines.write_to(&mut self.stream);
        self.failed = written.and_then(|()| self.stream.flush()).is_err();
    }

    /// The lines that were lost and not reported, once the stream can be written again.
    pub(super) fn take_lost(&mut self) -> u64 {
        if self.failed {
            0
        } else {
            self.lines.take_lost()
        }
    }
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG | Level::TRACE => 90,
    }
}
