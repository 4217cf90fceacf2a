//! To come: cache.
