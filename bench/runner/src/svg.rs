//! Draws bar charts as SVG: one panel per group of bars, medians as bars, ranges as whiskers.
//!
//! A chart has its own background, and a dark variant for dark colour schemes.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
/// The column of bar labels.
const LABELS: f64 = 190.0;
/// The column of values.
const VALUES: f64 = 96.0;
const PADDING: f64 = 16.0;
const BAR: f64 = 14.0;
const ROW: f64 = 22.0;
const HEADER: f64 = 26.0;
/// Space for the ticks below a panel.
const AXIS: f64 = 34.0;

const STYLE: &str = "
  .background { fill: #ffffff; stroke: #d0d7de }
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .panel { font-weight: 600 }
  .tick { font-size: 11px; fill: #59636e }
  .grid { stroke: #d8dee4 }
  .whisker { stroke: #1f2328; stroke-width: 1.2 }
  .colloquy { fill: #2f6feb }
  .reference { fill: #a8b1bb }
  @media (prefers-color-scheme: dark) {
    .background { fill: #161b22; stroke: #3d444d }
    text { fill: #e6edf3 }
    .tick { fill: #9198a1 }
    .grid { stroke: #2d333b }
    .whisker { stroke: #e6edf3 }
    .colloquy { fill: #4c8dff }
    .reference { fill: #6e7681 }
  }
";

/// A chart of several panels.
pub(crate) struct Chart {
    pub(crate) title: String,
    /// Whether all panels have the same axis.
    pub(crate) shared_axis: bool,
    pub(crate) panels: Vec<Panel>,
}

/// Bars over one axis that starts at 0.
pub(crate) struct Panel {
    pub(crate) title: String,
    /// The unit of the bars.
    pub(crate) unit: String,
    pub(crate) digits: usize,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) label: String,
    /// A reference value is drawn in grey.
    pub(crate) is_reference: bool,
    pub(crate) value: f64,
    pub(crate) range: Option<(f64, f64)>,
}

impl Chart {
    pub(crate) fn svg(&self) -> String {
        let mut body = String::new();
        let _ = writeln!(
            body,
            r#"<text class="title" x="{PADDING}" y="30">{}</text>"#,
            escaped(&self.title)
        );
        let mut top = 44.0;
        let ends = self.panels.iter().map(Panel::largest);
        let shared = self.shared_axis.then(|| ends.fold(0.0, f64::max));
        for panel in &self.panels {
            panel.draw(top, shared.unwrap_or_else(|| panel.largest()), &mut body);
            top += panel.height();
        }
        let height = top + 8.0;
        let title = escaped(&self.title);
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>{title}</title>
<style>{STYLE}</style>
<rect class="background" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>
{body}</svg>
"#,
            WIDTH - 1.0,
            height - 1.0
        )
    }
}

impl Panel {
    fn rows_height(&self) -> f64 {
        let rows = u32::try_from(self.bars.len()).unwrap_or(u32::MAX);
        f64::from(rows) * ROW
    }

    fn height(&self) -> f64 {
        HEADER + self.rows_height() + AXIS
    }

    fn draw(&self, top: f64, largest: f64, out: &mut String) {
        let (left, right) = (PADDING + LABELS, WIDTH - PADDING - VALUES);
        let step = tick_step(largest);
        let ticks = ticks(step, largest);
        let end = ticks.last().copied().unwrap_or(1.0);
        let x = |value: f64| left + (right - left) * value / end;
        let (rows, bottom) = (top + HEADER, top + HEADER + self.rows_height());
        text(out, "panel", PADDING, top + 16.0, "start", &self.title);
        text(out, "tick", WIDTH - PADDING, top + 16.0, "end", &self.unit);
        for tick in &ticks {
            let at = x(*tick);
            let _ = writeln!(out, r#"<path class="grid" d="M{at:.1} {rows}V{bottom}"/>"#);
            let label = number(*tick, usize::from(step < 1.0));
            text(out, "tick", at, bottom + 14.0, "middle", &label);
        }
        for (bar, row) in self.bars.iter().zip(0_u32..) {
            self.draw_bar(bar, rows + f64::from(row) * ROW, &x, out);
        }
    }

    fn draw_bar(&self, bar: &Bar, top: f64, x: &dyn Fn(f64) -> f64, out: &mut String) {
        let class = if bar.is_reference {
            "reference"
        } else {
            "colloquy"
        };
        let (start, middle, edge) = (x(0.0), top + ROW / 2.0, (ROW - BAR) / 2.0);
        let baseline = middle + 4.0;
        text(out, "", start - 8.0, baseline, "end", &bar.label);
        let _ = writeln!(
            out,
            r#"<rect class="{class}" x="{start:.1}" y="{:.1}" width="{:.1}" height="{BAR}" rx="1.5"/>"#,
            top + edge,
            (x(bar.value) - start).max(1.0)
        );
        if let Some((min, max)) = bar.range {
            let (min, max) = (x(min), x(max));
            let (high, low) = (middle - 4.0, middle + 4.0);
            let _ = writeln!(
                out,
                r#"<path class="whisker" fill="none" d="M{min:.1} {high}V{low}M{min:.1} {middle}H{max:.1}M{max:.1} {high}V{low}"/>"#
            );
        }
        let value = number(bar.value, self.digits);
        text(out, "", WIDTH - PADDING, baseline, "end", &value);
    }

    /// The end of the longest bar or whisker.
    fn largest(&self) -> f64 {
        let ends = self.bars.iter().map(|bar| {
            let max = bar.range.map_or(bar.value, |(_, max)| max);
            max.max(bar.value)
        });
        ends.fold(0.0, f64::max)
    }
}

/// Multiples of `step` from 0 up to the first that is not below `largest`.
fn ticks(step: f64, largest: f64) -> Vec<f64> {
    let mut ticks = vec![0.0];
    for count in 1_u32.. {
        let tick = f64::from(count) * step;
        ticks.push(tick);
        if tick >= largest {
            break;
        }
    }
    ticks
}

/// A round step (1, 2 or 5 times a power of ten) that gives three to six ticks.
fn tick_step(largest: f64) -> f64 {
    let rough = (largest / 4.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fitting = factors.into_iter().find(|factor| factor * power >= rough);
    fitting.unwrap_or(10.0) * power
}

fn text(out: &mut String, class: &str, x: f64, y: f64, anchor: &str, content: &str) {
    let class = match class {
        "" => String::new(),
        name => format!(r#" class="{name}""#),
    };
    let _ = writeln!(
        out,
        r#"<text{class} x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
        escaped(content)
    );
}

/// With thousands separators.
fn number(value: f64, digits: usize) -> String {
    let plain = format!("{value:.digits$}");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_steps_are_round_and_few() {
        for (largest, step) in [(0.9, 0.5), (3.0, 1.0), (24.0, 10.0), (5_200_000.0, 2e6)] {
            assert!((tick_step(largest) / step - 1.0).abs() < 1e-9, "{largest}");
        }
    }

    #[test]
    fn chart_is_drawn_with_escaped_texts_and_grouped_numbers() {
        let bar = Bar {
            label: "a < b".to_owned(),
            is_reference: false,
            value: 1_870_125.0,
            range: Some((1_802_275.0, 2_252_275.0)),
        };
        let panel = Panel {
            title: "one room".to_owned(),
            unit: "deliveries/s".to_owned(),
            digits: 0,
            bars: vec![bar],
        };
        let chart = Chart {
            title: "Fan-out".to_owned(),
            shared_axis: false,
            panels: vec![panel],
        };
        let svg = chart.svg();
        assert!(svg.contains("a &lt; b") && svg.contains(">1,870,125<"));
        assert_eq!(svg.matches("class=\"whisker\"").count(), 1);
    }
}
