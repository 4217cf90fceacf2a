//! Logs: one JSON object per event, on the console, which the platform collects.
//!
//! Owns the format of a line. The platform stores, searches and filters.

use std::fmt;

use colloquy_core::ports::Clock as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};
use worker::{console_error, console_log, console_warn};

use crate::clock::EdgeClock;

/// Suffixes of field names whose values are redacted.
const SECRET_NAMES: [&str; 5] = ["token", "password", "secret", "secret_key", "authorization"];

/// Installs the subscriber, once per isolate. `directives` select the events, as in
/// `Settings::log_filter`.
pub(crate) fn start(directives: &str) {
    let filter: Targets = directives.parse().unwrap_or_default();
    // Spans carry the request id, which a warning needs even if info events are filtered out.
    let spans =
        filter_fn(|metadata: &Metadata<'_>| metadata.is_span()).with_max_level_hint(Level::INFO);
    let layer = ConsoleLayer.with_filter(filter.or(spans));
    // A second call in the same isolate keeps the first subscriber.
    drop(tracing::subscriber::set_global_default(
        Registry::default().with(layer),
    ));
}

/// The id of the current request, from the surrounding spans. It is passed to objects so that their
/// log lines carry it.
pub(crate) fn request_id() -> Option<String> {
    tracing::dispatcher::get_default(|dispatch| {
        let registry: &Registry = dispatch.downcast_ref()?;
        let current = dispatch.current_span();
        let span = registry.span(current.id()?)?;
        span.scope().find_map(|span| {
            let extensions = span.extensions();
            let id = extensions.get::<Fields>()?.0.get("request.id")?;
            id.as_str().map(str::to_owned)
        })
    })
}

struct ConsoleLayer;

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let secret = SECRET_NAMES.iter().any(|secret| name.ends_with(secret));
        self.0
            .insert(name.to_owned(), if secret { "…".into() } else { value });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ConsoleLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                for (name, value) in &outer.0 {
                    fields
                        .0
                        .entry(name.clone())
                        .or_insert_with(|| value.clone());
                }
            }
        }
        let metadata = event.metadata();
        // Last, so that no field can replace one of these.
        let own = [
            ("level", metadata.level().as_str().into()),
            ("timestamp", EdgeClock.now().to_string().into()),
            ("module", metadata.target().into()),
        ];
        fields
            .0
            .extend(own.map(|(name, value): (_, Value)| (name.to_owned(), value)));
        let line = Value::Object(fields.0).to_string();
        match *metadata.level() {
            Level::ERROR => console_error!("{line}"),
            Level::WARN => console_warn!("{line}"),
            _ => console_log!("{line}"),
        }
    }
}
