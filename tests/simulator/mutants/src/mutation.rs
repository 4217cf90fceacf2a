//! What a mutation is: texts of the Room's sources and their replacements.

/// A fault to plant.
pub(crate) struct Mutation {
    /// What the mutated Room does wrong, in a few words.
    pub(crate) name: &'static str,
    pub(crate) edits: &'static [Edit],
}

/// A text that is in its file exactly once, and its replacement.
pub(crate) struct Edit {
    /// Below `proto/src/room`.
    pub(crate) file: &'static str,
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
}

pub(crate) const fn edit(file: &'static str, old: &'static str, new: &'static str) -> Edit {
    Edit { file, old, new }
}
