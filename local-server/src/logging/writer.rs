//! The one thread that writes: who logs only queues, and is never held up by a slow disk or a
//! stopped terminal. The queue is bounded; what does not fit is counted and the count is logged.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use colloquy_proto::domain::Timestamp;
use tracing::Level;

use super::files::DailyFile;

/// How many lines may wait to be written.
const QUEUE_LINES: usize = 8_192;

/// How long after a first line others are waited for: nobody sees it, and under load a line then
/// wakes no thread and is no system call of its own.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// One line on its way.
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    /// Whether it belongs to `api.log` too.
    pub(super) api: bool,
    pub(super) text: String,
}

enum Order {
    Write(Entry),
    /// Write what came before, tell so, and end.
    End(SyncSender<()>),
}

/// Where lines are put.
#[derive(Clone)]
pub(super) struct Queue {
    orders: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// Never blocks; counts what it has to drop.
    pub(super) fn push(&self, entry: Entry) {
        if self.orders.try_send(Order::Write(entry)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sees to it that what was logged is written before the process ends.
#[must_use = "lines are lost when the guard goes early"]
pub struct Guard {
    orders: SyncSender<Order>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (told, tells) = sync_channel(1);
        // A full queue means a writer that stands still; the end must not wait for that.
        if self.orders.try_send(Order::End(told)).is_ok() {
            tells.recv_timeout(LAST_LINES).ok();
        }
    }
}

/// Where the thread writes to.
pub(super) struct Sinks {
    pub(super) stdout: bool,
    pub(super) server: Option<DailyFile>,
    pub(super) api: Option<DailyFile>,
}

/// Starts the thread.
pub(super) fn start(sinks: Sinks) -> io::Result<(Queue, Guard)> {
    let (orders, queue) = sync_channel(QUEUE_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut writer = Writer {
        // Standard output itself would hand every line to the system alone.
        stdout: sinks.stdout.then(|| BufWriter::new(io::stdout())),
        colours: terminal,
        server: sinks.server,
        api: sinks.api,
        lost: lost.clone(),
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.run(&queue))?;
    Ok((
        Queue {
            orders: orders.clone(),
            lost,
        },
        Guard { orders },
    ))
}

struct Writer {
    stdout: Option<BufWriter<Stdout>>,
    colours: bool,
    server: Option<DailyFile>,
    api: Option<DailyFile>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(&mut self, queue: &Receiver<Order>) {
        loop {
            // Files are flushed when nothing waits, so that a burst costs few writes and a
            // single line is seen soon.
            let order = match queue.try_recv() {
                Ok(order) => Ok(order),
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let order = queue.recv_timeout(Duration::MAX);
                    if matches!(order, Ok(Order::Write(_))) {
                        thread::sleep(GATHER);
                    }
                    order
                }
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Write(entry)) => self.write(&entry),
                Ok(Order::End(told)) => {
                    self.flush();
                    told.send(()).ok();
                    return;
                }
                Err(_) => return self.flush(),
            }
        }
    }

    fn write(&mut self, entry: &Entry) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!(
                "[WARN] {} {} - - log lines were lost - lines: {lost}",
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
            // Nobody may be reading any more; the files still count.
            put_stdout(out, entry, self.colours).ok();
        }
        let api = self.api.as_mut().filter(|_| entry.api);
        for file in self.server.as_mut().into_iter().chain(api) {
            if file.write(entry.at, &entry.text).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
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
    fn what_does_not_fit_is_counted_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let (orders, waiting) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Queue {
            orders,
            lost: lost.clone(),
        };
        for text in ["kept", "lost", "lost"] {
            queue.push(entry(text));
        }
        drop(queue);
        let mut writer = Writer {
            stdout: None,
            colours: false,
            server: Some(DailyFile::open(folder.path(), "server.log").unwrap()),
            api: None,
            lost,
        };
        writer.run(&waiting);
        let written = std::fs::read_to_string(folder.path().join("server.log")).unwrap();
        assert!(
            written.contains("log lines were lost - lines: 2\nkept\n"),
            "{written}"
        );
    }
}
