//! The names of rotated files and their removal: `NAME.YYYY-MM-DD`, and `NAME.YYYY-MM-DD.N` for
//! further ones of a day.
//!
//! INVARIANT: no file with another name is renamed, replaced or removed. Other programs, such as
//! logrotate, keep files beside these.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use colloquy_proto::domain::Timestamp;

pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// A rotated file's date and number; in the order of age.
type Rotated = (String, u64);

/// Renames the file to the next free name of its day, in days since 1970.
pub(super) fn rotate(path: &Path, day: i64) -> io::Result<()> {
    let date = date(day);
    let number = rotated_files(path)?
        .into_iter()
        .filter(|((of, _), _)| *of == date)
        .map(|((_, number), _)| number + 1)
        .max();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{date}"));
    if let Some(number) = number {
        name.push(format!(".{number}"));
    }
    fs::rename(path, name)
}

/// Removes the oldest rotated files beyond `keep`.
pub(super) fn remove_oldest(path: &Path, keep: usize) -> io::Result<()> {
    let files = rotated_files(path)?;
    let surplus = files.len().saturating_sub(keep);
    files
        .iter()
        .take(surplus)
        .try_for_each(|(_, path)| fs::remove_file(path))
}

/// The rotated files of `path`, oldest first.
fn rotated_files(path: &Path) -> io::Result<Vec<(Rotated, PathBuf)>> {
    let (Some(folder), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let rotated = file.to_str().and_then(|file| parse(file, name));
        if let Some(rotated) =
            rotated.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file()))
        {
            files.push((rotated, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// Date and number of a rotated file's name.
fn parse(file: &str, name: &str) -> Option<Rotated> {
    let suffix = file.strip_prefix(name)?.strip_prefix('.')?;
    let (date, number) = match suffix.split_once('.') {
        None => (suffix, 0),
        Some((date, digits)) => {
            let number: u64 = digits.parse().ok()?;
            // The name that this module would write.
            (number > 0 && number.to_string() == digits).then_some((date, number))?
        }
    };
    let shape = date
        .bytes()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"0000-00-00").then(|| (date.to_owned(), number))
}

fn date(day: i64) -> String {
    let time = Timestamp(day.saturating_mul(DAY_MILLIS)).to_string();
    time.split('T').next().unwrap_or(&time).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_are_rotated_files() {
        let number = |file| parse(file, "server.log").map(|(_, number)| number);
        assert_eq!(number("server.log.2026-02-05"), Some(0));
        assert_eq!(number("server.log.2026-02-05.12"), Some(12));
        for file in [
            "server.log",
            "server.log.1",
            "server.log.2.gz",
            "server.log.2026-02-05.gz",
            "server.log.2026-02-05.1.gz",
            "server.log.2026-02-05.0",
            "server.log.2026-02-05.01",
            "server.log.2026-02-05.",
            "server.log-20260205",
            "server.log.20260205",
            "api.log.2026-02-05",
        ] {
            assert_eq!(number(file), None, "{file}");
        }
    }

    #[test]
    fn files_of_a_day_are_numbered_and_the_oldest_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        for turn in 0..12 {
            fs::write(&path, turn.to_string()).unwrap();
            rotate(&path, 0).unwrap();
            remove_oldest(&path, 3).unwrap();
        }
        let kept: Vec<_> = rotated_files(&path)
            .unwrap()
            .into_iter()
            .map(|((_, number), path)| (number, fs::read_to_string(path).unwrap()))
            .collect();
        // By number and not by text, so that .9 is older than .10.
        assert_eq!(kept, [9, 10, 11].map(|turn| (turn, turn.to_string())));
    }
}
