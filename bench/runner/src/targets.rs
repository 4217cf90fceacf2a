//! The targets: the servers that are measured, by name.
//!
//! To add a target: a variant here and the way to start it in `running`.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use colloquy_harness::hosts::Host;

/// One kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The local server on PostgreSQL, cache in Redis behind its HTTP proxy.
    Postgres,
    /// The local server on `SQLite`, cache in process.
    Sqlite,
    /// The Worker in workerd on PostgreSQL and Redis.
    Edge,
    /// The bare broadcast server.
    Baseline,
    /// Node with `ws` and `pg`.
    Node,
    /// A Durable Object in JavaScript that stores in its own storage.
    Object,
    /// The same without storing.
    ObjectWithoutStore,
    /// The same, storing in PostgreSQL through Hyperdrive.
    ObjectOnPostgres,
    /// The same, storing there by the statement Colloquy uses for a single send.
    ObjectThatAppends,
}

impl Target {
    pub(crate) const ALL: [Self; 9] = [
        Self::Postgres,
        Self::Sqlite,
        Self::Edge,
        Self::Baseline,
        Self::Node,
        Self::Object,
        Self::ObjectWithoutStore,
        Self::ObjectOnPostgres,
        Self::ObjectThatAppends,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::Edge => "edge",
            Self::Baseline => "baseline",
            Self::Node => "node",
            Self::Object => "durable-object",
            Self::ObjectWithoutStore => "durable-object-without-store",
            Self::ObjectOnPostgres => "durable-object-postgres",
            Self::ObjectThatAppends => "durable-object-append",
        }
    }

    /// The host of Colloquy, unless the target is a baseline.
    pub(crate) const fn host(self) -> Option<Host> {
        match self {
            Self::Postgres => Some(Host::Postgres),
            Self::Sqlite => Some(Host::Sqlite),
            Self::Edge => Some(Host::Edge),
            _ => None,
        }
    }

    /// Whether Colloquy is compared with it.
    pub(crate) const fn is_baseline(self) -> bool {
        self.host().is_none()
    }

    /// Whether it has no accounts and admits any client to any room.
    pub(crate) const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Baseline
                | Self::Object
                | Self::ObjectWithoutStore
                | Self::ObjectOnPostgres
                | Self::ObjectThatAppends
        )
    }

    /// Whether the CPU time of PostgreSQL counts as its own.
    pub(crate) const fn uses_postgres(self) -> bool {
        matches!(
            self,
            Self::Postgres
                | Self::Edge
                | Self::Node
                | Self::ObjectOnPostgres
                | Self::ObjectThatAppends
        )
    }
}

/// By name on a command line.
impl ValueEnum for Target {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// A target and the protocol version of its sockets.
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) v2: bool,
}

impl Subject {
    pub(crate) fn name(&self) -> String {
        let version = match (self.target.is_baseline(), self.v2) {
            (true, _) => "",
            (false, false) => " v1",
            (false, true) => " v2",
        };
        format!("{}{version}", self.target.name())
    }
}
