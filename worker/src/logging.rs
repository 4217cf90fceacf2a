//! Log events as one JSON object each, on the console, where the platform collects them.
//!
//! Owns the form of a line. Which events are kept is `LOG_LEVEL`, read as one level; the platform
//! filters and searches.

use std::fmt;
use std::str::FromStr as _;

use colloquy_core::ports::Clock as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};
use worker::{console_error, console_log, console_warn};

use crate::clock::EdgeClock;

/// Fields whose names end like this never show their values.
const SECRET_NAMES: [&str; 5] = ["token", "password", "secret", "secret_key", "authorization"];

/// Starts logging, once an isolate. `level` is the first word of `LOG_LEVEL`.
pub(crate) fn start(level: &str) {
    let word = level.split(',').next().unwrap_or_default();
    let filter = LevelFilter::from_str(word).unwrap_or(LevelFilter::INFO);
    let subscriber = Registry::default().with(ConsoleLayer.with_filter(filter));
    // A second start of the same isolate keeps the first one's.
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// The id of the request that is being served, from the spans around: what an object is told, so
/// that its lines can be found by it.
pub(crate) fn request_id() -> Option<String> {
    tracing::dispatcher::get_default(|dispatch| {
        let registry: &Registry = dispatch.downcast_ref()?;
        let current = dispatch.current_span();
        let span = registry.span(current.id()?)?;
        span.scope().find_map(|span| {
            let extensions = span.extensions();
            let id = extensions.get::<Said>()?.0.get("request.id")?;
            id.as_str().map(str::to_owned)
        })
    })
}

struct ConsoleLayer;

#[derive(Default)]
struct Said(Map<String, Value>);

impl Said {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let secret = SECRET_NAMES.iter().any(|secret| name.ends_with(secret));
        self.0
            .insert(name.to_owned(), if secret { "…".into() } else { value });
    }
}

impl Visit for Said {
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
            let mut said = Said::default();
            attributes.record(&mut said);
            span.extensions_mut().insert(said);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(said) = span.extensions_mut().get_mut::<Said>()
        {
            values.record(said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Said>() {
                for (name, value) in &outer.0 {
                    said.0.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        let metadata = event.metadata();
        // Last, so that no field can take the place of one of these.
        let own = [
            ("level", metadata.level().as_str().into()),
            ("timestamp", EdgeClock.now().to_string().into()),
            ("module", metadata.target().into()),
        ];
        said.0
            .extend(own.map(|(name, value): (_, Value)| (name.to_owned(), value)));
        let line = Value::Object(said.0).to_string();
        match *metadata.level() {
            Level::ERROR => console_error!("{line}"),
            Level::WARN => console_warn!("{line}"),
            _ => console_log!("{line}"),
        }
    }
}
