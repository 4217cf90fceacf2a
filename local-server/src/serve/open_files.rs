//! The limit of open files: every connection needs one descriptor.

/// Raises the soft limit of this process to the hard one. Returns the limit in force; `None` when it
/// is unlimited or unknown.
#[cfg(unix)]
pub fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        tracing::info!(limit = current, "limit of open files");
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => {
            tracing::info!(limit = maximum, was = current, "limit of open files raised");
            maximum
        }
        Err(error) => {
            tracing::warn!(%error, limit = current, "limit of open files cannot be raised");
            current
        }
    }
}

/// Other systems have no such limit, or none that can be read.
#[cfg(not(unix))]
pub fn raise_limit() -> Option<u64> {
    None
}
