//! To come: service.
