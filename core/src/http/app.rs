//! What handlers share.

use std::sync::Arc;

use bytes::Bytes;
use utoipa::openapi::OpenApi;

use crate::config::Settings;
use crate::service::Services;

/// A server's state; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    services: Arc<Services>,
    document: Bytes,
}

impl App {
    /// Puts settings and services together.
    pub fn new(settings: Arc<Settings>, services: Arc<Services>) -> Self {
        Self(Arc::new(Inner {
            settings,
            services,
            document: Bytes::new(),
        }))
    }

    /// The same, with the description of its routes.
    pub(super) fn describing(self, document: OpenApi) -> Self {
        let document = super::openapi::write(document);
        let Inner {
            settings, services, ..
        } = &*self.0;
        Self(Arc::new(Inner {
            settings: Arc::clone(settings),
            services: Arc::clone(services),
            document,
        }))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn services(&self) -> &Services {
        &self.0.services
    }

    pub(super) fn document(&self) -> Bytes {
        self.0.document.clone()
    }
}
