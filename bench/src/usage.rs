//! What servers cost, from `/proc`: CPU time and resident memory of whole process trees (proc(5)).

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, Result, bail};

/// The kernel counts CPU time in hundredths of a second for every user program (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What the generator's own tree is called.
pub(crate) const GENERATOR: &str = "generator";

/// One process tree under a name, such as `postgres=4711`.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) name: String,
    root: u32,
}

impl std::str::FromStr for Tree {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, root) = text.split_once('=').context("a tree is name=pid")?;
        Ok(Self {
            name: name.to_owned(),
            root: root.parse().context("the pid is no number")?,
        })
    }
}

impl Tree {
    /// This process alone.
    fn own() -> Self {
        Self {
            name: GENERATOR.to_owned(),
            root: std::process::id(),
        }
    }

    /// CPU seconds so far, with those of children that have ended.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut ticks = 0;
        for stat in self.members()? {
            ticks += stat.ticks;
        }
        Ok(f64::from(u32::try_from(ticks)?) / TICKS_PER_SECOND)
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

    fn members(&self) -> Result<Vec<Stat>> {
        let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let pid = entry.file_name().to_string_lossy().parse();
            // A process may end while the list is read.
            let Some(stat) = pid.ok().and_then(Stat::read) else {
                continue;
            };
            if stat.pid == self.root {
                found.push(stat);
            } else {
                children.entry(stat.parent).or_default().push(stat);
            }
        }
        if found.is_empty() {
            bail!("{} (process {}) does not run", self.name, self.root);
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

struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold spaces and parentheses; what follows the last one is plain.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            ticks: ticks.map(|field| field.parse::<u64>().unwrap_or(0)).sum(),
        })
    }
}

/// Reads the CPU time of some process trees twice. On a thread of its own: a look through all of
/// `/proc` takes milliseconds, in which nothing would be received.
pub(crate) struct Meter {
    before: Vec<(Tree, f64)>,
}

impl Meter {
    pub(crate) async fn start(trees: &[Tree]) -> Result<Self> {
        let all: Vec<Tree> = trees.iter().cloned().chain([Tree::own()]).collect();
        let before = spent(all).await?;
        Ok(Self { before })
    }

    /// What was spent since the start.
    pub(crate) async fn read(&self) -> Result<Usage> {
        let trees = self.before.iter().map(|(tree, _)| tree.clone());
        let now = spent(trees.collect()).await?;
        let both = now.into_iter().zip(&self.before);
        let spent = both.map(|((tree, now), (_, before))| (tree.name, now - before));
        Ok(Usage(spent.collect()))
    }
}

/// CPU seconds by name: first the server, last the generator itself.
pub(crate) struct Usage(Vec<(String, f64)>);

impl Usage {
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&str, f64)> {
        let all = self.0.iter();
        all.map(|(name, seconds)| (name.as_str(), *seconds))
    }

    /// Of the server and of all it uses.
    pub(crate) fn stack(&self) -> f64 {
        let others = self.by_name().filter(|(name, _)| *name != GENERATOR);
        others.map(|(_, seconds)| seconds).sum()
    }

    pub(crate) fn server(&self) -> f64 {
        self.0.first().map_or(0.0, |(_, seconds)| *seconds)
    }

    pub(crate) fn generator(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, seconds)| *seconds)
    }
}

async fn spent(trees: Vec<Tree>) -> Result<Vec<(Tree, f64)>> {
    let read = move || {
        let with_seconds = |tree: Tree| {
            let seconds = tree.cpu_seconds()?;
            Ok((tree, seconds))
        };
        trees.into_iter().map(with_seconds).collect()
    };
    tokio::task::spawn_blocking(read).await?
}
