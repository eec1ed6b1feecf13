//! Ten deletions: five situations, each with volumes that stay and with volumes that go.

mod accounts;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example_with, merge, message};
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, scenario, until};

/// Acceptance bound: no finalizer keeps a deleted object longer.
const GONE_WITHIN: Duration = seconds(60);
/// Finalizer of a cluster whose volumes go with it.
const FINALIZER: &str = "eaiser.io/purge-volumes";
/// One MongoDB member and three Redis primaries.
const CLAIMS: usize = 4;

/// The smallest cluster, with a change.
fn small(change: Value) -> Value {
    let mut spec = json!({"mongodb": {"members": 1}, "redis": {"replicasPerShard": 0}});
    merge(&mut spec, change);
    example_with(spec)
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_healthy_cluster_goes_and_its_volumes_as_the_policy_says() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, small(json!({}))).await;
        cluster.ready(FORMED_WITHIN).await;
        assert_eq!(finalizers(&cluster.get().await), Vec::<String>::new(), "Retain needs no finalizer");
        let item = Kept::item(world).await;
        let claims = retained(world, &cluster, "healthy").await;

        let cluster = Cluster::apply(world, small(json!({"operation": {"deletionPolicy": "Delete"}}))).await;
        cluster.ready(FORMED_WITHIN).await;
        assert_eq!(self::claims(world).await, claims, "the new cluster adopts the volumes");
        item.is_still_there(world).await;
        purged(world, &cluster, "healthy").await;
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_degraded_cluster_goes_like_a_healthy_one() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let _operator = Operator::start(world);
        let broken = json!({"mongodb": {"image": "localhost/eaiser/none:1"}, "redis": {"image": "localhost/eaiser/none:1"}});
        let degrade = async |cluster: &Cluster| {
            cluster.ready(FORMED_WITHIN).await;
            cluster.change(broken.clone()).await;
            cluster.complains(&["localhost/eaiser/none:1"], FORMED_WITHIN).await;
        };
        let cluster = Cluster::apply(world, small(json!({}))).await;
        degrade(&cluster).await;
        retained(world, &cluster, "degraded").await;
        let cluster = Cluster::apply(world, small(json!({"operation": {"deletionPolicy": "Delete"}}))).await;
        degrade(&cluster).await;
        purged(world, &cluster, "degraded").await;
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_cluster_with_an_impossible_spec_goes_like_any_other() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let _operator = Operator::start(world);
        // The floor follows from the baseline users, which admission cannot compute.
        let impossible = json!({"api": {"replicas": 1, "maxReplicas": 1}});
        let cluster = Cluster::apply(world, small(json!({}))).await;
        cluster.ready(FORMED_WITHIN).await;
        cluster.change(impossible.clone()).await;
        until_invalid(&cluster).await;
        retained(world, &cluster, "invalid spec").await;

        let cluster = Cluster::apply(world, small(json!({"operation": {"deletionPolicy": "Delete"}}))).await;
        cluster.ready(FORMED_WITHIN).await;
        cluster.change(impossible).await;
        until_invalid(&cluster).await;
        purged(world, &cluster, "invalid spec").await;
    });
}

async fn until_invalid(cluster: &Cluster) {
    until("SpecValid is false", seconds(30), async || {
        let object = cluster.get().await;
        match condition(&object, "SpecValid") {
            Some(valid) if valid.status == "False" => Ok(()),
            _ => Err(message(&object)),
        }
    })
    .await;
}

