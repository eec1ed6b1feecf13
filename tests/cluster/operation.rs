//! `spec.operation`: paused clusters are left alone, stopped ones keep their data.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::support::audit::{Audit, Call};
use crate::support::cluster::{FORMED_WITHIN, condition, example_with, holds, message};
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, databases, example, operator, scenario, until};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_stopped_cluster_loses_its_pods_in_order_and_comes_back_with_its_data() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let kept = [Kept::item(world).await, Kept::session(world).await];
        scale_api(world, 4).await;
        let before = databases::observe(world, &cluster.get().await).await;
        let claims = claims(world).await;

        cluster.change(json!({"operation": {"stopped": true}})).await;
        let samples = sample_until(world, &cluster, "Stopped").await;
        in_order(&samples, &["api", "redis", "mongodb"]);
        println!("stop, pods by tier as they changed: {samples:?}");
        stands_still(world, &cluster).await;
        assert_eq!(self::claims(world).await, claims, "volumes stay");

        // A successor knows nothing but what it sees.
        operator.kill();
        let _successor = Operator::start(world);
        cluster.change(json!({"operation": {"stopped": false}})).await;
        let samples = sample_until(world, &cluster, "Ready").await;
        println!("start, pods by tier as they changed: {samples:?}");
        started_in_order(&samples, &["mongodb", "redis", "api"]);

        let object = cluster.ready(seconds(30)).await;
        let after = databases::observe(world, &object).await;
        databases::assert_one_replica_set(&after, 3);
        databases::assert_slots_whole(&after, 3);
        let set = |snapshot: &eaiser_operator::snapshot::Snapshot| {
            snapshot.mongodb.configured().next().unwrap().1.config.replica_set_id.clone()
        };
        assert_eq!(set(&before), set(&after), "it is the same replica set");
        for kept in kept {
            kept.is_still_there(world).await;
        }
        the_count_is_the_autoscalers(world).await;
    });
}

