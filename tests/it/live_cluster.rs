//! A cluster as the API server would have it after the operator settled: rendered by the operator's
//! own builders.

use std::sync::Arc;

use eaiser_operator::apply::Child;
use eaiser_operator::crd::EaiserCluster;
use eaiser_operator::desired::{self, Desired};
use eaiser_operator::names::{Identity, OPERATOR};
use eaiser_operator::plan;
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{Credentials, ServedKinds, Snapshot};
use kube::Resource;
use kube::api::ApiResource;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api_server::World;

/// Namespace of every cluster here.
pub const NAMESPACE: &str = "shop";

/// The example as a stored object with a uid.
pub fn stored() -> Value {
    let text = std::fs::read_to_string("examples/eaiser.yaml").unwrap();
    let mut object: Value = serde_saphyr::from_str(&text).unwrap();
    object["metadata"]["namespace"] = json!(NAMESPACE);
    object["metadata"]["uid"] = json!("u-1");
    object["metadata"]["generation"] = json!(1);
    object
}

/// Path of a kind's list.
pub fn path(resource: &ApiResource) -> String {
    let root = if resource.group.is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{}", resource.api_version)
    };
    format!("{root}/namespaces/{NAMESPACE}/{}", resource.plural)
}

/// Path of the list of clusters.
pub fn clusters() -> String {
    path(&ApiResource::erase::<EaiserCluster>(&()))
}

/// A world with the example, its status and every child of it, settled.
pub fn settled() -> World {
    let mut world = World::new();
    let mut object = stored();
    let cluster: EaiserCluster = serde_json::from_value(object.clone()).unwrap();
    let identity =
        Identity { namespace: NAMESPACE.to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() };
    let plan = plan::plan(identity, &cluster.spec, &Settings::default()).unwrap();
    let mut snapshot = Snapshot::offline(ServedKinds::default());
    snapshot.credentials = Credentials::draw(|buffer| buffer.fill(7));
    // A kind that is missing here would look like one to create.
    let Desired {
        secrets,
        service_accounts,
        config_maps,
        services,
        disruption_budgets,
        network_policies,
        stateful_sets,
        deployments,
        autoscalers,
        prometheus_rules: _,
        service_monitors: _,
    } = desired::build(&plan, &snapshot);
    add(&mut world, &secrets);
    add(&mut world, &service_accounts);
    add(&mut world, &config_maps);
    add(&mut world, &services);
    add(&mut world, &disruption_budgets);
    add(&mut world, &network_policies);
    add(&mut world, &stateful_sets);
    add(&mut world, &deployments);
    add(&mut world, &autoscalers);
    object["status"] = status();
    world.add(&clusters(), object);
    pods(&mut world);
    world
}

fn add<K: Resource<DynamicType = ()> + Serialize + Send + Sync + 'static>(world: &mut World, objects: &[K]) {
    for object in objects {
        let child = Child::new(object, &[] as &[Arc<K>]);
        let mut stored = child.rendered;
        let fields = owned(&stored);
        stored["metadata"]["uid"] = json!(format!("{}-{}", child.resource.plural, child.name));
        stored["metadata"]["managedFields"] =
            json!([{"manager": OPERATOR, "operation": "Apply", "fieldsV1": fields}]);
        world.add(&path(&child.resource), stored);
    }
}

/// `fieldsV1` of everything that was rendered, for maps and lists of named elements.
fn owned(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (format!("f:{key}"), owned(value))).collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|element| {
                let name = element.get("name")?;
                Some((format!("k:{}", json!({"name": name})), owned(element)))
            })
            .collect(),
        _ => json!({}),
    }
}

fn status() -> Value {
    let member = |ordinal: i32, state: &str| json!({"pod": format!("eaiser-mongodb-{ordinal}"), "state": state, "votes": 1});
    let shard = |shard: i32| {
        json!({"name": format!("eaiser-redis-{shard}"), "primary": format!("eaiser-redis-{shard}-1"),
            "replicas": [format!("eaiser-redis-{shard}-0")], "slots": 5461})
    };
    json!({
        "observedGeneration": 1,
        "phase": "Ready",
        "message": "2/2 API pods, 3 MongoDB members and 3 Redis shards are ready",
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "AllTiersReady", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "Progressing", "status": "False", "reason": "Settled", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "AutoscalingReady", "status": "False", "reason": "ScalingInactive", "lastTransitionTime": "2026-01-01T00:00:00Z",
             "message": "HorizontalPodAutoscaler eaiser-api keeps the pods within 2 and 4 but cannot follow the load: no metrics"},
        ],
        "api": {"replicas": 2, "readyReplicas": 2, "summary": "2/2", "selector": "a=b"},
        "capacity": {"minReplicas": 2, "maxReplicas": 4, "binding": "connections", "headroomPercent": 90, "mongodbMaxPoolSize": 23,
            "constraints": [{"name": "connections", "replicas": 4, "arithmetic": ""}, {"name": "throughput", "replicas": 3, "arithmetic": ""},
                {"name": "availability", "replicas": 2, "arithmetic": ""}]},
        "mongodb": {"initiated": true, "primary": "eaiser-mongodb-1",
            "members": [member(0, "SECONDARY"), member(1, "PRIMARY"), member(2, "SECONDARY")]},
        "redis": {"slotsAssigned": 16384, "shards": [shard(0), shard(1), shard(2)]},
        "endpoints": {"gateway": "http://eaiser-gateway.shop.svc.cluster.local:80",
            "mongodbSecret": "eaiser-mongodb-connection", "redisSecret": "eaiser-redis-connection"},
    })
}

fn pods(world: &mut World) {
    let sets = world.objects(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets")).clone();
    let deployments = world.objects(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments")).clone();
    let mut all = Vec::new();
    for (kind, owner) in
        sets.iter().map(|set| ("StatefulSet", set)).chain(deployments.iter().map(|one| ("ReplicaSet", one)))
    {
        let name = owner["metadata"]["name"].as_str().unwrap();
        for ordinal in 0..owner["spec"]["replicas"].as_u64().unwrap_or(2) {
            all.push(pod(kind, owner, &format!("{name}-{ordinal}")));
        }
    }
    for (index, mut pod) in all.into_iter().enumerate() {
        pod["spec"]["nodeName"] = json!(format!("node-{}", index % 3 + 1));
        world.add(&format!("/api/v1/namespaces/{NAMESPACE}/pods"), pod);
    }
    for kind in ["statefulsets", "deployments"] {
        for owner in world.objects(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}")) {
            owner["metadata"]["generation"] = json!(1);
            owner["status"] = json!({"observedGeneration": 1, "updateRevision": "r1", "replicas": 2});
            if kind == "deployments" {
                owner["spec"]["replicas"] = json!(2);
            }
        }
    }
}

fn pod(kind: &str, owner: &Value, name: &str) -> Value {
    let template = &owner["spec"]["template"];
    let mut pod = json!({"metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = json!(NAMESPACE);
    pod["metadata"]["uid"] = json!(format!("pod-{name}"));
    pod["metadata"]["labels"]["controller-revision-hash"] = json!("r1");
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": kind,
        "name": owner["metadata"]["name"], "uid": "o-1", "controller": true}]);
    pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    pod
}
