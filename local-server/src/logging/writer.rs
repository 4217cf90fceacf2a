//! The writer thread. Callers only queue lines and are never blocked by a slow disk or a stopped
//! terminal. The queue is bounded. Lines that are dropped because it is full, or lost because an
//! output cannot be written, are counted, and the count is logged.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use colloquy_core::config::LogFormat;
use colloquy_proto::domain::Timestamp;
use tracing::Level;

use super::console::Console;
use super::files::LogFile;
use super::line::{Fields, Line};

/// The capacity of the queue in lines.
const QUEUE_LINES: usize = 8_192;

/// How long the writer waits for further lines after the first, so that under load a line costs
/// neither a thread wake-up nor a system call of its own.
const LINGER: Duration = Duration::from_millis(5);

/// How long the process waits at exit for the last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// A queued line.
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    /// Whether it is written to `api.log` and not to `server.log`.
    pub(super) api: bool,
    pub(super) text: String,
}

enum WriterCommand {
    Write(Entry),
    /// Open the files again.
    Reopen,
    /// Flush, confirm, and end the thread.
    Stop(SyncSender<()>),
}

/// The sending side of the queue.
#[derive(Clone)]
pub(super) struct LineQueue {
    commands: SyncSender<WriterCommand>,
    dropped: Arc<AtomicU64>,
}

impl LineQueue {
    /// Never blocks; counts dropped lines.
    pub(super) fn push(&self, entry: Entry) {
        if self.commands.try_send(WriterCommand::Write(entry)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Flushes pending lines when dropped.
#[must_use = "lines are lost if the guard is dropped early"]
pub struct Guard {
    commands: SyncSender<WriterCommand>,
}

impl Guard {
    /// A handle that asks for the files to be opened again.
    pub fn reopener(&self) -> Reopener {
        Reopener(self.commands.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, confirmed) = sync_channel(1);
        // A full queue means a blocked writer; the exit must not wait for it.
        if self.commands.try_send(WriterCommand::Stop(done)).is_ok() {
            confirmed.recv_timeout(FLUSH_TIMEOUT).ok();
        }
    }
}

/// Asks for the log files to be opened again, after another program has moved them.
#[derive(Clone)]
pub struct Reopener(SyncSender<WriterCommand>);

impl Reopener {
    /// Never blocks. With a full queue nothing is done: the writer notices a moved file by itself.
    pub fn reopen(&self) {
        self.0.try_send(WriterCommand::Reopen).ok();
    }
}

/// The outputs of the writer thread.
pub(super) struct Sinks {
    pub(super) console: Option<Console>,
    pub(super) server: Option<LogFile>,
    pub(super) api: Option<LogFile>,
    /// The format of the writer's own lines.
    pub(super) format: LogFormat,
}

/// Starts the thread.
pub(super) fn start(sinks: Sinks) -> io::Result<(LineQueue, Guard)> {
    let (commands, queue) = sync_channel(QUEUE_LINES);
    let dropped = Arc::new(AtomicU64::new(0));
    let mut writer = Writer::new(sinks, Arc::clone(&dropped));
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.run(&queue))?;
    Ok((
        LineQueue {
            commands: commands.clone(),
            dropped,
        },
        Guard { commands },
    ))
}

struct Writer {
    sinks: Sinks,
    dropped: Arc<AtomicU64>,
    /// The time of the last line, for the writer's own lines.
    now: Timestamp,
    /// Whether the last attempt to write a file failed, so that a failure is one line.
    failed: bool,
}

impl Writer {
    fn new(sinks: Sinks, dropped: Arc<AtomicU64>) -> Self {
        Self {
            sinks,
            dropped,
            now: Timestamp(0),
            failed: false,
        }
    }

    fn run(&mut self, queue: &Receiver<WriterCommand>) {
        loop {
            // Flushed when the queue is empty, so that a burst costs few writes and a single
            // line is visible soon.
            let command = match queue.try_recv() {
                Ok(command) => Ok(command),
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let command = queue.recv_timeout(Duration::MAX);
                    if matches!(command, Ok(WriterCommand::Write(_))) {
                        thread::sleep(LINGER);
                    }
                    command
                }
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            };
            match command {
                Ok(WriterCommand::Write(entry)) => self.write(&entry),
                Ok(WriterCommand::Reopen) => self.reopen(),
                Ok(WriterCommand::Stop(done)) => {
                    self.flush();
                    done.send(()).ok();
                    return;
                }
                Err(_) => return self.flush(),
            }
        }
    }

    fn write(&mut self, entry: &Entry) {
        self.now = entry.at;
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let fields = vec![("lines", dropped.into())];
            let report = self.own_line("log lines were dropped, the queue was full", fields);
            self.put(&report);
        }
        self.put(entry);
    }