/// As the autoscaler does it.
async fn scale_api(world: &World, count: i32) {
    let patch = kube::api::Patch::Merge(json!({"spec": {"replicas": count}}));
    world
        .api::<Deployment>()
        .patch_scale("eaiser-api", &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// Names and uids of all claims.
async fn claims(world: &World) -> BTreeMap<String, Option<String>> {
    let claims = world.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap().items;
    assert!(claims.iter().all(|claim| claim.metadata.deletion_timestamp.is_none()));
    claims.into_iter().map(|claim| (claim.name_any(), claim.uid())).collect()
}

/// Pods by tier.
type Counts = BTreeMap<String, usize>;

async fn counts(world: &World) -> Counts {
    let mut counts: Counts = ["api", "gateway", "mongodb", "redis"].map(|tier| (tier.to_owned(), 0)).into();
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=eaiser-operator");
    for pod in world.api::<Pod>().list(&ours).await.unwrap().items {
        let tier = pod.labels()["app.kubernetes.io/component"].clone();
        *counts.entry(tier).or_default() += 1;
    }
    counts
}

/// Looks at the pods until the cluster reaches a phase; every change of a count is one sample.
async fn sample_until(world: &World, cluster: &Cluster, phase: &str) -> Vec<Counts> {
    let mut samples = vec![counts(world).await];
    until(&format!("the phase is {phase}"), FORMED_WITHIN, async || {
        let now = counts(world).await;
        if samples.last() != Some(&now) {
            samples.push(now);
        }
        let object = cluster.get().await;
        let status = object.status.clone().unwrap_or_default();
        let failing = condition(&object, "Degraded").filter(|degraded| degraded.status == "True");
        if let Some(failing) = failing.filter(|_| phase == "Stopped") {
            panic!("a stop counts as failing: {}", failing.message);
        }
        if status.phase.as_deref() == Some(phase) { Ok(()) } else { Err(message(&object)) }
    })
    .await;
    samples
}

/// A tier has lost no pod while one of the tier before has any left.
fn in_order(samples: &[Counts], tiers: &[&str]) {
    for pair in tiers.windows(2) {
        let (first, then) = (pair[0], pair[1]);
        let full = samples[0][then];
        let early = samples.iter().find(|sample| sample[first] > 0 && sample[then] < full);
        assert_eq!(early, None, "{then} lost pods while {first} had some");
    }
    assert!(samples.last().unwrap().values().all(|count| *count == 0), "{samples:?}");
}

/// A tier has no pod before the one before it has all of its own.
fn started_in_order(samples: &[Counts], tiers: &[&str]) {
    for pair in tiers.windows(2) {
        let (first, then) = (pair[0], pair[1]);
        let full = samples.last().unwrap()[first];
        let early = samples.iter().find(|sample| sample[then] > 0 && sample[first] < full);
        assert_eq!(early, None, "{then} had pods before {first} had all");
    }
}

/// Nothing fails, nothing is written, nobody brings a pod back.
async fn stands_still(world: &World, cluster: &Cluster) {
    let object = cluster.get().await;
    let ready = condition(&object, "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Stopped"), "{}", ready.message);
    assert!(!holds(&object, "Degraded") && !holds(&object, "Progressing"));
    // The autoscaler looks every 15 s; its verdict about a target at zero still changes the status.
    tokio::time::sleep(seconds(20)).await;
    let audit = Audit::begin();
    tokio::time::sleep(seconds(25)).await;
    assert_eq!(counts(world).await.values().sum::<usize>(), 0, "a pod came back");
    let calls: Vec<_> =
        audit.calls(&operator::user(world)).into_iter().filter(|call| !call.watches()).collect();
    assert!(calls.is_empty(), "stopped, and yet: {calls:?}");
    assert_eq!(world.get::<Service>("eaiser-gateway").await.name_any(), "eaiser-gateway");
    assert_eq!(world.get::<HorizontalPodAutoscaler>("eaiser-api").await.name_any(), "eaiser-api");
}

/// Our field manager owns no count of the API, and never lets it fall below the floor.
async fn the_count_is_the_autoscalers(world: &World) {
    let deployment: Deployment = world.get("eaiser-api").await;
    assert!(deployment.spec.as_ref().unwrap().replicas.unwrap() >= 2);
    let managers = deployment.metadata.managed_fields.unwrap_or_default();
    let owned = managers.iter().filter(|entry| entry.manager.as_deref() == Some("eaiser-operator"));
    for entry in owned {
        let fields = serde_json::to_value(&entry.fields_v1).unwrap();
        assert_eq!(fields.pointer("/f:spec/f:replicas"), None, "{fields}");
    }
}

#[test]
#[ignore = "needs a cluster: make test"]
fn a_paused_cluster_is_reported_on_and_never_touched() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let _operator = Operator::start(world);
        let audit = Audit::begin();
        let cluster =
            Cluster::apply(world, example_with(json!({"operation": {"paused": true, "stopped": true}})))
                .await;
        cluster.phase("Paused", seconds(30)).await;
        tokio::time::sleep(seconds(5)).await;
        only_status(world, &audit);
        cluster.change(json!({"operation": {"paused": false, "stopped": false}})).await;
        let object = cluster.ready(FORMED_WITHIN).await;
        assert_eq!(condition(&object, "Paused").unwrap().status, "False");

        cluster
            .change(json!({"operation": {"paused": true, "stopped": true}, "redis": {"maxmemoryPolicy": "noeviction"}}))
            .await;
        let object = cluster.phase("Paused", seconds(30)).await;
        assert!(holds(&object, "Paused") && holds(&object, "Ready"), "{}", message(&object));
        let audit = Audit::begin();
        world
            .merge::<ConfigMap>("eaiser-gateway-configuration", json!({"data": {"nginx.conf": "broken"}}))
            .await;
        world.delete::<Service>("eaiser-api").await;
        world.merge::<StatefulSet>("eaiser-mongodb", json!({"spec": {"replicas": 1}})).await;
        until("Ready tells the truth", seconds(60), async || {
            let object = cluster.get().await;
            if holds(&object, "Ready") { Err("still true".to_owned()) } else { Ok(()) }
        })
        .await;
        tokio::time::sleep(seconds(10)).await;
        only_status(world, &audit);
        let config: ConfigMap = world.get("eaiser-gateway-configuration").await;
        assert_eq!(config.data.unwrap()["nginx.conf"], "broken");
        let redis: ConfigMap = world.get("eaiser-redis-configuration").await;
        assert!(!redis.data.unwrap()["redis.conf"].contains("noeviction"));

        cluster.change(json!({"operation": {"paused": false, "stopped": false}})).await;
        cluster.ready(FORMED_WITHIN).await;
    });
}

/// Every write since is one of the status, or an event about readiness.
fn only_status(world: &World, audit: &Audit) {
    let writes: Vec<_> = audit.calls(&operator::user(world)).into_iter().filter(Call::writes).collect();
    let touched: Vec<_> = writes
        .iter()
        .filter(|call| call.object != "eaiserclusters/eaiser/status" && !call.object.starts_with("events"))
        .collect();
    assert!(touched.is_empty(), "paused, and yet: {touched:?}");
    println!("paused: {} writes, all of them status or events", writes.len());
}
