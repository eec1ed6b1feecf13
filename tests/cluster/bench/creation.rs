//! How long it takes from a new cluster to the last of its children.

use serde_json::json;

use super::fleet::Fleet;
use super::numbers::{percentile, rounded, summary};
use super::replay::Replay;
use super::report::{Figure, Measured};

/// Connections of the replay of one cluster, as the design page names them.
const SINGLE_CONNECTIONS: usize = 8;
/// Connections of the replay of many; more gain nothing on this server.
const BURST_CONNECTIONS: usize = 16;

/// One cluster after another, each paired with a replay of the same objects.
pub async fn singles(fleet: &Fleet<'_>, count: usize) -> Measured {
    let replay = Replay::create(fleet, "single").await;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for number in 0..count {
        let names = [format!("single-{number}")];
        ours.push(fleet.create(&names).await * 1000.0);
        bare.push(replay.send(replay.bodies(fleet, &names), SINGLE_CONNECTIONS).await * 1000.0);
        fleet.calm_for_a_moment().await;
    }
    let children = fleet.children as f64;
    let ratio = percentile(&ours, 0.5) / percentile(&bare, 0.5);
    let milliseconds = |share: f64| format!("{:.0} ms", percentile(&ours, share));
    let figures = vec![
        Figure::plain("children per cluster", fleet.children),
        Figure::plain("create → last child exists, p50", milliseconds(0.5)),
        Figure::plain("create → last child exists, p99", milliseconds(0.99)),
        Figure::with_goal(
            "the same per child, p50",
            format!("{:.2} ms", percentile(&ours, 0.5) / children),
            "≤ 6.2 ms (a good Go operator)",
        ),
        Figure::plain("bare replay over 8 connections, p50", format!("{:.0} ms", percentile(&bare, 0.5))),
        Figure::with_goal("operator ÷ replay, p50", format!("{ratio:.2}"), "≤ 1.3"),
    ];
    let raw = json!({"unit": "milliseconds", "operator": summary(&ours), "replay": summary(&bare), "ratio": rounded(ratio)});
    (figures, raw)
}

/// Many clusters at once, between two replays of as many objects.
pub async fn burst(fleet: &Fleet<'_>, count: usize) -> Measured {
    let names: Vec<String> = (0..count).map(|number| format!("burst-{number}")).collect();
    let objects = (count * fleet.children) as f64;
    let mut bare = Vec::new();
    let before = Replay::create(fleet, "before").await;
    bare.push(objects / before.send(before.bodies(fleet, &names), BURST_CONNECTIONS).await);
    let ours = objects / fleet.create(&names).await;
    let after = Replay::create(fleet, "after").await;
    bare.push(objects / after.send(after.bodies(fleet, &names), BURST_CONNECTIONS).await);
    let mean = bare.iter().sum::<f64>() / bare.len() as f64;
    let figures = vec![
        Figure::plain("clusters at once", count),
        Figure::plain("children per second", format!("{ours:.0}")),
        Figure::plain(
            "bare replay over 16 connections, before and after",
            format!("{:.0} and {:.0} per second", bare[0], bare[1]),
        ),
        Figure::with_goal(
            "operator ÷ replay",
            format!("{:.0} %", 100.0 * ours / mean),
            "≥ 80 % (Go operators: 49 % and 11 %)",
        ),
    ];
    (
        figures,
        json!({"unit": "children per second", "operator": rounded(ours), "replay": bare, "ratio": rounded(ours / mean)}),
    )
}
