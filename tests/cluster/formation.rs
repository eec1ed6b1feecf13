//! The operator is killed while it forms both databases.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use kube::api::{DeleteParams, ListParams};

use crate::support::cluster::{FORMED_WITHIN, NAME};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, databases, example, operator, scenario, until};

/// When the operator is killed: a number of seconds after apply, or as soon as something is seen.
enum Moment {
    After(f64),
    Children(usize),
    Logged(&'static str),
}

/// Ten moments, from before the first child to the last vote.
const MOMENTS: [Moment; 10] = [
    Moment::After(0.05),
    Moment::Children(1),
    Moment::Children(6),
    Moment::After(2.0),
    Moment::Logged("SetRedisEpochs"),
    Moment::Logged("InitiateReplicaSet"),
    Moment::Logged("AddMember"),
    Moment::Logged("AssignRedisSlots"),
    Moment::Logged("ReplicateRedis"),
    Moment::Logged("GrantVote"),
];

#[test]
#[ignore = "needs a cluster: make test"]
fn an_operator_killed_at_ten_moments_always_ends_with_one_set_and_whole_slots() {
    scenario(Needs::Lab, seconds(900), async |world| {
        for (round, moment) in MOMENTS.iter().enumerate() {
            let seen = operator::log(world).len();
            let operator = Operator::start(world);
            let cluster = Cluster::apply(world, example()).await;
            wait_for(world, moment, seen).await;
            operator.kill();
            let successor = Operator::start(world);
            let object = cluster.ready(FORMED_WITHIN).await;
            let snapshot = databases::observe(world, &object).await;
            databases::assert_one_replica_set(&snapshot, 3);
            databases::assert_slots_whole(&snapshot, 3);
            println!("killed {} of {}: one replica set, every slot owned once", round + 1, MOMENTS.len());
            cluster.delete().await;
            drop(successor);
            empty(world).await;
        }
    });
}

async fn wait_for(world: &World, moment: &Moment, seen: usize) {
    match moment {
        Moment::After(delay) => tokio::time::sleep(Duration::from_secs_f64(*delay)).await,
        Moment::Children(count) => {
            until("enough children exist", seconds(30), async || {
                let ours = ListParams::default().labels("app.kubernetes.io/managed-by=eaiser-operator");
                let services = world.api::<Service>().list(&ours).await.unwrap().items.len();
                let sets = world.api::<StatefulSet>().list(&ours).await.unwrap().items.len();
                if services + sets >= *count { Ok(()) } else { Err(format!("{services} and {sets}")) }
            })
            .await;
        }
        Moment::Logged(step) => {
            until(&format!("the operator logs {step}"), seconds(90), async || {
                let log = operator::log(world);
                if log[seen..].contains(step) { Ok(()) } else { Err("not yet".to_owned()) }
            })
            .await;
        }
    }
}

/// Removes what a deleted cluster leaves, so that the next round starts with empty disks.
async fn empty(world: &World) {
    until("the pods are gone", seconds(120), async || {
        let mut left = 0;
        for tier in ["api", "gateway", "mongodb", "redis"] {
            left += world.pods(tier).await.len();
        }
        if left == 0 { Ok(()) } else { Err(format!("{left} pods of {NAME} are left")) }
    })
    .await;
    let claims = world.api::<PersistentVolumeClaim>();
    claims.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    until("the claims are gone", seconds(60), async || {
        let left = claims.list(&ListParams::default()).await.unwrap().items.len();
        if left == 0 { Ok(()) } else { Err(format!("{left} claims")) }
    })
    .await;
}
