//! A log file: `NAME` is written, and rotated at the first line of a new day or when it is full.
//!
//! The day is that of the line (UTC), so a line and its file agree. A file that another program
//! moved, deleted or truncated is noticed with the next write, at most once a second.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use colloquy_proto::domain::Timestamp;

use super::line_buffer::LineBuffer;
use super::rotation::{DAY_MILLIS, remove_oldest, rotate};
use crate::private_files::{LOG_FILE_MODE, LOG_FOLDER_MODE, create_folder, with_mode};

/// The bytes that wait before they are written although more lines follow.
const BUFFER_BYTES: usize = 16 * 1024;

/// The shortest interval between two checks whether the file is still the one of its path.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// When a file is rotated, and how many rotated ones are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    pub(super) keep_files: usize,
}

/// A log file and its waiting lines.
pub(super) struct LogFile {
    path: PathBuf,
    /// `None` for a file that is only appended to.
    rotation: Option<Rotation>,
    /// The day of the file's lines, in days since 1970; `None` while it is empty.
    day: Option<i64>,
    /// The length of the file.
    size: u64,
    /// The length at which it is rotated. Beyond `max_bytes` after a rotation that failed, so that
    /// not every line tries again.
    rotate_at: u64,
    /// `None` after a failure, until lines can be written again.
    file: Option<File>,
    checked: Option<Instant>,
    lines: LineBuffer,
}

impl LogFile {
    /// Opens the file for appending, and creates it and its folder.
    pub(super) fn open(folder: &Path, name: &str, rotation: Rotation) -> io::Result<Self> {
        create_folder(folder, LOG_FOLDER_MODE)?;
        let mut log = Self::closed(folder.join(name), Some(rotation));
        log.open_path(true)?;
        Ok(log)
    }

    /// Opens a file that another process rotates, if it exists.
    pub(super) fn existing(folder: &Path, name: &str) -> io::Result<Self> {
        let mut log = Self::closed(folder.join(name), None);
        log.open_path(false)?;
        Ok(log)
    }

    fn closed(path: PathBuf, rotation: Option<Rotation>) -> Self {
        Self {
            path,
            rotation,
            day: None,
            size: 0,
            rotate_at: rotation.map_or(u64::MAX, |rotation| rotation.max_bytes),
            file: None,
            checked: None,
            lines: LineBuffer::default(),
        }
    }

    /// The path, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, which is written by the next flush at the latest.
    ///
    /// # Errors
    /// Earlier lines could not be written and count as lost.
    pub(super) fn write(&mut self, at: Timestamp, line: &str) -> io::Result<()> {
        let today = at.0.div_euclid(DAY_MILLIS);
        let length = self
            .size
            .saturating_add((self.lines.len() + line.len()) as u64);
        let full = length >= self.rotate_at && length > line.len() as u64;
        // A clock that is set back does not rotate the file.
        let rotated = if full || self.day.is_some_and(|day| day < today) {
            self.rotate()
        } else {
            Ok(())
        };
        self.day = Some(self.day.map_or(today, |day| day.max(today)));
        self.lines.push(line);
        if self.lines.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        rotated
    }

    /// Writes the waiting lines.
    ///
    /// # Errors
    /// Some could not be written and count as lost. The next flush tries to open the file again.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.lines.len() == 0 {
            return Ok(());
        }
        self.follow_path();
        if self.file.is_none()
            && let Err(error) = self.open_path(self.rotation.is_some())
        {
            self.lines.discard();
            return Err(error);
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        self.size = self.size.saturating_add(self.lines.len() as u64);
        let written = self.lines.write_to(file);
        if written.is_err() {
            self.file = None;
        }
        written
    }

    /// The lines that were lost and not reported, once the file can be written again.
    pub(super) fn take_lost(&mut self) -> u64 {
        if self.file.is_some() {
            self.lines.take_lost()
        } else {
            0
        }
    }

    /// Opens the file of the path again, as another program asks for after it has moved the file.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.checked = None;
        let flushed = self.flush();
        self.file = None;
        self.open_path(self.rotation.is_some()).and(flushed)
    }

    /// Forgets a file that is not the one of the path any more.
    fn follow_path(&mut self) {
        if self
            .checked
            .is_some_and(|checked| checked.elapsed() < CHECK_INTERVAL)
        {
            return;
        }
        self.checked = Some(Instant::now());
        let Some(file) = &self.file else { return };
        match (file.metadata(), fs::metadata(&self.path)) {
            // The size of a truncated file is the one to compare with the limit.
            (Ok(open), Ok(named)) if is_same(&open, &named) => self.size = open.len(),
            _ => self.file = None,
        }
    }

    fn open_path(&mut self, create: bool) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(create);
        let file = with_mode(&mut options, LOG_FILE_MODE).open(&self.path)?;
        let metadata = file.metadata()?;
        self.size = metadata.len();
        // Lines of an earlier run have the day of the last modification.
        if self.day.is_none() && metadata.len() > 0 {
            self.day = modified_day(&metadata);
        }
        self.file = Some(file);
        Ok(())
    }

    /// Renames the file to its day. If that fails, further lines go to the same file.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(rotation) = self.rotation else {
            return Ok(());
        };
        self.checked = None;
        let flushed = self.flush();
        let day = self.day.take();
        // A file that was moved by another program is followed and not rotated.
        self.checked = None;
        self.follow_path();
        if let Some(day) = day.filter(|_| self.file.is_some()) {
            let rotated = rotate(&self.path, day);
            if rotated.is_ok() {
                self.file = None;
                self.size = 0;
            }
            let from = if rotated.is_ok() { 0 } else { self.size };
            self.rotate_at = from.saturating_add(rotation.max_bytes);
            remove_oldest(&self.path, rotation.keep_files).ok();
        }
        flushed
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Other systems do not let a file be moved while it is open.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

fn modified_day(metadata: &fs::Metadata) -> Option<i64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis())
        .ok()
        .map(|millis| millis / DAY_MILLIS)
}
