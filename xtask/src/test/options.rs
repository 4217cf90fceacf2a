//! The options of `cargo xtask test`: which parts run, on which hosts, and which tests.
//!
//! To add a part, add a variant to [`Part`].

use colloquy_harness::hosts::Host;

/// A part of the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// The architecture checks, those of the pages, and the Worker's build.
    Lint,
    /// The simulator, its mutations, unit and integration tests.
    Unit,
    /// The suites that use HTTP and WebSocket only, on every host.
    Blackbox,
    /// The SDK in every runtime, on every host. A filter leaves it out.
    Sdk,
    /// The pages in Chromium, on every host.
    Browser,
}

/// What is tested; by default everything.
#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    /// Run only the suites of this host.
    #[arg(long)]
    host: Option<Host>,
    /// Run only this part.
    #[arg(long)]
    only: Option<Part>,
    /// Test servers built with the release profile; slow to build.
    #[arg(long)]
    pub(super) release: bool,
    /// Run only tests whose names contain this.
    #[arg(last = true)]
    pub(super) filter: Option<String>,
}

impl TestOptions {
    /// `--host` selects the parts that run on hosts.
    pub(super) fn runs(&self, part: Part) -> bool {
        match self.only {
            Some(only) => only == part,
            None => self.host.is_none() || !matches!(part, Part::Lint | Part::Unit),
        }
    }

    /// Whether servers are needed.
    pub(super) fn runs_hosts(&self) -> bool {
        self.runs(Part::Blackbox) || self.runs(Part::Sdk) || self.runs(Part::Browser)
    }

    /// Without `--only browser`, a filter is meant for tests in Rust.
    pub(super) fn runs_browser(&self) -> bool {
        self.only == Some(Part::Browser) || (self.runs(Part::Browser) && self.filter.is_none())
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = Host> {
        let only = self.host;
        let all = Host::ALL.into_iter();
        all.filter(move |host| only.is_none_or(|only| only == *host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed;

    #[test]
    fn test_options_are_parsed() {
        let parse = parsed::<TestOptions>;
        assert_eq!(parse("").unwrap(), TestOptions::default());
        let options = parse("--host local --release -- resume").unwrap();
        assert_eq!(options.host, Some(Host::Sqlite));
        assert_eq!(options.filter.as_deref(), Some("resume"));
        assert!(options.runs(Part::Blackbox) && !options.runs(Part::Unit));
        assert_eq!(parse("--host edge").unwrap().hosts().count(), 1);
        assert_eq!(parse("").unwrap().hosts().count(), 3);
        assert!(parse("--only lint").unwrap().runs(Part::Lint));
        assert!(
            !options.runs_browser(),
            "the filter is one of cargo's tests"
        );
        let browser = parse("--only browser --host sqlite -- keyboard").unwrap();
        assert!(browser.runs_browser() && !browser.runs(Part::Blackbox));
        assert!(parse("--host edge").unwrap().runs_browser());
        assert!(!parse("--only unit").unwrap().runs_hosts());
        let sdk = parse("--only sdk --host edge").unwrap();
        assert!(sdk.runs_hosts() && sdk.runs(Part::Sdk) && !sdk.runs_browser());
        for invalid in ["--host", "--host oracle", "--only all", "resume", "-- a b"] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }
}
