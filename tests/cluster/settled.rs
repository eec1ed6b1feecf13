//! A fleet on simulated nodes at rest, by the audit log.
//!
//! Simulated pods say that they are ready and answer nothing, so these clusters wait for their
//! databases for ever: the harder half of "costs nothing when nothing changes". The other half, one
//! cluster that is Ready on real pods, is `quiet`.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::bench::fleet::Fleet;
use crate::support::audit::{Audit, Call};
use crate::support::cluster::settled_seconds;
use crate::support::until::seconds;
use crate::support::{Needs, World, sample, scenario, until};

/// Clusters, in full and as a sample.
const CLUSTERS: [usize; 2] = [100, 20];
/// Pods of each: API 2, gateway 2, MongoDB 3, Redis 6.
const PODS: usize = 13;

#[test]
#[ignore = "needs simulated nodes: make test"]
fn a_fleet_that_waits_causes_no_request_and_a_restart_no_write() {
    scenario(Needs::Lab, seconds(1500), async |world| match open_simulated_nodes(world).await {
        0 => println!("skipped: a fleet needs simulated nodes: lab up --simulated 30"),
        simulated => rests(world, simulated).await,
    });
}

async fn rests(world: &World, simulated: usize) {
    let clusters = if sample::thorough() { CLUSTERS[0] } else { CLUSTERS[1] };
    println!("{clusters} of {} clusters; all of them by make bench", CLUSTERS[0]);
    let fleet = Fleet::start(world).await;
    fleet.grow_to(clusters).await;
    until("every simulated pod runs", seconds(300), async || {
        let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
        let running = pods.iter().filter(|pod| crate::support::cluster::is_ready(pod)).count();
        if running >= clusters * PODS { Ok(()) } else { Err(format!("{running} run")) }
    })
    .await;
    // The autoscaler's first verdicts about missing metrics still change the status.
    tokio::time::sleep(seconds(60)).await;
    fleet.calm().await;
    let spent = settled_seconds();
    let audit = Audit::begin();
    tokio::time::sleep(Duration::from_secs(spent)).await;
    let calls: Vec<_> = audit.calls(&fleet.user).into_iter().filter(|call| !call.watches()).collect();
    let writes = calls.iter().filter(|call| Call::writes(call)).count();
    println!(
        "{clusters} clusters, {simulated} simulated nodes, {spent} s at rest: {writes} writes, {} reads",
        calls.len() - writes
    );
    assert!(calls.is_empty(), "at rest, and yet: {calls:?}");

    let restart = Audit::begin();
    let fleet = fleet.restarted().await;
    tokio::time::sleep(seconds(60)).await;
    let writes: Vec<_> = restart.calls(&fleet.user).into_iter().filter(Call::writes).collect();
    println!("restart at {clusters} clusters: {} writes", writes.len());
    assert!(writes.is_empty(), "a restart changed something: {writes:?}");
}

/// Simulated nodes are tainted so that real pods stay away; here only simulated ones shall be used.
async fn open_simulated_nodes(world: &World) -> usize {
    let nodes: Api<Node> = Api::all(world.client.clone());
    let all = nodes.list(&ListParams::default()).await.unwrap().items;
    let is_simulated = |node: &Node| {
        node.metadata.labels.iter().flatten().any(|(key, value)| key == "type" && value == "kwok")
    };
    let parameters = PatchParams::default();
    let mut simulated = 0;
    for node in all {
        let name = node.metadata.name.clone().unwrap();
        let spec = if is_simulated(&node) {
            simulated += 1;
            json!({"taints": null})
        } else {
            json!({"unschedulable": true})
        };
        nodes.patch(&name, &parameters, &Patch::Merge(json!({"spec": spec}))).await.unwrap();
    }
    simulated
}
