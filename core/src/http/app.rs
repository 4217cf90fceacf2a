//! The state that handlers share.

use std::sync::Arc;

use super::representation::Representation;
use crate::config::Settings;
use crate::ports::{Assets, NoAssets};
use crate::service::Services;

/// The documents that are the same for every caller, made once.
#[derive(Default)]
pub(super) struct Documents {
    /// `/api/config/`
    pub(super) config: Representation,
    /// `/api/openapi.json`
    pub(super) openapi: Representation,
    /// `/api/asyncapi.json`
    pub(super) asyncapi: Representation,
}

/// A server's state; cheap to clone.
#[derive(Clone)]
pub struct App {
    settings: Arc<Settings>,
    services: Arc<Services>,
    assets: Arc<dyn Assets>,
    documents: Arc<Documents>,
}

impl App {
    /// The state over these settings and services, without files.
    pub fn new(settings: Arc<Settings>, services: Arc<Services>) -> Self {
        Self {
            settings,
            services,
            assets: Arc::new(NoAssets),
            documents: Arc::default(),
        }
    }

    /// The same state with the pages of the browser, on a host that serves them itself.
    #[must_use]
    pub fn with_assets(self, assets: Arc<dyn Assets>) -> Self {
        Self { assets, ..self }
    }

    /// The same state with the documents, which the router makes.
    pub(super) fn with_documents(self, documents: Documents) -> Self {
        let documents = Arc::new(documents);
        Self { documents, ..self }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn services(&self) -> &Services {
        &self.services
    }

    pub(super) fn assets(&self) -> &dyn Assets {
        &*self.assets
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }
}
