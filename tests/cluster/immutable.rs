//! Children that somebody made anew with a field that can never be changed in place.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::support::audit::{Audit, Call};
use crate::support::cluster::{FORMED_WITHIN, condition, example_with};
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, operator, scenario, until};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_child_that_cannot_be_changed_is_made_anew_around_its_pods_or_reported_without_a_loop() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example_with(json!({"redis": {"replicasPerShard": 0}}))).await;
        cluster.ready(FORMED_WITHIN).await;
        let item = Kept::item(world).await;

        let pods = pods(world, "mongodb").await;
        // Two who make the same object anew at a time are another story.
        cluster.change(json!({"operation": {"paused": true}})).await;
        cluster.phase("Paused", seconds(30)).await;
        made_anew::<StatefulSet>(world, "eaiser-mongodb", DeleteParams::orphan(), |set| {
            set["spec"]["podManagementPolicy"] = json!("OrderedReady");
        })
        .await;
        cluster.change(json!({"operation": {"paused": false}})).await;
        until("the policy is right again", seconds(60), async || {
            let set = world.api::<StatefulSet>().get_opt("eaiser-mongodb").await.unwrap();
            let policy = set.and_then(|set| set.spec?.pod_management_policy);
            if policy.as_deref() == Some("Parallel") { Ok(()) } else { Err(format!("{policy:?}")) }
        })
        .await;
        cluster.ready(FORMED_WITHIN).await;
        assert_eq!(self::pods(world, "mongodb").await, pods, "no member restarted");
        item.is_still_there(world).await;
        let events = world.kubectl(&["get", "events", "--field-selector", "reason=RecreateObject"]);
        assert!(events.contains("spec.podManagementPolicy"), "{events}");
        println!("{events}");

        made_anew::<ConfigMap>(world, "eaiser-gateway-configuration", DeleteParams::background(), |map| {
            map["immutable"] = json!(true);
            map["data"] = json!({"nginx.conf": "broken"});
        })
        .await;
        until("the configuration is right again", seconds(30), async || {
            let map = world.api::<ConfigMap>().get_opt("eaiser-gateway-configuration").await.unwrap();
            let right =
                map.is_some_and(|map| map.immutable.is_none() && map.data.unwrap()["nginx.conf"] != "broken");
            if right { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;

        made_anew::<Deployment>(world, "eaiser-gateway", DeleteParams::background(), |deployment| {
            let more = json!({"by": "hand"});
            for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
                let labels = deployment.pointer_mut(labels).unwrap().as_object_mut().unwrap();
                labels.extend(more.as_object().unwrap().clone());
            }
            // The operator's own changes would come with its next rendering.
            deployment["metadata"]["annotations"]["eaiser.io/rendered"] = json!("older");
        })
        .await;
        let object = cluster.complains(&["Deployment/eaiser-gateway", "spec.selector"], seconds(30)).await;
        let ready = condition(&object, "Ready").unwrap();
        println!("Ready={} {}: {}", ready.status, ready.reason, ready.message);
        assert_eq!(ready.reason, "ImmutableField");
        let audit = Audit::begin();
        tokio::time::sleep(seconds(20)).await;
        let writes: Vec<_> = audit.calls(&operator::user(world)).into_iter().filter(Call::writes).collect();
        let tried: Vec<_> =
            writes.iter().filter(|call| call.object.contains("deployments/eaiser-gateway")).collect();
        assert!(tried.is_empty(), "a retry loop: {tried:?}");
        world.delete::<Deployment>("eaiser-gateway").await;
        cluster.ready(FORMED_WITHIN).await;
    });
}

/// Names and uids of a tier's pods.
async fn pods(world: &World, tier: &str) -> BTreeMap<String, String> {
    world.pods(tier).await.into_iter().map(|pod| (pod.name_any(), pod.uid().unwrap())).collect()
}

/// Deletes an object and creates it with a change before the operator does.
async fn made_anew<K>(world: &World, name: &str, deletion: DeleteParams, change: impl FnOnce(&mut Value))
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + serde::Serialize,
{
    let api = world.api::<K>();
    let mut object = serde_json::to_value(world.get::<K>(name).await).unwrap();
    for key in ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"] {
        object["metadata"].as_object_mut().unwrap().remove(key);
    }
    object.as_object_mut().unwrap().remove("status");
    change(&mut object);
    let object: K = serde_json::from_value(object).unwrap();
    until(&format!("{name} is made anew by hand"), seconds(30), async || {
        let _ = api.delete(name, &deletion).await;
        api.create(&PostParams::default(), &object).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
}
