//! Lines that wait to be written, and the count of those that could not be.
//!
//! INVARIANT: a line is written as a whole, or it counts as lost and the next write starts a new line.

use std::io::{self, Write};

/// Lines for one output.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    bytes: Vec<u8>,
    lost: u64,
    /// The output ends within a line.
    torn: bool,
}

impl LineBuffer {
    /// Appends a line and its line break.
    pub(super) fn push(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }

    /// The number of waiting bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Counts the waiting lines as lost.
    pub(super) fn discard(&mut self) {
        self.lost += line_breaks(&self.bytes);
        self.bytes.clear();
    }

    /// The lines that were lost since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Writes the waiting lines. After a failure those that were not written count as lost.
    pub(super) fn write_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.torn && !self.bytes.is_empty() {
            if let Err(error) = out.write_all(b"\n") {
                self.discard();
                return Err(error);
            }
            self.torn = false;
        }
        let (written, result) = write_some(out, &self.bytes);
        let rest = self.bytes.get(written..).unwrap_or_default();
        self.lost += line_breaks(rest);
        if let Some(last) = written.checked_sub(1).and_then(|at| self.bytes.get(at)) {
            self.torn = *last != b'\n';
        }
        self.bytes.clear();
        result
    }
}

/// Writes as much as possible, and returns how much that was.
fn write_some(out: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

fn line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output with room for some bytes.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.room);
            if length == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= length;
            self.written.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_lost_to_a_full_disk_are_counted_and_the_next_one_is_whole() {
        let mut disk = Disk {
            written: Vec::new(),
            room: 8,
        };
        let mut lines = LineBuffer::default();
        for _ in 0..2 {
            for line in ["one", "two", "three"] {
                lines.push(line);
            }
            assert!(lines.write_to(&mut disk).is_err());
        }
        // The eighth byte is the last one of "two"; "three" and three more lines were lost.
        assert_eq!(lines.take_lost(), 4);
        disk.room = 100;
        lines.push("four");
        lines.write_to(&mut disk).unwrap();
        assert_eq!(String::from_utf8(disk.written).unwrap(), "one\ntwo\nfour\n");
        assert_eq!(lines.take_lost(), 0);
    }

    #[test]
    fn torn_line_is_ended_before_the_next_one() {
        let mut disk = Disk {
            written: Vec::new(),
            room: 6,
        };
        let mut lines = LineBuffer::default();
        lines.push("one");
        lines.push("two");
        assert!(lines.write_to(&mut disk).is_err());
        assert_eq!(lines.take_lost(), 1);
        lines.push("lost");
        assert!(lines.write_to(&mut disk).is_err());
        assert_eq!(lines.take_lost(), 1);
        disk.room = 100;
        lines.push("four");
        lines.write_to(&mut disk).unwrap();
        assert_eq!(String::from_utf8(disk.written).unwrap(), "one\ntw\nfour\n");
    }
}
