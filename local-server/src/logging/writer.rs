//! The writer thread. Callers only queue lines and are never blocked by a slow disk or a stopped
//! terminal. The queue is bounded; dropped lines are counted, and the count is logged.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use colloquy_proto::domain::Timestamp;
use tracing::Level;

use super::files::DailyFile;

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
    /// Whether it is also written to `api.log`.
    pub(super) api: bool,
    pub(super) text: String,
}

enum WriterCommand {
    Write(Entry),
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

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, confirmed) = sync_channel(1);
        // A full queue means a blocked writer; the exit must not wait for it.
        if self.commands.try_send(WriterCommand::Stop(done)).is_ok() {
            confirmed.recv_timeout(FLUSH_TIMEOUT).ok();
        }
    }
}

/// The outputs of the writer thread.
pub(super) struct Sinks {
    pub(super) stdout: bool,
    pub(super) server: Option<DailyFile>,
    pub(super) api: Option<DailyFile>,
}

/// Starts the thread.
pub(super) fn start(sinks: Sinks) -> io::Result<(LineQueue, Guard)> {
    let (commands, queue) = sync_channel(QUEUE_LINES);
    let dropped = Arc::new(AtomicU64::new(0));
    let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut writer = Writer {
        // Unbuffered standard output would make one system call per line.
        stdout: sinks.stdout.then(|| BufWriter::new(io::stdout())),
        colours: terminal,
        server: sinks.server,
        api: sinks.api,
        dropped: dropped.clone(),
    };
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
    stdout: Option<BufWriter<Stdout>>,
    colours: bool,
    server: Option<DailyFile>,
    api: Option<DailyFile>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
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
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!(
                "[WARN] {} {} - - log lines were dropped - lines: {dropped}",
                entry.at,
                module_path!()
            );
            self.put(&Entry {
                at: entry.at,
                level: Level::WARN,
                api: false,
                text,
            });
        }
        self.put(entry);
    }

    fn put(&mut self, entry: &Entry) {
        if let Some(out) = &mut self.stdout {
            // The reader of standard output may be gone; the files are still written.
            put_stdout(out, entry, self.colours).ok();
        }
        let api = self.api.as_mut().filter(|_| entry.api);
        for file in self.server.as_mut().into_iter().chain(api) {
            if file.write(entry.at, &entry.text).is_err() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flush(&mut self) {
        if let Some(out) = &mut self.stdout {
            out.flush().ok();
        }
        for file in self.server.iter_mut().chain(&mut self.api) {
            file.flush().ok();
        }
    }
}

fn put_stdout(out: &mut impl Write, entry: &Entry, colours: bool) -> io::Result<()> {
    let Some((level, rest)) = entry.text.split_once(' ').filter(|_| colours) else {
        return writeln!(out, "{}", entry.text);
    };
    let colour = match entry.level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG | Level::TRACE => 90,
    };
    writeln!(out, "\u{1b}[{colour}m{level}\u{1b}[0m {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry {
            at: Timestamp(0),
            level: Level::INFO,
            api: false,
            text: text.to_owned(),
        }
    }

    #[test]
    fn dropped_lines_are_counted_and_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (commands, waiting) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = LineQueue {
            commands,
            dropped: dropped.clone(),
        };
        for text in ["kept", "dropped", "dropped"] {
            queue.push(entry(text));
        }
        drop(queue);
        let mut writer = Writer {
            stdout: None,
            colours: false,
            server: Some(DailyFile::open(folder.path(), "server.log").unwrap()),
            api: None,
            dropped,
        };
        writer.run(&waiting);
        let written = std::fs::read_to_string(folder.path().join("server.log")).unwrap();
        assert!(
            written.contains("log lines were dropped - lines: 2\nkept\n"),
            "{written}"
        );
    }
}
