//! Optimisations of the edge adapter, apart from the plain path. Each module states what it saves,
//! which decision introduced it, and that correctness does not depend on it.

pub(crate) mod isolate_load;
pub(crate) mod microtasks;
pub(crate) mod shared_frames;
pub(crate) mod stream;
