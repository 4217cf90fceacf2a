//! The command line: what the program can be asked to do besides serving.

use clap::{Args, Parser, Subcommand};

/// A real-time chat server. Without a command it serves.
///
/// Settings come from the environment and from a file `.env` in the working folder; the
/// environment wins. `.env.example` lists them all.
#[derive(Debug, Parser)]
#[command(version, about, long_about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve HTTP and WebSocket on HOST:PORT.
    Serve(Serve),
    /// Bring the database's schema up to date.
    Migrate,
    /// Make an account that may use /api/admin/.
    ///
    /// The password is taken from `COLLOQUY_ADMIN_PASSWORD`, or asked for.
    CreateAdmin(CreateAdmin),
    /// Declare that history may have been rewritten: run this after restoring a backup.
    ///
    /// Clients that reconnect then load their conversations anew instead of resuming, and cached
    /// histories are left unread.
    RenewEpoch,
    /// Succeed if the server on HOST:PORT lives.
    Healthcheck,
}

/// How to serve.
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Without a `SECRET_KEY`, make one and keep it in `DATA_DIR/secret.key`, with PostgreSQL too.
    ///
    /// For one server alone: several that share a database must share the key as well.
    #[arg(long)]
    pub make_secret_key: bool,
}

/// Whom to make.
#[derive(Debug, Args)]
pub struct CreateAdmin {
    /// The username; asked for when absent.
    #[arg(long)]
    pub username: Option<String>,
    /// The e-mail address; asked for when absent.
    #[arg(long)]
    pub email: Option<String>,
}
