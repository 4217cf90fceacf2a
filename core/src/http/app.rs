//! The state that handlers share.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::Settings;
use crate::service::Services;

/// A server's state; cheap to clone.
#[derive(Clone)]
pub struct App {
    settings: Arc<Settings>,
    services: Arc<Services>,
    /// The OpenAPI document, as JSON.
    document: Bytes,
}

impl App {
    /// The state over these settings and services.
    pub fn new(settings: Arc<Settings>, services: Arc<Services>) -> Self {
        Self {
            settings,
            services,
            document: Bytes::new(),
        }
    }

    /// The same state with the description of the routes.
    pub(super) fn with_document(self, document: Bytes) -> Self {
        Self { document, ..self }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn services(&self) -> &Services {
        &self.services
    }

    pub(super) fn document(&self) -> Bytes {
        self.document.clone()
    }
}