    fn put(&mut self, entry: &Entry) {
        if let Some(console) = &mut self.sinks.console {
            console.write(entry.level, &entry.text);
        }
        let file = if entry.api {
            &mut self.sinks.api
        } else {
            &mut self.sinks.server
        };
        if let Some(file) = file {
            let result = file.write(entry.at, &entry.text);
            self.check(entry.api, result);
        }
    }

    fn flush(&mut self) {
        for api in [false, true] {
            self.each(api, LogFile::flush);
            self.report_lost(api);
        }
        let Some(console) = &mut self.sinks.console else {
            return;
        };
        console.flush();
        let lines = console.take_lost();
        if lines > 0 {
            let line = self.own_line("log lines were lost", vec![("lines", lines.into())]);
            self.print(&line);
        }
    }

    fn print(&mut self, entry: &Entry) {
        if let Some(console) = &mut self.sinks.console {
            console.write(entry.level, &entry.text);
            console.flush();
        }
    }

    fn reopen(&mut self) {
        for api in [false, true] {
            self.each(api, LogFile::reopen);
        }
    }

    fn each(&mut self, api: bool, work: impl FnOnce(&mut LogFile) -> io::Result<()>) {
        if let Some(result) = self.file(api).map(work) {
            self.check(api, result);
        }
    }

    fn file(&mut self, api: bool) -> Option<&mut LogFile> {
        if api {
            self.sinks.api.as_mut()
        } else {
            self.sinks.server.as_mut()
        }
    }

    /// Reports the first of several failures where it can be seen, on the console.
    fn check(&mut self, api: bool, result: io::Result<()>) {
        let Err(error) = result else {
            return;
        };
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        let path = self.file(api).map(|file| file.path().display().to_string());
        let fields = vec![("file", path.into()), ("error", error.to_string().into())];
        let line = self.own_line("a log file cannot be written", fields);
        self.print(&line);
    }

    /// Reports lines that were lost, in the file that lacks them, as soon as it can be written.
    fn report_lost(&mut self, api: bool) {
        let lines = self.file(api).map_or(0, LogFile::take_lost);
        if lines == 0 {
            return;
        }
        self.failed = false;
        let fields = vec![("lines", lines.into())];
        let report = self.own_line("log lines were lost, the file could not be written", fields);
        self.each(api, |file| {
            file.write(report.at, &report.text)?;
            file.flush()
        });
    }

    /// A line of the writer itself, which cannot pass through its own queue.
    fn own_line(&self, message: &str, values: Vec<(&'static str, serde_json::Value)>) -> Entry {
        let text = Line {
            at: self.now,
            level: Level::WARN,
            target: module_path!(),
            function: None,
            fields: Fields {
                message: message.to_owned(),
                values,
            },
        }
        .render(self.sinks.format);
        Entry {
            at: self.now,
            level: Level::WARN,
            api: false,
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::files::Rotation;

    fn entry(text: &str) -> Entry {
        Entry {
            at: Timestamp(0),
            level: Level::INFO,
            api: false,
            text: text.to_owned(),
        }
    }

    fn writer(folder: &std::path::Path, format: LogFormat) -> Writer {
        let rotation = Rotation {
            max_bytes: 4_096,
            keep_files: 2,
        };
        let sinks = Sinks {
            console: None,
            server: Some(LogFile::open(folder, "server.log", rotation).unwrap()),
            api: None,
            format,
        };
        Writer::new(sinks, Arc::default())
    }

    #[test]
    fn dropped_lines_are_counted_and_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (commands, waiting) = sync_channel(1);
        let mut writer = writer(folder.path(), LogFormat::Text);
        let queue = LineQueue {
            commands,
            dropped: Arc::clone(&writer.dropped),
        };
        for text in ["kept", "dropped", "dropped"] {
            queue.push(entry(text));
        }
        drop(queue);
        writer.run(&waiting);
        let written = std::fs::read_to_string(folder.path().join("server.log")).unwrap();
        assert!(
            written.contains("log lines were dropped, the queue was full - lines: 2\nkept\n"),
            "{written}"
        );
    }

    #[test]
    fn lines_lost_to_a_full_disk_are_counted_and_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let mut writer = writer(folder.path(), LogFormat::Json);
        std::fs::remove_file(&path).unwrap();
        // Every write to this device fails as on a full disk.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        for _ in 0..3 {
            writer.write(&entry("lost"));
            writer.flush();
        }
        std::fs::remove_file(&path).unwrap();
        writer.write(&entry("written"));
        writer.flush();
        let written = std::fs::read_to_string(&path).unwrap();
        let (first, report) = written.trim_end().split_once('\n').unwrap();
        assert_eq!(first, "written");
        let report: serde_json::Value = serde_json::from_str(report).unwrap();
        assert_eq!(
            (&report["level"], &report["lines"]),
            (&"WARN".into(), &3.into()),
            "{report}"
        );
    }
}
