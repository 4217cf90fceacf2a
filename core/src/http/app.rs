//! The state that handlers share.

use std::sync::Arc;

use super::representation::Representation;
use crate::config::Settings;
use crate::ports::{Assets, NoAssets};
use crate::service::Services;

/// A server's state; cheap to clone.
#[derive(Clone)]
pub struct App {
    settings: Arc<Settings>,
    services: Arc<Services>,
    assets: Arc<dyn Assets>,
    /// The OpenAPI document; set when the router is built.
    document: Option<Arc<Representation>>,
}

impl App {
    /// The state over these settings and services, without files.
    pub fn new(settings: Arc<Settings>, services: Arc<Services>) -> Self {
        Self {
            settings,
            services,
            assets: Arc::new(NoAssets),
            document: None,
        }
    }

    /// The same state with the pages of the browser, on a host that serves them itself.
    #[must_use]
    pub fn with_assets(self, assets: Arc<dyn Assets>) -> Self {
        Self { assets, ..self }
    }

    /// The same state with the description of the routes.
    pub(super) fn with_document(self, document: Representation) -> Self {
        let document = Some(Arc::new(document));
        Self { document, ..self }
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

    pub(super) fn document(&self) -> Option<&Representation> {
        self.document.as_deref()
    }
}
