//! Children that somebody edited or deleted, and the autoscaler's count that nobody may touch.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::support::audit::{Audit, Call};
use crate::support::cluster::FORMED_WITHIN;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, example, operator, scenario, until};

/// Bound of a repair; the operator learns of a change by watch.
const REPAIRED_WITHIN: u64 = 10;

#[test]
#[ignore = "needs a cluster: make test"]
fn children_edited_or_deleted_by_hand_are_repaired_and_foreign_labels_stay() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;

        deleted::<Service>(world, "eaiser-gateway").await;
        deleted::<PodDisruptionBudget>(world, "eaiser-mongodb").await;
        deleted::<ConfigMap>(world, "eaiser-redis-configuration").await;
        deleted::<StatefulSet>(world, "eaiser-redis-1").await;
        edited::<ConfigMap>(world, "eaiser-gateway-configuration", "/data/nginx.conf", json!("broken")).await;
        edited::<Secret>(world, "eaiser-redis-connection", "/data/url", json!("YnJva2Vu")).await;
        edited::<Deployment>(world, "eaiser-gateway", "/spec/replicas", json!(5)).await;
        edited::<StatefulSet>(world, "eaiser-mongodb", "/spec/replicas", json!(2)).await;
        renumbered(world, "eaiser-gateway").await;

        let foreign = json!({"metadata": {"labels": {"team": "shop"}, "annotations": {"note": "by hand"}}});
        world.merge::<Service>("eaiser-api", foreign).await;
        cluster.touch(1).await;
        cluster.ready(FORMED_WITHIN).await;
        let service: Service = world.get("eaiser-api").await;
        assert_eq!(service.labels().get("team").map(String::as_str), Some("shop"));
        assert_eq!(service.annotations().get("note").map(String::as_str), Some("by hand"));
    });
}

/// Server-side apply alone would add a second port of the name, which the API server refuses.
async fn renumbered(world: &World, name: &str) {
    let port = json!({"name": "http", "port": 81, "targetPort": "http", "protocol": "TCP"});
    world.merge::<Service>(name, json!({"spec": {"ports": [port]}})).await;
    until(&format!("Service {name} listens on port 80 alone"), seconds(REPAIRED_WITHIN), async || {
        let service: Service = world.get(name).await;
        let ports: Vec<i32> =
            service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).map(|port| port.port).collect();
        if ports == [80] { Ok(()) } else { Err(format!("{ports:?}")) }
    })
    .await;
}

async fn deleted<K>(world: &World, name: &str)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let before = world.get::<K>(name).await.meta().uid.clone();
    world.delete::<K>(name).await;
    until(&format!("{} {name} is back", K::kind(&())), seconds(REPAIRED_WITHIN), async || {
        let object = world.api::<K>().get_opt(name).await.unwrap();
        let uid = object.and_then(|object| object.meta().uid.clone());
        if uid.is_some() && uid != before { Ok(()) } else { Err("missing".to_owned()) }
    })
    .await;
}

/// Sets one field to `wrong` and waits until it is what it was.
async fn edited<K>(world: &World, name: &str, pointer: &str, wrong: Value)
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + serde::Serialize,
{
    let field = async || serde_json::to_value(world.get::<K>(name).await).unwrap().pointer(pointer).cloned();
    let right = field().await;
    assert_ne!(right.as_ref(), Some(&wrong));
    let nested = pointer.split('/').skip(1).collect::<Vec<_>>();
    let patch = nested.iter().rev().fold(wrong, |inner, key| json!({*key: inner}));
    world.merge::<K>(name, patch).await;
    until(
        &format!("{pointer} of {} {name} is right again", K::kind(&())),
        seconds(REPAIRED_WITHIN),
        async || {
            let now = field().await;
            if now == right { Ok(()) } else { Err(format!("{now:?}")) }
        },
    )
    .await;
}

#[test]
#[ignore = "needs a cluster: make test"]
fn the_autoscalers_count_is_never_touched() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let audit = Audit::begin();
        scale(world, 3).await;
        for round in 0..20 {
            cluster.touch(round).await;
        }
        operator.kill();
        let _successor = Operator::start(world);
        cluster.touch(20).await;
        tokio::time::sleep(seconds(5)).await;
        assert_eq!(replicas(world).await, 3);
        let writes = audit.calls(&operator::user(world)).into_iter().filter(Call::writes);
        let touched: Vec<_> =
            writes.filter(|call| call.object.starts_with("deployments/eaiser-api")).collect();
        assert!(touched.is_empty(), "the operator wrote the Deployment: {touched:?}");

        cluster.change(json!({"api": {"replicas": 4, "autoscaling": {"enabled": false}}})).await;
        until("the count is exact", seconds(20), async || exactly(world, 4).await).await;
        cluster.change(json!({"api": {"replicas": 2, "autoscaling": {"enabled": true}}})).await;
        for _ in 0..20 {
            assert_eq!(replicas(world).await, 4, "switching autoscaling on must not drop the count");
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    });
}

/// As the autoscaler does it.
async fn scale(world: &World, count: i32) {
    let api = world.api::<Deployment>();
    let patch = Patch::Merge(json!({"spec": {"replicas": count}}));
    api.patch_scale("eaiser-api", &PatchParams::default(), &patch).await.unwrap();
}

async fn replicas(world: &World) -> i32 {
    world.get::<Deployment>("eaiser-api").await.spec.unwrap().replicas.unwrap()
}

async fn exactly(world: &World, count: i32) -> Result<(), String> {
    let now = replicas(world).await;
    if now == count { Ok(()) } else { Err(format!("{now} replicas")) }
}
