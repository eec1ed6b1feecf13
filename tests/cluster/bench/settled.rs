//! A hundred clusters on simulated nodes, for five minutes, by the audit log.
//!
//! Simulated pods say that they are ready and answer nothing, so these clusters wait for their
//! databases for ever: the harder half of "costs nothing when nothing changes". The other half, one
//! cluster that is Ready on real pods, is `quiet`.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use super::fleet::Fleet;
use crate::support::audit::{Audit, Call};
use crate::support::cluster::settled_seconds;
use crate::support::until::seconds;
use crate::support::{World, until};

/// Clusters.
const CLUSTERS: usize = 100;
/// Pods of each: API 2, gateway 2, MongoDB 3, Redis 6.
const PODS: usize = 13;

/// Nothing is written, nothing is read, and a restart writes nothing.
pub async fn fleet(world: &World) {
    let simulated = open_simulated_nodes(world).await;
    if simulated == 0 {
        println!("skipped: a settled fleet needs simulated nodes: lab up --simulated 30");
        return;
    }
    let fleet = Fleet::start(world).await;
    fleet.grow_to(CLUSTERS).await;
    until("every simulated pod runs", seconds(300), async || {
        let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
        let running = pods.iter().filter(|pod| crate::support::cluster::is_ready(pod)).count();
        if running >= CLUSTERS * PODS { Ok(()) } else { Err(format!("{running} run")) }
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
        "{CLUSTERS} clusters, {simulated} simulated nodes, {spent} s at rest: {writes} writes, {} reads",
        calls.len() - writes
    );
    assert!(calls.is_empty(), "at rest, and yet: {calls:?}");

    let restart = Audit::begin();
    let fleet = fleet.restarted().await;
    tokio::time::sleep(seconds(60)).await;
    let writes: Vec<_> = restart.calls(&fleet.user).into_iter().filter(Call::writes).collect();
    println!("restart at {CLUSTERS} clusters: {} writes", writes.len());
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
