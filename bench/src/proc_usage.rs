//! Resource usage from `/proc`: CPU time and resident memory of process trees (proc(5)).

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, Result, bail};

/// The kernel counts CPU time in hundredths of a second for every user program (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The name of the generator's own process.
pub(crate) const GENERATOR: &str = "generator";

/// CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// In user mode.
    pub(crate) user: f64,
    /// In kernel mode.
    pub(crate) kernel: f64,
}

impl CpuTime {
    pub(crate) const fn total(self) -> f64 {
        self.user + self.kernel
    }
}

impl std::ops::Sub for CpuTime {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            kernel: self.kernel - before.kernel,
        }
    }
}

impl std::ops::Div<f64> for CpuTime {
    type Output = Self;

    fn div(self, among: f64) -> Self {
        Self {
            user: self.user / among,
            kernel: self.kernel / among,
        }
    }
}

/// A named process tree, such as `postgres=4711`.
#[derive(Clone, Debug)]
pub(crate) struct ProcessTree {
    pub(crate) name: String,
    root: u32,
}

impl std::str::FromStr for ProcessTree {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, root) = text.split_once('=').context("a tree is name=pid")?;
        Ok(Self {
            name: name.to_owned(),
            root: root.parse().context("the pid is not a number")?,
        })
    }
}

impl ProcessTree {
    /// This process alone.
    fn own() -> Self {
        Self {
            name: GENERATOR.to_owned(),
            root: std::process::id(),
        }
    }

    /// The CPU time so far, including that of terminated children.
    fn cpu(&self) -> Result<CpuTime> {
        let (mut user, mut kernel) = (0, 0);
        for stat in self.members()? {
            user += stat.user_ticks;
            kernel += stat.kernel_ticks;
        }
        Ok(CpuTime {
            user: f64::from(user) / TICKS_PER_SECOND,
            kernel: f64::from(kernel) / TICKS_PER_SECOND,
        })
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<f64> {
        let mut kib = 0;
        for stat in self.members()? {
            let status = fs::read_to_string(format!("/proc/{}/status", stat.pid));
            let line = status.unwrap_or_default();
            let line = line.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let value = line.and_then(|rest| rest.split_whitespace().next());
            kib += value.and_then(|value| value.parse().ok()).unwrap_or(0_u32);
        }
        Ok(f64::from(kib))
    }

    fn members(&self) -> Result<Vec<ProcessStat>> {
        let mut children: HashMap<u32, Vec<ProcessStat>> = HashMap::new();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let pid = entry.file_name().to_string_lossy().parse();
            // A process may end while the list is read.
            let Some(stat) = pid.ok().and_then(ProcessStat::read) else {
                continue;
            };
            if stat.pid == self.root {
                found.push(stat);
            } else {
                children.entry(stat.parent).or_default().push(stat);
            }
        }
        if found.is_empty() {
            bail!("{} (process {}) is not running", self.name, self.root);
        }
        let mut at = 0;
        while let Some(stat) = found.get(at) {
            let below = children.remove(&stat.pid).unwrap_or_default();
            found.extend(below);
            at += 1;
        }
        Ok(found)
    }
}

struct ProcessStat {
    pid: u32,
    parent: u32,
    user_ticks: u32,
    kernel_ticks: u32,
}

impl ProcessStat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may contain spaces and parentheses; the fields after the last one are plain.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            // Its own time and that of children it has waited for.
            user_ticks: ticks(11)? + ticks(13)?,
            kernel_ticks: ticks(12)? + ticks(14)?,
        })
    }
}

/// Measures the CPU time of process trees between two points. Reads on a thread of its own: reading
/// all of `/proc` takes milliseconds, in which no message would be received.
pub(crate) struct CpuMeter {
    before: Vec<(ProcessTree, CpuTime)>,
}

impl CpuMeter {
    pub(crate) async fn start(trees: &[ProcessTree]) -> Result<Self> {
        let all: Vec<ProcessTree> = trees.iter().cloned().chain([ProcessTree::own()]).collect();
        let before = spent(all).await?;
        Ok(Self { before })
    }

    /// The CPU time since the start.
    pub(crate) async fn read(&self) -> Result<CpuUsage> {
        let trees = self.before.iter().map(|(tree, _)| tree.clone());
        let now = spent(trees.collect()).await?;
        let both = now.into_iter().zip(&self.before);
        let spent = both.map(|((tree, now), (_, before))| (tree.name, now - *before));
        Ok(CpuUsage(spent.collect()))
    }
}

/// CPU time by name: first the server, last the generator.
pub(crate) struct CpuUsage(Vec<(String, CpuTime)>);

impl CpuUsage {
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&str, CpuTime)> {
        let all = self.0.iter();
        all.map(|(name, cpu)| (name.as_str(), *cpu))
    }

    /// CPU seconds of the server and its backends.
    pub(crate) fn stack(&self) -> f64 {
        let others = self.by_name().filter(|(name, _)| *name != GENERATOR);
        others.map(|(_, cpu)| cpu.total()).sum()
    }

    pub(crate) fn server(&self) -> CpuTime {
        self.0
            .first()
            .map_or_else(CpuTime::default, |(_, cpu)| *cpu)
    }

    /// CPU seconds of the generator.
    pub(crate) fn generator(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, cpu)| cpu.total())
    }
}

async fn spent(trees: Vec<ProcessTree>) -> Result<Vec<(ProcessTree, CpuTime)>> {
    let read = move || {
        let with_cpu = |tree: ProcessTree| {
            let cpu = tree.cpu()?;
            Ok((tree, cpu))
        };
        trees.into_iter().map(with_cpu).collect()
    };
    tokio::task::spawn_blocking(read).await?
}
