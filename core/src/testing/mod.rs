//! To come: testing.
