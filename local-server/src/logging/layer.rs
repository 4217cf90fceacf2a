//! From tracing's events to lines: gathers the fields of an event and of the spans around it.

use std::sync::Arc;

use colloquy_core::config::LogFormat;
use colloquy_core::ports::Clock;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::API_TARGET;
use super::line::{Line, Said};
use super::writer::{Entry, Queue};

/// Renders each event once and queues it.
pub(super) struct LineLayer {
    clock: Arc<dyn Clock>,
    format: LogFormat,
    queue: Queue,
}

impl LineLayer {
    pub(super) fn new(clock: Arc<dyn Clock>, format: LogFormat, queue: Queue) -> Self {
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
            let mut said = Said::of(attributes.metadata());
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
        let mut said = Said::of(event.metadata());
        event.record(&mut said);
        let mut function = None;
        // From the innermost span outwards: the nearer value of a name is the one that counts.
        for span in context.event_scope(event).into_iter().flatten() {
            function.get_or_insert(span.name());
            if let Some(outer) = span.extensions().get::<Said>() {
                for (name, value) in &outer.fields {
                    if !said.fields.iter().any(|(known, _)| known == name) {
                        said.fields.push((name, value.clone()));
                    }
                }
            }
        }
        let at = self.clock.now();
        let metadata = event.metadata();
        let text = Line {
            at,
            metadata,
            function,
            said,
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
