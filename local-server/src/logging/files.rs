//! Daily rotation: today's file is `NAME`, earlier ones are `NAME.YYYY-MM-DD`, 14 are kept.
//!
//! The day is that of the line (UTC), so there is no clock here: the first line of a new day
//! rotates the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use colloquy_proto::domain::Timestamp;

/// Earlier files that are kept.
const KEPT_FILES: usize = 14;

const DAY_MILLIS: i64 = 86_400_000;

/// A log file that is rotated daily.
pub(super) struct DailyFile {
    path: PathBuf,
    /// The day of the file's lines, in days since 1970; `None` while it is empty.
    day: Option<i64>,
    /// `None` after a failure, until a line can be written again.
    file: Option<BufWriter<File>>,
}

impl DailyFile {
    /// Opens the file for appending and creates its folder.
    pub(super) fn open(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        let file = append(&path)?;
        let metadata = file.metadata()?;
        // Lines of an earlier run have the day of the last modification.
        let day = if metadata.len() == 0 {
            None
        } else {
            modified_day(&metadata)
        };
        Ok(Self {
            path,
            day,
            file: Some(BufWriter::new(file)),
        })
    }

    /// Appends a line. After a failure the next line tries again.
    pub(super) fn write(&mut self, at: Timestamp, line: &str) -> io::Result<()> {
        let today = at.0.div_euclid(DAY_MILLIS);
        // A clock that is set back does not rotate the file.
        if self.day.is_some_and(|day| day < today) {
            self.rotate();
        }
        self.day = Some(self.day.map_or(today, |day| day.max(today)));
        let file = match &mut self.file {
            Some(file) => file,
            closed => closed.insert(BufWriter::new(append(&self.path)?)),
        };
        let result = writeln!(file, "{line}");
        if result.is_err() {
            self.file = None;
        }
        result
    }

    /// Flushes the buffer to the operating system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let result = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        if result.is_err() {
            self.file = None;
        }
        result
    }

    /// Renames the file to its day. If that fails, further lines go to the same file.
    fn rotate(&mut self) {
        self.flush().ok();
        let Some(day) = self.day.take() else { return };
        if fs::rename(&self.path, self.rotated_path(day)).is_ok() {
            self.file = None;
        }
        self.remove_oldest().ok();
    }

    /// The path of a day's file, with a number if it exists.
    fn rotated_path(&self, day: i64) -> PathBuf {
        let date = Timestamp(day * DAY_MILLIS).to_string();
        let name = format!(
            "{}.{}",
            self.path.display(),
            date.split('T').next().unwrap_or(&date)
        );
        let numbered = (1..).map(|n| format!("{name}.{n}"));
        std::iter::once(name.clone())
            .chain(numbered)
            .map(PathBuf::from)
            .find(|path| !path.exists())
            .unwrap_or_else(|| name.into())
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(());
        };
        let prefix = format!("{}.", name.to_string_lossy());
        let entries = fs::read_dir(folder)?.filter_map(Result::ok);
        let mut earlier: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path())
            .collect();
        // ISO dates sort by age.
        earlier.sort();
        let surplus = earlier.len().saturating_sub(KEPT_FILES);
        earlier.iter().take(surplus).try_for_each(fs::remove_file)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn modified_day(metadata: &fs::Metadata) -> Option<i64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis())
        .ok()
        .map(|millis| millis / DAY_MILLIS)
}
