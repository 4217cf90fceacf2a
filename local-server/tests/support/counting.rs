//! A driver that counts statements; one statement is one round trip.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use colloquy_core::store::driver::{Access, Driver, DriverError, Step};

pub(crate) struct Counting<D> {
    inner: D,
    count: AtomicUsize,
}

impl<D> Counting<D> {
    pub(crate) const fn new(inner: D) -> Self {
        Self {
            inner,
            count: AtomicUsize::new(0),
        }
    }

    /// The number of statements since the last call.
    pub(crate) fn take(&self) -> usize {
        self.count.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl<D: Driver> Driver for Counting<D> {
    async fn run(
        &self,
        access: Access,
        steps: &[Step<'_>],
    ) -> Result<Vec<Option<String>>, DriverError> {
        self.count.fetch_add(steps.len(), Ordering::Relaxed);
        self.inner.run(access, steps).await
    }
}