#[test]
#[ignore = "needs a cluster: make test"]
fn without_an_operator_volumes_stay_at_once_and_go_when_it_is_back() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, small(json!({}))).await;
        cluster.ready(FORMED_WITHIN).await;
        operator.kill();
        let claims = retained(world, &cluster, "operator down").await;

        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, small(json!({"operation": {"deletionPolicy": "Delete"}}))).await;
        cluster.ready(FORMED_WITHIN).await;
        assert_eq!(self::claims(world).await, claims);
        operator.kill();
        cluster.api.delete(NAME, &DeleteParams::background()).await.unwrap();
        tokio::time::sleep(seconds(5)).await;
        assert_eq!(finalizers(&cluster.get().await), [FINALIZER], "its volumes are not forgotten");
        let _successor = Operator::start(world);
        purged(world, &cluster, "operator down").await;
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_namespace_takes_its_cluster_along_whatever_the_policy() {
    scenario(Needs::Lab, seconds(400), async |world| {
        for policy in ["Retain", "Delete"] {
            let doomed = World::create(&format!("doomed-{}", policy.to_lowercase())).await;
            let account = accounts::outside(world, &doomed);
            let operator = Operator::start(&doomed);
            let cluster =
                Cluster::apply(&doomed, small(json!({"operation": {"deletionPolicy": policy}}))).await;
            cluster.ready(FORMED_WITHIN).await;
            let namespaces: Api<Namespace> = Api::all(world.client.clone());
            let begin = Instant::now();
            namespaces.delete(&doomed.namespace, &DeleteParams::background()).await.unwrap();
            // Kubernetes takes the pods of a namespace first, and its other objects after them.
            until("it is the cluster's turn", seconds(120), async || match cluster.api.get_opt(NAME).await {
                Ok(Some(object)) if object.metadata.deletion_timestamp.is_none() => Err(message(&object)),
                _ => Ok(()),
            })
            .await;
            let turn = Instant::now();
            until("the cluster is gone", GONE_WITHIN, async || gone(&cluster).await).await;
            let object = turn.elapsed().as_secs_f32();
            until("the namespace is gone", seconds(120), async || {
                match namespaces.get_opt(&doomed.namespace).await {
                    Ok(None) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await;
            row("namespace deleted", policy, object, begin.elapsed().as_secs_f32(), 0);
            operator.kill();
            drop(account);
        }
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn the_finalizer_follows_the_policy_and_the_spec_stays_its_owners() {
    scenario(Needs::ApiServer, seconds(120), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, small(json!({"operation": {"deletionPolicy": "Delete"}}))).await;
        for (policy, wanted) in [("Delete", vec![FINALIZER]), ("Retain", vec![]), ("Delete", vec![FINALIZER])]
        {
            cluster.change(json!({"operation": {"deletionPolicy": policy}})).await;
            let object = until(&format!("the finalizers fit {policy}"), seconds(20), async || {
                let object = cluster.get().await;
                if finalizers(&object) == wanted {
                    Ok(object)
                } else {
                    Err(format!("{:?}", finalizers(&object)))
                }
            })
            .await;
            let fields = object.metadata.managed_fields.unwrap_or_default();
            let ours = fields.iter().filter(|entry| entry.manager.as_deref() == Some("eaiser-operator"));
            for entry in ours {
                let owned = serde_json::to_value(&entry.fields_v1).unwrap();
                assert_eq!(owned.get("f:spec"), None, "{owned}");
            }
        }
        // Somebody else's finalizer is theirs.
        let other = json!({"metadata": {"finalizers": [FINALIZER, "example.com/audit"]}});
        world.merge::<EaiserCluster>(NAME, other).await;
        cluster.change(json!({"operation": {"deletionPolicy": "Retain"}})).await;
        until("only the other finalizer is left", seconds(20), async || {
            let left = finalizers(&cluster.get().await);
            if left == ["example.com/audit"] { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
        world.merge::<EaiserCluster>(NAME, json!({"metadata": {"finalizers": []}})).await;
    });
}

/// Deletes under `Retain`: the object goes at once, every pod follows, no claim does.
async fn retained(world: &World, cluster: &Cluster, situation: &str) -> BTreeMap<String, String> {
    let before = claims(world).await;
    assert_eq!(before.len(), CLAIMS);
    let begin = Instant::now();
    cluster.api.delete(NAME, &DeleteParams::background()).await.unwrap();
    until("the cluster is gone", GONE_WITHIN, async || gone(cluster).await).await;
    let object = begin.elapsed().as_secs_f32();
    until("its pods are gone", seconds(120), async || no_pods(world).await).await;
    assert_eq!(claims(world).await, before, "volumes stay");
    row(situation, "Retain", object, begin.elapsed().as_secs_f32(), before.len());
    before
}

/// Deletes under `Delete`: the object goes when its volumes are on their way, and they go.
async fn purged(world: &World, cluster: &Cluster, situation: &str) {
    let begin = Instant::now();
    let _ = cluster.api.delete(NAME, &DeleteParams::background()).await.unwrap();
    until("the cluster is gone", GONE_WITHIN, async || gone(cluster).await).await;
    let object = begin.elapsed().as_secs_f32();
    until("its pods are gone", seconds(120), async || no_pods(world).await).await;
    until("its claims are gone", seconds(60), async || {
        let left = claims(world).await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    row(situation, "Delete", object, begin.elapsed().as_secs_f32(), 0);
}

fn row(situation: &str, policy: &str, object: f32, all: f32, claims: usize) {
    println!(
        "deletion | {situation:18} | {policy:6} | object gone {object:5.1} s | all gone {all:5.1} s | claims left {claims}"
    );
}

async fn gone(cluster: &Cluster) -> Result<(), String> {
    match cluster.api.get_opt(NAME).await {
        Ok(None) => Ok(()),
        Ok(Some(object)) => Err(message(&object)),
        Err(error) => Err(error.to_string()),
    }
}

async fn no_pods(world: &World) -> Result<(), String> {
    let mut left = Vec::new();
    for tier in ["api", "gateway", "mongodb", "redis"] {
        left.extend(world.pods(tier).await.into_iter().map(|pod| pod.name_any()));
    }
    if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
}

/// Names and uids of all claims.
async fn claims(world: &World) -> BTreeMap<String, String> {
    let claims = world.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap().items;
    claims.into_iter().map(|claim| (claim.name_any(), claim.uid().unwrap())).collect()
}

fn finalizers(object: &EaiserCluster) -> Vec<String> {
    object.metadata.finalizers.clone().unwrap_or_default()
}
