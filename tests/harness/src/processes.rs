//! Owns every child process of a run and its temporary directory, and removes both, however the run
//! ends.
//!
//! Each child leads a process group of its own, which is recorded in a file named after the group. A
//! second process of the same program, the reaper, holds the reading end of a pipe. When the run ends
//! (also by Ctrl-C, SIGKILL or a panic), the kernel closes the pipe; the reaper then ends the recorded
//! groups and removes the directory. No signal handler is needed.
//!
//! What the children are is not known here; see `service`.

use std::io::{Read as _, pipe};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The first argument of a reaper process; the second is the run's directory.
const REAPER: &str = "reap";

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a group may take to end after its termination signal before it is killed.
const TERMINATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The processes and the temporary directory of one run. Dropping it removes both.
pub struct Processes {
    directory: PathBuf,
    reaper: Option<Child>,
    /// The writing end of the reaper's pipe: open until the run ends, never written to.
    lifeline: Option<io::PipeWriter>,
}

impl Processes {
    /// Creates the temporary directory and starts the reaper.
    pub fn open() -> Result<Self> {
        let directory = create("run")?;
        let (reading, lifeline) = pipe()?;
        let reaper = Command::new(std::env::current_exe()?)
            .arg(REAPER)
            .arg(&directory)
            .stdin(reading)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the reaper")?;
        Ok(Self {
            directory,
            reaper: Some(reaper),
            lifeline: Some(lifeline),
        })
    }

    /// For unit tests, whose executable cannot start a reaper.
    #[cfg(test)]
    pub fn without_reaper(name: &str) -> Result<Self> {
        Ok(Self {
            directory: create(name)?,
            reaper: None,
            lifeline: None,
        })
    }

    /// The temporary directory of this run.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a child in a process group of its own. `end_signal` ends the group when the [`Process`] is
    /// dropped or the run ends.
    pub fn spawn(&self, command: &mut Command, end_signal: Signal) -> Result<Process> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let record = record_directory(&self.directory).join(child.id().to_string());
        let process = Process {
            child,
            end_signal,
            record: record.clone(),
        };
        fs::write(record, end_signal.as_str())?;
        Ok(process)
    }

    /// Runs a command and waits for it to end.
    pub fn run(&self, command: &mut Command) -> Result<ExitStatus> {
        self.spawn(command, Signal::SIGTERM)?.wait()
    }

    /// Runs a command and waits for it to end; a failure status is an error.
    pub fn succeed(&self, command: &mut Command) -> Result<()> {
        let status = self.run(command)?;
        if !status.success() {
            bail!("{} ended with {status}", command.get_program().display());
        }
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // The reaper does the work, so that a regular end and a sudden one take the same path.
        self.lifeline = None;
        match &mut self.reaper {
            Some(reaper) => drop(reaper.wait()),
            None => drop(fs::remove_dir_all(&self.directory)),
        }
    }
}

/// One child and its process group. Dropping it ends the group.
pub struct Process {
    child: Child,
    end_signal: Signal,
    record: PathBuf,
}

impl Process {
    /// Takes the child's standard output, if it was piped.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes the child's standard error, if it was piped.
    pub fn stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(killpg(leader(&self.child), signal)?)
    }

    /// Whether the child is running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the child ends.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Sends `signal` to the group's leader and waits for it to end. After `timeout` it kills the group
    /// and returns an error.
    pub fn end(&mut self, signal: Signal, timeout: Duration) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        nix::sys::signal::kill(leader(&self.child), signal)?;
        let deadline = Instant::now() + timeout;
        while self.is_running() {
            if Instant::now() > deadline {
                let _ = killpg(leader(&self.child), Signal::SIGKILL);
                self.child.wait()?;
                bail!("did not end within {} s of {signal}", timeout.as_secs());
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.end(self.end_signal, TERMINATION_TIMEOUT);
        // Child processes of the leader may still be running.
        let _ = killpg(leader(&self.child), Signal::SIGKILL);
        let _ = fs::remove_file(&self.record);
    }
}

/// Creates a run's directory and the directory of its group records.
fn create(name: &str) -> Result<PathBuf> {
    let directory = std::env::temp_dir().join(format!("colloquy-{name}-{}", std::process::id()));
    fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    // PostgreSQL runs as another user and must be able to reach its own subdirectory.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o711))?;
    fs::create_dir(record_directory(&directory))?;
    Ok(directory)
}

fn leader(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn record_directory(directory: &Path) -> PathBuf {
    directory.join("groups")
}

/// Runs the reaper if this process was started as one, and returns what `main` returns then.
/// Every program that calls [`Processes::open`] calls this first in `main`.
pub fn reap_if_requested() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != REAPER {
        return None;
    }
    let directory = PathBuf::from(arguments.next()?);
    Some(match reap(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// The reaper: waits until the run has ended, then ends the remaining groups and removes the directory.
fn reap(directory: &Path) -> Result<()> {
    // A signal to all processes of this program ends the run; the reaper must survive it.
    (Signal::SIGHUP | Signal::SIGINT | Signal::SIGTERM).thread_block()?;
    // Returns when the last writer has closed the pipe.
    io::stdin().read_to_end(&mut Vec::new())?;
    let mut groups = recorded_groups(directory);
    for (group, end_signal) in &groups {
        let _ = killpg(*group, *end_signal);
    }
    let deadline = Instant::now() + TERMINATION_TIMEOUT;
    while !groups.is_empty() && Instant::now() < deadline {
        groups.retain(|(group, _)| is_alive(*group));
        thread::sleep(POLL_INTERVAL);
    }
    for (group, _) in &recorded_groups(directory) {
        let _ = killpg(*group, Signal::SIGKILL);
    }
    // A process that is ending may still write a file.
    for _ in 0..100 {
        if fs::remove_dir_all(directory).is_ok() || !directory.exists() {
            break;
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Whether a group's leader is running. A zombie counts as ended: its new parent may take seconds to
/// collect it.
fn is_alive(group: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{group}/stat")) {
        Ok(stat) => !stat
            .rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z')),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => killpg(group, None).is_ok(),
    }
}

fn recorded_groups(directory: &Path) -> Vec<(Pid, Signal)> {
    let Ok(entries) = fs::read_dir(record_directory(directory)) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let group = path.file_name()?.to_str()?.parse().ok()?;
            let end_signal = fs::read_to_string(&path)
                .ok()?
                .parse()
                .unwrap_or(Signal::SIGKILL);
            Some((Pid::from_raw(group), end_signal))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_process_ends_its_group() {
        let directory = create("group").unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "sleep 30 & wait"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let mut output = child.stdout.take().unwrap();
        let group = leader(&child);
        let record = record_directory(&directory).join(group.to_string());
        fs::write(&record, Signal::SIGTERM.as_str()).unwrap();
        assert_eq!(recorded_groups(&directory), [(group, Signal::SIGTERM)]);
        drop(Process {
            child,
            end_signal: Signal::SIGTERM,
            record: record.clone(),
        });
        assert!(!record.exists());
        assert!(!is_alive(group));
        // Returns when no process holds the pipe, the shell's child included.
        let start = Instant::now();
        output.read_to_end(&mut Vec::new()).unwrap();
        assert!(
            start.elapsed() < TERMINATION_TIMEOUT,
            "the group outlived its leader"
        );
        fs::remove_dir_all(directory).unwrap();
    }
}
