//! `PgBouncer` in transaction mode, as Debian packages it, in front of the test's PostgreSQL.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

/// Outside of an ordinary user's PATH.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// The port in the name of its socket. A socket of its own cannot be taken by another test.
const PORT: u16 = 6_432;

/// A running `PgBouncer`; killed when dropped.
pub(crate) struct PgBouncer {
    child: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// In front of the server of this URL, with two connections to it for each database: several
    /// clients share them.
    pub(crate) fn before(url: &str) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: run `cargo xtask test`, which installs it"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgbouncer.ini");
        fs::write(&path, configuration(url, folder.path())).expect("written");
        let mut command = Command::new(PROGRAM);
        if fs::metadata(&path).expect("exists").uid() == 0 {
            // It refuses to run as root, and uses the folder as the other user.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("usable");
            command.args(["-u", "postgres"]);
        }
        let child = command.arg(&path).stderr(Stdio::null()).spawn();
        let bouncer = Self {
            child: child.expect("it runs"),
            folder,
        };
        let socket = bouncer.folder.path().join(format!(".s.PGSQL.{PORT}"));
        let deadline = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        bouncer
    }

    /// The URL of a database through it.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres://any@localhost:{PORT}/{database}?host={folder}")
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The parts of `postgres://user:password@host:port/database`.
fn configuration(url: &str, folder: &Path) -> String {
    let folder = folder.display();
    let rest = url.split_once("://").expect("a URL").1;
    let (login, address) = rest.rsplit_once('@').expect("a user");
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let address = address.split('/').next().expect("an address");
    let (host, port) = address.split_once(':').unwrap_or((address, "5432"));
    format!(
        "[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_port = {PORT}
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 2
"
    )
}
