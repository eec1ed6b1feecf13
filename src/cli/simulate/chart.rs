//! A simulated run as a picture: load, instances, response time and refusals over one axis of time.

mod panel;

use super::Report;
use super::table::thousands;
use crate::cli::svg::Svg;
use crate::simulate::Interval;
use panel::{Axis, Frame, Line, Panel, Style};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 820;
/// Points drawn at most: no screen shows more.
const MOST_POINTS: usize = 800;

/// Colours follow the reader's light or dark screen.
const STYLE: &str = "
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 } .title { font-size: 18px; font-weight: 600 }
  .heading { font-size: 13px; font-weight: 600 }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round } .dashed { stroke-dasharray: 6 4 }
  .blue { stroke: #0969da } .green { stroke: #1a7f37 } .orange { stroke: #bc4c00 }
  .red { stroke: #cf222e } .grey { stroke: #818b98 }
  .area.blue, .area.red { stroke: none }
  .area.blue { fill: #0969da; fill-opacity: .15 } .area.red { fill: #cf222e; fill-opacity: .25 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
    .blue { stroke: #58a6ff } .green { stroke: #3fb950 } .orange { stroke: #f0883e }
    .red { stroke: #ff7b72 } .grey { stroke: #7d8590 }
    .area.blue { fill: #58a6ff; fill-opacity: .2 } .area.red { fill: #ff7b72; fill-opacity: .3 }
  }
";

/// Draws the run.
pub(super) fn draw(report: &Report) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT, &format!("Simulated: {}", report.title));
    svg.leaf("style", &[], STYLE);
    svg.empty("rect", &[("class", &"paper"), ("width", &"100%"), ("height", &"100%")]);
    svg.leaf("text", &[("class", &"ink title"), ("x", &70), ("y", &32)], &report.title);
    svg.leaf("text", &[("class", &"faint"), ("x", &70), ("y", &52)], &subtitle(report));
    let points = condense(&report.run.intervals);
    let seconds = f64::from(report.totals.seconds);
    let panels =
        [users(report, &points), instances(report, &points), response(report, &points), refused(&points)];
    let mut top = 76.0;
    for (panel, height) in panels.iter().zip([150.0, 130.0, 130.0, 90.0]) {
        let frame = Frame { left: 70.0, top: top + 26.0, width: f64::from(WIDTH) - 95.0, height, seconds };
        panel.draw(&mut svg, frame);
        top += height + 54.0;
    }
    panel::time_axis(
        &mut svg,
        Frame { left: 70.0, top: top - 6.0, width: f64::from(WIDTH) - 95.0, height: 0.0, seconds },
    );
    svg.finish()
}

fn subtitle(report: &Report) -> String {
    let totals = &report.totals;
    let cost = totals.cost.map(|cost| format!(" · cost {cost:.2}")).unwrap_or_default();
    format!(
        "{} served, {} refused ({:.2} %) · p95 at worst {:.0} ms · {} to {} instances, {:.1} instance-hours{cost}",
        thousands(totals.served),
        thousands(totals.refused),
        totals.refused_percent,
        totals.worst_p95_milliseconds,
        totals.fewest_instances,
        totals.most_instances,
        totals.instance_hours
    )
}

/// One point of the picture.
#[derive(Clone, Copy)]
struct Point {
    second: f64,
    users: f64,
    desired: f64,
    ready: f64,
    p95: Option<f64>,
    refused_per_second: f64,
}

/// As few points as can be told apart; each keeps the worst of what it stands for.
fn condense(intervals: &[Interval]) -> Vec<Point> {
    let size = intervals.len().div_ceil(MOST_POINTS).max(1);
    intervals.chunks(size).filter_map(point).collect()
}

fn point(group: &[Interval]) -> Option<Point> {
    let largest = |of: fn(&Interval) -> f64| group.iter().map(of).fold(0.0, f64::max);
    let longest = |longest: f64, p95: Option<f64>| p95.map(|p95| longest.max(p95));
    Some(Point {
        second: f64::from(group.first()?.second),
        users: largest(|one| f64::from(one.users)),
        desired: largest(|one| count(one.desired)),
        ready: group.iter().map(|one| count(one.ready)).fold(f64::INFINITY, f64::min),
        p95: group.iter().map(|one| one.p95_milliseconds).try_fold(0.0, longest),
        refused_per_second: largest(|one| one.refused / f64::from(one.seconds.max(1))),
    })
}

/// Exact: replicas are at most 10,000.
fn count(replicas: i64) -> f64 {
    f64::from(i32::try_from(replicas).unwrap_or(i32::MAX))
}

fn line(name: &'static str, style: Style, points: &[Point], of: impl Fn(&Point) -> Option<f64>) -> Line {
    Line { name, style, points: points.iter().map(|point| (point.second, of(point))).collect() }
}

fn users(report: &Report, points: &[Point]) -> Panel {
    let (each, knee) = (count(report.run.users_per_instance), count(report.run.knee_users));
    Panel {
        heading: "Users",
        axis: Axis::Linear,
        lines: vec![
            line("present", Style::new("blue").filled(), points, |point| Some(point.users)),
            line("planned for, on the ready instances", Style::new("green").stepped(), points, |point| {
                Some(point.ready * each)
            }),
            line(
                "at the knee of the ready instances",
                Style::new("grey").stepped().dashed(),
                points,
                |point| Some(point.ready * knee),
            ),
        ],
    }
}

fn instances(report: &Report, points: &[Point]) -> Panel {
    let bounds = report.run.bounds;
    Panel {
        heading: "Instances",
        axis: Axis::Linear,
        lines: vec![
            line("most", Style::new("grey").dashed(), points, |_| Some(count(bounds.1))),
            line("fewest", Style::new("grey").dashed(), points, |_| Some(count(bounds.0))),
            line("wanted by the autoscaler", Style::new("orange").stepped(), points, |point| {
                Some(point.desired)
            }),
            line("ready", Style::new("green").stepped(), points, |point| Some(point.ready)),
        ],
    }
}

fn response(report: &Report, points: &[Point]) -> Panel {
    let objective = report.run.objective_milliseconds;
    Panel {
        heading: "Response time of the requests let in (ms, logarithmic)",
        axis: Axis::Logarithmic,
        lines: vec![
            line("objective", Style::new("grey").dashed(), points, |_| Some(objective)),
            line("p95", Style::new("blue"), points, |point| point.p95),
        ],
    }
}

fn refused(points: &[Point]) -> Panel {
    Panel {
        heading: "Refused (requests per second)",
        axis: Axis::Linear,
        lines: vec![line("refused", Style::new("red").filled(), points, |point| {
            Some(point.refused_per_second)
        })],
    }
}
