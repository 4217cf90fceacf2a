//! The reaper process ends the remaining processes of a run, also after signals to itself.

#![cfg(target_os = "linux")]

use std::io::pipe;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SIGNALS: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

#[test]
fn reaper_survives_signals_and_ends_the_remaining_processes() {
    let name = format!("colloquy-reaper-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(directory.join("groups")).unwrap();
    let (reading, lifeline) = pipe().unwrap();
    let mut reaper = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("reap")
        .arg(&directory)
        .stdin(reading)
        .spawn()
        .unwrap();
    let mut remaining = Command::new("sleep")
        .arg("60")
        .process_group(0)
        .spawn()
        .unwrap();
    let record = directory.join("groups").join(remaining.id().to_string());
    fs::write(record, Signal::SIGTERM.as_str()).unwrap();

    wait_until_signals_are_blocked(&reaper);
    for signal in SIGNALS {
        kill(Pid::from_raw(reaper.id().cast_signed()), signal).unwrap();
    }
    drop(lifeline);

    assert!(reaper.wait().unwrap().success());
    let end = remaining.wait().unwrap().signal();
    assert_eq!(end, Some(Signal::SIGTERM as i32));
    assert!(!directory.exists());
}

/// Returns when the process has blocked the signals.
fn wait_until_signals_are_blocked(reaper: &Child) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let wanted: u64 = SIGNALS.map(|signal| 1 << (signal as u64 - 1)).iter().sum();
    let path = format!("/proc/{}/status", reaper.id());
    loop {
        let status = fs::read_to_string(&path).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let blocked = u64::from_str_radix(blocked.unwrap().trim(), 16).unwrap();
        if blocked & wanted == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "the signals are not blocked");
        thread::sleep(Duration::from_millis(5));
    }
}
