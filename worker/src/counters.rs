//! The counters of rate limits as Durable Objects, found by a counter's key.
//!
//! Owns which object counts what, and what happens without it: then this isolate counts, so that limits
//! hold and no request fails because of them. The buckets are in `limits_do.rs`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use colloquy_core::counters::InProcessCounters;
use colloquy_core::ports::{BucketEmpty, Charge, Clock, CounterKey, Counters, Returned};
use futures_util::future::{Either, select};
use worker::durable::ObjectNamespace;
use worker::send::SendFuture;
use worker::{Delay, Env, Result};

use crate::rpc::{self, CHARGE, GIVE_BACK, LIMITS};

/// The objects among which the keys are divided. Changing it resets the counters.
const OBJECTS: u64 = 16;

/// The longest wait for an object.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The most buckets of a kind in this isolate, while an object is unavailable.
const LOCAL_CAPACITY: usize = 8_192;

/// [`Counters`] as objects.
pub(crate) struct EdgeCounters {
    objects: ObjectNamespace,
    local: InProcessCounters,
}

impl EdgeCounters {
    /// The namespace this Worker is bound to.
    pub(crate) fn of(env: &Env, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self {
            objects: env.durable_object(LIMITS)?,
            local: InProcessCounters::new(clock, LOCAL_CAPACITY),
        })
    }

    async fn charge_in(
        &self,
        object: u64,
        charges: &[Charge],
    ) -> Result<std::result::Result<i64, BucketEmpty>> {
        tracing::debug!(object, "charging counters");
        let stub = self.objects.get_by_name(&object.to_string())?;
        rpc::call(&stub, CHARGE, &charges).await
    }

    async fn give_back_in(&self, object: u64, returned: &[(Charge, Returned)]) -> Result<()> {
        tracing::debug!(object, "returning to counters");
        let stub = self.objects.get_by_name(&object.to_string())?;
        rpc::call(&stub, GIVE_BACK, &returned).await
    }
}

#[async_trait]
impl Counters for EdgeCounters {
    async fn charge(&self, charges: &[Charge]) -> std::result::Result<i64, BucketEmpty> {
        let (mut used, mut before) = (0, 0);
        for group in charges.chunk_by(|one, next| object_of(one.key) == object_of(next.key)) {
            let Some(first) = group.first() else { continue };
            let call = self.charge_in(object_of(first.key), group);
            let outcome = match SendFuture::new(in_time(call)).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    log_unreachable(&error);
                    self.local.charge_now(group)
                }
            };
            used = outcome.map_err(|empty| BucketEmpty {
                index: before + empty.index,
                ..empty
            })?;
            before += group.len();
        }
        Ok(used)
    }

    async fn give_back(&self, returned: &[(Charge, Returned)]) {
        let same = |one: &(Charge, Returned), next: &(Charge, Returned)| {
            object_of(one.0.key) == object_of(next.0.key)
        };
        for group in returned.chunk_by(same) {
            let Some((first, _)) = group.first() else {
                continue;
            };
            let call = self.give_back_in(object_of(first.key), group);
            if let Err(error) = SendFuture::new(in_time(call)).await {
                log_unreachable(&error);
                self.local.give_back(group).await;
            }
        }
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    match select(pin!(call), pin!(Delay::from(CALL_TIMEOUT))).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err("no response in time".into()),
    }
}

const fn object_of(key: CounterKey) -> u64 {
    key.partition % OBJECTS
}

fn log_unreachable(error: &worker::Error) {
    tracing::error!(error = %error, "limits object unreachable, counting in this isolate");
}
