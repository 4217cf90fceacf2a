//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A real-time chat server. Without a command it runs `serve`.
///
/// Settings come from the environment and from a file `.env` in the working directory; the
/// environment wins. `.env.example` lists all of them.
#[derive(Debug, Parser)]
#[command(version, about, long_about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The command; `serve` by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve HTTP and WebSocket on HOST:PORT.
    Serve(Serve),
    /// Migrate the database schema.
    Migrate,
    /// Create an account with administrator rights.
    ///
    /// The password is read from `COLLOQUY_ADMIN_PASSWORD`, or prompted for.
    CreateAdmin(CreateAdmin),
    /// Copy the SQLite database into a new file, also while the server runs.
    ///
    /// The copy is verified. `DATA_DIR/secret.key` is not part of it: keep a copy of that file, too.
    Backup {
        /// The file to create.
        file: PathBuf,
    },
    /// Replace the SQLite database by a backup. Stop the server first.
    ///
    /// Verifies the backup, keeps the previous database beside the restored one, and starts a new
    /// epoch. Owner and permissions of the database and the key stay as they are.
    Restore {
        /// A file that `backup` created, or another copy of the database.
        file: PathBuf,
    },
    /// Start a new epoch. Run this after restoring a backup.
    ///
    /// Clients that reconnect then reload their history instead of resuming, and cached events of
    /// the old epoch are ignored.
    RenewEpoch,
    /// Succeed if the server on HOST:PORT is alive.
    Healthcheck,
}

/// Options of `serve`.
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Without a `SECRET_KEY`, generate one in `DATA_DIR/secret.key`, also with PostgreSQL.
    ///
    /// For a single server only: servers that share a database must share the key.
    #[arg(long)]
    pub make_secret_key: bool,
}

/// Options of `create-admin`.
#[derive(Debug, Args)]
pub struct CreateAdmin {
    /// The username; prompted for if absent.
    #[arg(long)]
    pub username: Option<String>,
    /// The e-mail address; prompted for if absent.
    #[arg(long)]
    pub email: Option<String>,
}
