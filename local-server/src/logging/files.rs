//! A log file a day: today's is `NAME`, earlier ones are `NAME.YYYY-MM-DD`, the last 14 stay.
//!
//! The day is the line's own (UTC), so there is no clock here, and the file turns over at the
//! first line of a new day.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use colloquy_proto::domain::Timestamp;

/// How many earlier files are kept.
const KEPT_FILES: usize = 14;

const DAY_MILLIS: i64 = 86_400_000;

/// A log file that turns over daily.
pub(super) struct DailyFile {
    path: PathBuf,
    /// The day of the file's lines, counted from 1970; unknown while it is empty.
    day: Option<i64>,
    /// None after a failure, until a line can be written again.
    file: Option<BufWriter<File>>,
}

impl DailyFile {
    /// Opens the file, with its folder, to append to it.
    pub(super) fn open(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        let file = append(&path)?;
        let metadata = file.metadata()?;
        // Lines of an earlier run: their day is that of the last one.
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
        // A clock that was set back does not turn the file over.
        if self.day.is_some_and(|day| day < today) {
            self.turn_over();
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

    /// Hands what was written to the operating system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let result = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        if result.is_err() {
            self.file = None;
        }
        result
    }

    /// Renames the file after its day. When that fails the lines go on into the same file.
    fn turn_over(&mut self) {
        self.flush().ok();
        let Some(day) = self.day.take() else { return };
        if fs::rename(&self.path, self.earlier(day)).is_ok() {
            self.file = None;
        }
        self.remove_oldest().ok();
    }

    /// The name of a day's file; with a number when that is taken.
    fn earlier(&self, day: i64) -> PathBuf {
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
        // Dates as written sort by age.
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
