//! Owns every process a run starts and the one directory they write to, and sees both go away,
//! however the run ends.
//!
//! Each child leads a process group of its own and is noted in a file named after the group. A
//! second copy of this program, the reaper, holds the reading end of a pipe: when the run ends for
//! whatever reason, also by Ctrl-C, `kill -9` or a panic, the kernel closes the pipe, and the
//! reaper ends the groups still noted and removes the directory. No signal handler is needed.
//!
//! It does not know what the children are: see `service` for that.

use std::io::{Read as _, pipe};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The command by which a run starts its reaper; it is told the run's directory.
pub(crate) const REAPER: &str = "reap";

const POLL: Duration = Duration::from_millis(20);

/// How long a group may take to leave after its farewell signal before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The processes and the temporary directory of one run. Dropping it removes both.
pub(crate) struct Processes {
    directory: PathBuf,
    reaper: Option<Child>,
    /// Held open for as long as the run lives; never written to.
    lifeline: Option<io::PipeWriter>,
}

impl Processes {
    /// Makes the temporary directory and starts the reaper.
    pub(crate) fn open() -> Result<Self> {
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

    /// For this program's own tests, which are another executable and cannot start a reaper.
    #[cfg(test)]
    pub(crate) fn without_reaper(name: &str) -> Result<Self> {
        Ok(Self {
            directory: create(name)?,
            reaper: None,
            lifeline: None,
        })
    }

    /// The directory everything of this run is written to.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a child in a process group of its own. `farewell` is the signal that ends it when
    /// nobody asks otherwise.
    pub(crate) fn spawn(&self, command: &mut Command, farewell: Signal) -> Result<Process> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let note = notes(&self.directory).join(child.id().to_string());
        let process = Process {
            child,
            farewell,
            note: note.clone(),
        };
        fs::write(note, farewell.as_str())?;
        Ok(process)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Result<ExitStatus> {
        self.spawn(command, Signal::SIGTERM)?.wait()
    }

    /// Runs a command to its end; anything but success is an error.
    pub(crate) fn succeed(&self, command: &mut Command) -> Result<()> {
        let status = self.run(command)?;
        if !status.success() {
            bail!("{} ended with {status}", command.get_program().display());
        }
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // The reaper does the work, so that this path and the sudden one are the same path.
        self.lifeline = None;
        match &mut self.reaper {
            Some(reaper) => drop(reaper.wait()),
            None => drop(fs::remove_dir_all(&self.directory)),
        }
    }
}

/// One child and its process group. Dropping it ends the group.
pub(crate) struct Process {
    child: Child,
    farewell: Signal,
    note: PathBuf,
}

impl Process {
    /// The child's standard output, when it was piped and not taken before.
    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// The child's standard error, when it was piped and not taken before.
    pub(crate) fn stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// The child's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the whole group.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(killpg(leader(&self.child), signal)?)
    }

    /// Whether the child still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the child ends by itself.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Sends `signal` to the group's leader and waits for it to end; kills the group and fails
    /// when that takes longer than `patience`.
    pub(crate) fn end(&mut self, signal: Signal, patience: Duration) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        nix::sys::signal::kill(leader(&self.child), signal)?;
        let deadline = Instant::now() + patience;
        while self.is_running() {
            if Instant::now() > deadline {
                let _ = killpg(leader(&self.child), Signal::SIGKILL);
                self.child.wait()?;
                bail!("did not end within {} s of {signal}", patience.as_secs());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.end(self.farewell, PATIENCE);
        // What the leader started may have outlived it.
        let _ = killpg(leader(&self.child), Signal::SIGKILL);
        let _ = fs::remove_file(&self.note);
    }
}

/// Makes a run's directory and the place for its notes.
fn create(name: &str) -> Result<PathBuf> {
    let directory = std::env::temp_dir().join(format!("colloquy-{name}-{}", std::process::id()));
    fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    // A server that refuses root runs as another user and must be able to reach its own part.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o711))?;
    fs::create_dir(notes(&directory))?;
    Ok(directory)
}

fn leader(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn notes(directory: &Path) -> PathBuf {
    directory.join("groups")
}

/// The reaper: waits until the run is gone, then ends what it left and removes its directory.
pub(crate) fn reap(directory: &Path) -> Result<()> {
    // Who ends all programs of this name ends the run: then there is most to do.
    (Signal::SIGHUP | Signal::SIGINT | Signal::SIGTERM).thread_block()?;
    // Nothing is ever written; this returns when the last writer is gone.
    io::stdin().read_to_end(&mut Vec::new())?;
    let mut groups = noted(directory);
    for (group, farewell) in &groups {
        let _ = killpg(*group, *farewell);
    }
    let deadline = Instant::now() + PATIENCE;
    while !groups.is_empty() && Instant::now() < deadline {
        groups.retain(|(group, _)| is_alive(*group));
        thread::sleep(POLL);
    }
    for (group, _) in &noted(directory) {
        let _ = killpg(*group, Signal::SIGKILL);
    }
    // A process that is just ending may still write a last file.
    for _ in 0..100 {
        if fs::remove_dir_all(directory).is_ok() || !directory.exists() {
            break;
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Whether a group's leader still runs. One that has ended may stay in the process table for
/// seconds, until whoever adopted it collects it.
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

fn noted(directory: &Path) -> Vec<(Pid, Signal)> {
    let Ok(entries) = fs::read_dir(notes(directory)) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let group = path.file_name()?.to_str()?.parse().ok()?;
            let farewell = fs::read_to_string(&path)
                .ok()?
                .parse()
                .unwrap_or(Signal::SIGKILL);
            Some((Pid::from_raw(group), farewell))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_takes_its_group_along() {
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
        let note = notes(&directory).join(group.to_string());
        fs::write(&note, Signal::SIGTERM.as_str()).unwrap();
        assert_eq!(noted(&directory), [(group, Signal::SIGTERM)]);
        drop(Process {
            child,
            farewell: Signal::SIGTERM,
            note: note.clone(),
        });
        assert!(!note.exists());
        assert!(!is_alive(group));
        // Ends when nobody is left to write, the shell's child included.
        let start = Instant::now();
        output.read_to_end(&mut Vec::new()).unwrap();
        assert!(start.elapsed() < PATIENCE, "the group outlived its leader");
        fs::remove_dir_all(directory).unwrap();
    }
}
