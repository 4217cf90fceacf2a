//! The process that ends what a run leaves, as the program it is.

#![cfg(target_os = "linux")]

use std::io::pipe;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ASKED: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

#[test]
fn who_ends_it_with_the_run_keeps_it_from_nothing() {
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
    let mut left = Command::new("sleep")
        .arg("60")
        .process_group(0)
        .spawn()
        .unwrap();
    let note = directory.join("groups").join(left.id().to_string());
    fs::write(note, Signal::SIGTERM.as_str()).unwrap();

    wait_until_deaf(&reaper);
    for signal in ASKED {
        kill(Pid::from_raw(reaper.id().cast_signed()), signal).unwrap();
    }
    drop(lifeline);

    assert!(reaper.wait().unwrap().success());
    let end = left.wait().unwrap().signal();
    assert_eq!(end, Some(Signal::SIGTERM as i32));
    assert!(!directory.exists());
}

/// Returns when the process has begun to hold the signals back.
fn wait_until_deaf(reaper: &Child) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let wanted: u64 = ASKED.map(|signal| 1 << (signal as u64 - 1)).iter().sum();
    let path = format!("/proc/{}/status", reaper.id());
    loop {
        let status = fs::read_to_string(&path).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let blocked = u64::from_str_radix(blocked.unwrap().trim(), 16).unwrap();
        if blocked & wanted == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "the signals would end it");
        thread::sleep(Duration::from_millis(5));
    }
}
