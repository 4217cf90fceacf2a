//! The thread that sends on time, whatever the server does.

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
pub(crate) struct Pacer {
    thread: thread::JoinHandle<Result<Vec<u32>>>,
    stop: Sender<()>,
}

/// One sender: its room, its index there, its connection, and how much it has sent.
struct Turn {
    room: i64,
    sender: u32,
    stream: TcpStream,
    sent: u32,
}

impl Pacer {
    /// Has these sockets send in turn, `rate` messages a second altogether.
    pub(crate) fn start<'a>(
        run: &Run,
        sockets: impl Iterator<Item = &'a Rc<Socket>>,
        rate: f64,
    ) -> Result<Self> {
        let turns = sockets.map(|socket| {
            anyhow::Ok(Turn {
                room: socket.room(),
                sender: socket.index(),
                stream: socket.duplicate()?,
                sent: 0,
            })
        });
        let turns = turns.collect::<Result<Vec<Turn>>>()?;
        let schedule = Schedule {
            began: run.began(),
            v2: run.v2(),
            interval: Duration::from_secs_f64(1.0 / rate),
        };
        let (stop, stopped) = channel::<()>();
        let thread = thread::spawn(move || schedule.keep(turns, &stopped));
        Ok(Self { thread, stop })
    }

    /// Ends it and notes at the same sockets how much was sent.
    pub(crate) async fn stop<'a>(
        self,
        sockets: impl Iterator<Item = &'a Rc<Socket>>,
    ) -> Result<()> {
        drop(self.stop);
        // Waited for elsewhere: what is still under way is to be received on time.
        let thread = tokio::task::spawn_blocking(|| self.thread.join());
        let counts = thread.await?.map_err(|_| anyhow!("the pacer failed"))??;
        for (socket, count) in sockets.zip(counts) {
            socket.note_sent(count);
        }
        Ok(())
    }
}

struct Schedule {
    /// The clock's origin.
    began: Instant,
    v2: bool,
    interval: Duration,
}

impl Schedule {
    /// Answers how much each has sent.
    fn keep(&self, mut turns: Vec<Turn>, stopped: &Receiver<()>) -> Result<Vec<u32>> {
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
            let at = usize::try_from(step)? % turns.len();
            let turn = turns.get_mut(at).context("nobody sends")?;
            let mark = Mark {
                sender: turn.sender,
                ordinal: turn.sent,
                intended_us: u64::try_from((due - self.began).as_micros())?,
            };
            bytes.clear();
            wire::text_frame(&frame(self.v2, turn.room, mark), &mut bytes);
            // So little waits on these connections that the kernel takes it at once.
            std::io::Write::write_all(&mut turn.stream, &bytes).context("sending on time")?;
            turn.sent += 1;
        }
        Ok(turns.into_iter().map(|turn| turn.sent).collect())
    }
}
