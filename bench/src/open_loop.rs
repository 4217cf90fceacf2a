//! The open-loop sender: a thread that sends on a fixed schedule, regardless of the server.

use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use crate::run::{Run, frame};
use crate::socket::Socket;
use crate::wire::{self, Mark};

/// Sends until it is stopped.
pub(crate) struct OpenLoopSender {
    thread: thread::JoinHandle<Result<Vec<u32>>>,
    stop: Sender<()>,
}

/// One sender: its room, its index there, its connection, and how many messages it has sent.
struct ScheduledSender {
    room: i64,
    sender: u32,
    stream: TcpStream,
    sent: u32,
}

impl OpenLoopSender {
    /// Makes these sockets send in turn, `rate` messages per second in total.
    pub(crate) fn start<'a>(
        run: &Run,
        sockets: impl Iterator<Item = &'a Rc<Socket>>,
        rate: f64,
    ) -> Result<Self> {
        let senders = sockets.map(|socket| {
            anyhow::Ok(ScheduledSender {
                room: socket.room(),
                sender: socket.index(),
                stream: socket.duplicate()?,
                sent: 0,
            })
        });
        let senders = senders.collect::<Result<Vec<ScheduledSender>>>()?;
        let schedule = Schedule {
            started: run.started(),
            v2: run.v2(),
            interval: Duration::from_secs_f64(1.0 / rate),
        };
        let (stop, stopped) = channel::<()>();
        let thread = thread::spawn(move || schedule.run(senders, &stopped));
        Ok(Self { thread, stop })
    }

    /// Stops the thread and records at the sockets how many messages were sent.
    pub(crate) async fn stop<'a>(
        self,
        sockets: impl Iterator<Item = &'a Rc<Socket>>,
    ) -> Result<()> {
        drop(self.stop);
        // Joined on another thread, so that messages in flight are received without delay.
        let thread = tokio::task::spawn_blocking(|| self.thread.join());
        let counts = thread
            .await?
            .map_err(|_| anyhow!("the sending thread panicked"))??;
        for (socket, count) in sockets.zip(counts) {
            socket.record_sent(count);
        }
        Ok(())
    }
}

struct Schedule {
    /// The origin of the clock.
    started: Instant,
    v2: bool,
    interval: Duration,
}

impl Schedule {
    /// Returns how many messages each sender has sent.
    fn run(&self, mut senders: Vec<ScheduledSender>, stopped: &Receiver<()>) -> Result<Vec<u32>> {
        let first = Instant::now() + self.interval;
        let mut bytes = Vec::new();
        for step in 0_u32.. {
            let due = first + self.interval * step;
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                thread::sleep(early);
            }
            if stopped.try_recv() != Err(TryRecvError::Empty) {
                break;
            }
            let at = usize::try_from(step)? % senders.len();
            let sender = senders.get_mut(at).context("no senders")?;
            let mark = Mark {
                sender: sender.sender,
                ordinal: sender.sent,
                intended_us: u64::try_from((due - self.started).as_micros())?,
            };
            bytes.clear();
            wire::text_frame(&frame(self.v2, sender.room, mark), &mut bytes);
            // The load is low enough that the kernel accepts the bytes at once.
            std::io::Write::write_all(&mut sender.stream, &bytes).context("sending on schedule")?;
            sender.sent += 1;
        }
        Ok(senders.into_iter().map(|sender| sender.sent).collect())
    }
}
