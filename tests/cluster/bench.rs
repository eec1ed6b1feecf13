//! `make bench`: what the operator costs, measured beside what this very API server can do at all.
//!
//! Not part of `make test`: a timing is no test. The lab's controller manager is stopped meanwhile, so
//! that the server works for the operator and for the replay alone, and no pods come into being.
//! Every figure is printed and written to `target/measurements/bench.json` with its raw numbers.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a measurement are far below 2^52"
)]

mod creation;
mod drift;
pub mod fleet;
mod footprint;
mod numbers;
mod replay;
mod report;

use serde_json::json;

use crate::support::until::seconds;
use crate::support::{Needs, lab, scenario};
use report::Report;

/// Clusters created one after another.
const SINGLES: usize = 20;
/// Clusters created at once.
const BURST: usize = 200;
/// Sizes of the fleet at which memory and CPU are read.
const FLEETS: [usize; 2] = [100, 500];
/// Children changed or deleted by somebody else.
const EDITS: usize = 200;

#[test]
fn what_the_operator_costs() {
    if !asked_for("what_the_operator_costs") {
        return;
    }
    scenario(Needs::Lab, seconds(1500), async |world| {
        lab::output(&["component", "stop", "kube-controller-manager"]);
        let mut report = Report::new();
        report.add("binary", footprint::binary());
        let fleet = fleet::Fleet::start(world).await;
        report.add("memory and CPU, no cluster", footprint::of(&fleet, 0).await);
        report.add("create, one at a time", creation::singles(&fleet, SINGLES).await);
        let [smaller, larger] = FLEETS;
        fleet.grow_to(smaller).await;
        report.add(&format!("memory and CPU, {smaller} clusters"), footprint::of(&fleet, smaller).await);
        report.add("create, a burst", creation::burst(&fleet, BURST).await);
        report.add("drift repaired", drift::repairs(&fleet, EDITS).await);
        fleet.grow_to(larger).await;
        report.add(&format!("memory and CPU, {larger} clusters"), footprint::of(&fleet, larger).await);
        let fleet = fleet.restarted().await;
        report.add("restart, 500 clusters", footprint::restart(&fleet).await);
        report.write(&json!({"children": fleet.children}));
        fleet.remove().await;
        lab::output(&["up"]);
    });
}

#[test]
fn what_the_operator_holds_in_memory() {
    if !asked_for("what_the_operator_holds_in_memory") {
        return;
    }
    scenario(Needs::Lab, seconds(900), async |world| {
        lab::output(&["component", "stop", "kube-controller-manager"]);
        let fleet = fleet::Fleet::start(world).await;
        for clusters in FLEETS {
            fleet.grow_to(clusters).await;
            for figure in footprint::of(&fleet, clusters).await.0 {
                println!("  {clusters} clusters: {}: {}", figure.what, figure.value);
            }
        }
        fleet.remove().await;
        lab::output(&["up"]);
    });
}

/// Measurements are no tests: they run when `make bench` asks for them.
fn asked_for(name: &str) -> bool {
    let asked = std::env::var_os("EAISER_BENCH").is_some();
    if !asked {
        println!("skipped: {name} is a measurement: make bench");
    }
    asked
}
