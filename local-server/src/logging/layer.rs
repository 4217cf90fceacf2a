//! The tracing layer: collects the fields of an event and its spans and renders a line.

use std::sync::Arc;

use colloquy_core::config::LogFormat;
use colloquy_core::ports::Clock;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::API_TARGET;
use super::line::{Fields, Line};
use super::writer::{Entry, LineQueue};

/// Renders each event once and queues the line.
pub(super) struct LineLayer {
    clock: Arc<dyn Clock>,
    format: LogFormat,
    queue: LineQueue,
}

impl LineLayer {
    pub(super) fn new(clock: Arc<dyn Clock>, format: LogFormat, queue: LineQueue) -> Self {
        Self {
            clock,
            format,
            queue,
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LineLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::new(attributes.metadata());
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
        let mut fields = Fields::new(event.metadata());
        event.record(&mut fields);
        let mut function = None;
        // From the innermost span outwards: the inner value of a name wins.
        for span in context.event_scope(event).into_iter().flatten() {
            function.get_or_insert(span.name());
            if let Some(outer) = span.extensions().get::<Fields>() {
                for (name, value) in &outer.values {
                    if !fields.values.iter().any(|(known, _)| known == name) {
                        fields.values.push((name, value.clone()));
                    }
                }
            }
        }
        let at = self.clock.now();
        let metadata = event.metadata();
        let text = Line {
            at,
            level: *metadata.level(),
            target: metadata.target(),
            function,
            fields,
        }
        .render(self.format);
        let api = metadata.target() == API_TARGET;
        self.queue.push(Entry {
            at,
            level: *metadata.level(),
            api,
            text,
        });
    }
}
