//! One panel of a chart: a heading with a legend, an axis with round numbers, and lines over time.

use std::fmt::Write;

use crate::cli::simulate::table::{clock, thousands};
use crate::cli::svg::Svg;

/// Where a panel is, and how much time it spans.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) seconds: f64,
}

/// How values become heights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Linear,
    /// From 1 upwards.
    Logarithmic,
}

/// How a line looks.
#[derive(Clone, Copy)]
pub(super) struct Style {
    color: &'static str,
    is_filled: bool,
    is_stepped: bool,
    is_dashed: bool,
}

impl Style {
    pub(super) fn new(color: &'static str) -> Self {
        Self { color, is_filled: false, is_stepped: false, is_dashed: false }
    }

    /// With its area.
    pub(super) fn filled(self) -> Self {
        Self { is_filled: true, ..self }
    }

    /// A value holds until the next.
    pub(super) fn stepped(self) -> Self {
        Self { is_stepped: true, ..self }
    }

    pub(super) fn dashed(self) -> Self {
        Self { is_dashed: true, ..self }
    }

    fn class(self) -> String {
        format!("line {}{}", self.color, if self.is_dashed { " dashed" } else { "" })
    }
}

/// A value over time; it breaks off where there is none.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) style: Style,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A panel.
pub(super) struct Panel {
    pub(super) heading: &'static str,
    pub(super) axis: Axis,
    pub(super) lines: Vec<Line>,
}

impl Panel {
    pub(super) fn draw(&self, svg: &mut Svg, frame: Frame) {
        self.heading(svg, frame);
        let ticks = self.ticks();
        let most = ticks.last().copied().unwrap_or(1.0);
        let height = |value: f64| frame.top + frame.height * (1.0 - self.share(value, most));
        for tick in &ticks {
            let y = round(height(*tick));
            let right = frame.left + frame.width;
            svg.empty(
                "line",
                &[("class", &"grid"), ("x1", &frame.left), ("x2", &right), ("y1", &y), ("y2", &y)],
            );
            let label: [(&str, &dyn std::fmt::Display); 4] =
                [("class", &"faint"), ("x", &(frame.left - 8.0)), ("y", &(y + 4.0)), ("text-anchor", &"end")];
            svg.leaf("text", &label, &tick_label(*tick));
        }
        for line in &self.lines {
            let across = |second: f64| frame.left + frame.width * second / frame.seconds.max(1.0);
            for run in line.points.split(|(_, value)| value.is_none()) {
                let run: Vec<(f64, f64)> = run
                    .iter()
                    .filter_map(|(second, value)| Some((round(across(*second)), round(height((*value)?)))))
                    .collect();
                draw_run(svg, line.style, &run, frame.top + frame.height);
            }
        }
    }

    fn heading(&self, svg: &mut Svg, frame: Frame) {
        let y = frame.top - 10.0;
        svg.leaf("text", &[("class", &"ink heading"), ("x", &frame.left), ("y", &y)], self.heading);
        let mut right = frame.left + frame.width;
        for line in self.lines.iter().rev() {
            svg.leaf(
                "text",
                &[("class", &"faint"), ("x", &right), ("y", &y), ("text-anchor", &"end")],
                line.name,
            );
            // A letter is about 6.3 pixels wide.
            let start = right - width(line.name) - 8.0;
            let (x1, x2, y) = (round(start - 22.0), round(start), y - 4.0);
            svg.empty(
                "line",
                &[("class", &line.style.class()), ("x1", &x1), ("x2", &x2), ("y1", &y), ("y2", &y)],
            );
            right = x1 - 16.0;
        }
    }

    fn share(&self, value: f64, most: f64) -> f64 {
        match self.axis {
            Axis::Linear => value / most,
            Axis::Logarithmic => value.max(1.0).log10() / most.log10(),
        }
    }

    /// Round numbers from the bottom to above the largest value.
    fn ticks(&self) -> Vec<f64> {
        let values = self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, value)| *value));
        let largest = values.fold(1.0, f64::max);
        match self.axis {
            Axis::Linear => {
                let step = round_step(largest / 4.0);
                let ticks = std::iter::successors(Some(0.0), |tick| Some(tick + step));
                let mut ticks: Vec<f64> = ticks.take_while(|tick| *tick < largest).collect();
                ticks.push(ticks.last().map_or(step, |tick| tick + step));
                ticks
            }
            Axis::Logarithmic => {
                let mut ticks = vec![1.0];
                while let Some(last) = ticks.last().copied().filter(|last| *last < largest.max(10.0)) {
                    ticks.push(last * 10.0);
                }
                ticks
            }
        }
    }
}

fn draw_run(svg: &mut Svg, style: Style, run: &[(f64, f64)], floor: f64) {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
    let mut path = format!("M{} {}", first.0, first.1);
    for (x, y) in run.iter().skip(1) {
        // Writing to a String cannot fail.
        let _ = if style.is_stepped { write!(path, "H{x}V{y}") } else { write!(path, "L{x} {y}") };
    }
    if style.is_filled {
        let area = format!("{path}L{} {floor}L{} {floor}Z", last.0, first.0);
        let class = format!("area {}", style.color);
        svg.empty("path", &[("class", &class), ("d", &area), ("stroke", &"none")]);
    }
    svg.empty("path", &[("class", &style.class()), ("d", &path)]);
}

/// The time under all panels.
pub(super) fn time_axis(svg: &mut Svg, frame: Frame) {
    const STEPS: [u32; 14] = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 86_400];
    let step = STEPS.into_iter().find(|step| frame.seconds / f64::from(*step) <= 9.0).unwrap_or(4 * 86_400);
    let seconds = (0..).map(|index| index * step).take_while(|second| f64::from(*second) <= frame.seconds);
    for second in seconds {
        let x = round(frame.left + frame.width * f64::from(second) / frame.seconds.max(1.0));
        let label: [(&str, &dyn std::fmt::Display); 4] =
            [("class", &"faint"), ("x", &x), ("y", &frame.top), ("text-anchor", &"middle")];
        svg.leaf("text", &label, &clock(second));
    }
    let x = frame.left + frame.width / 2.0;
    let label: [(&str, &dyn std::fmt::Display); 4] =
        [("class", &"faint"), ("x", &x), ("y", &(frame.top + 20.0)), ("text-anchor", &"middle")];
    svg.leaf("text", &label, "time since the start (h:mm:ss)");
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_step(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value * 0.999).unwrap_or(10.0 * power)
}

fn tick_label(value: f64) -> String {
    if value > 0.0 && value < 10.0 && value.fract() > 0.0 { format!("{value}") } else { thousands(value) }
}

fn width(text: &str) -> f64 {
    text.chars().map(|_| 6.3).sum()
}

/// A tenth of a pixel is enough.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: Axis, largest: f64) -> Vec<f64> {
        let line =
            Line { name: "a", style: Style::new("blue"), points: vec![(0.0, Some(largest)), (1.0, None)] };
        Panel { heading: "a", axis, lines: vec![line] }.ticks()
    }

    #[test]
    fn an_axis_has_round_numbers_and_room_for_the_largest_value() {
        assert_eq!(ticks(Axis::Linear, 100_000.0), [0.0, 50_000.0, 100_000.0]);
        assert_eq!(ticks(Axis::Linear, 70.0), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(ticks(Axis::Linear, 0.0), [0.0, 0.5, 1.0], "nothing to show");
        assert_eq!(ticks(Axis::Logarithmic, 500.0), [1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn a_line_breaks_off_where_nobody_answers() {
        let points = vec![(0.0, Some(5.0)), (1.0, None), (2.0, Some(7.0)), (3.0, Some(8.0))];
        let panel = Panel {
            heading: "p95",
            axis: Axis::Logarithmic,
            lines: vec![Line { name: "p95", style: Style::new("blue"), points }],
        };
        let mut svg = Svg::new(100, 100, "t");
        panel.draw(&mut svg, Frame { left: 0.0, top: 0.0, width: 100.0, height: 50.0, seconds: 4.0 });
        assert_eq!(svg.finish().matches("<path").count(), 2);
    }
}
