//! MongoDB's volumes grow while it serves; a class that cannot grow them is told and changes nothing.

use std::collections::BTreeMap;

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::support::audit::Audit;
use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example_with, holds};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, Writer, operator, scenario, until};

/// Provisioner of the lab's volumes.
const PROVISIONER: &str = "lab.eaiser.io/local";

#[test]
#[ignore = "needs a cluster: make test"]
fn mongodb_storage_grows_under_a_writer_and_no_pod_restarts() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let _operator = Operator::start(world);
        let manifest = example_with(json!({"redis": {"replicasPerShard": 0}}));
        let cluster = Cluster::apply(world, manifest).await;
        cluster.ready(FORMED_WITHIN).await;
        let (pods, set) = (pods(world).await, uid(&world.get::<StatefulSet>("eaiser-mongodb").await));
        let writer = Writer::start(world).await;
        let begin = std::time::Instant::now();
        resize(&cluster, "2Gi").await.unwrap();
        until("volumes and template have the new size", seconds(60), async || {
            let sizes = sizes(world).await;
            let live = world.api::<StatefulSet>().get_opt("eaiser-mongodb").await.unwrap();
            let template = live.as_ref().and_then(|set| serde_json::to_value(set).ok());
            let pointer = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";
            let asked = template.as_ref().and_then(|set| set.pointer(pointer)?.as_str());
            let grown = sizes.values().all(|size| size == "2Gi") && asked == Some("2Gi");
            let anew = live.as_ref().is_some_and(|live| uid(live) != set);
            if grown && anew { Ok(()) } else { Err(format!("{sizes:?}, template {asked:?}")) }
        })
        .await;
        println!("3 volumes and the template grew in {:.1} s", begin.elapsed().as_secs_f64());
        let object = cluster.ready(seconds(60)).await;
        assert_eq!(self::pods(world).await, pods, "a member restarted");
        let storage = object.status.unwrap().mongodb.unwrap().storage.unwrap();
        assert_eq!((storage.summary.as_str(), storage.minimum_size.as_deref()), ("3/3", Some("2Gi")));
        let verdict = writer.finish().await;
        println!("{verdict:?}");
        assert!(verdict.lost.is_empty(), "acknowledged and lost: {:?}", verdict.lost);
        let refused = resize(&cluster, "1Gi").await.unwrap_err();
        assert!(refused.contains("mongodb.storage.size cannot shrink"), "{refused}");
        println!("{}", world.kubectl(&["get", "events", "--field-selector", "reason=ResizeVolume"]));
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn mongodb_storage_of_a_class_that_cannot_grow_stays_and_the_size_can_be_taken_back() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let class = fixed_class(world).await;
        let _operator = Operator::start(world);
        let storage = json!({"size": "1Gi", "className": class});
        let spec = json!({"mongodb": {"members": 1, "storage": storage}, "redis": {"replicasPerShard": 0}});
        let cluster = Cluster::apply(world, example_with(spec)).await;
        cluster.ready(FORMED_WITHIN).await;
        let before = (pods(world).await, uid(&world.get::<StatefulSet>("eaiser-mongodb").await));
        let audit = Audit::begin();
        resize(&cluster, "2Gi").await.unwrap();
        let object = storage_is(&cluster, "False", "ExpansionRefused").await;
        let told = condition(&object, "StorageReady").unwrap().message.clone();
        println!("{told}");
        let way_out = format!("allowVolumeExpansion of StorageClass {class}");
        for words in ["data-eaiser-mongodb-0", &way_out, "set spec.mongodb.storage.size back to 1Gi"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(holds(&object, "Ready"), "what is there serves");
        assert!(holds(&object, "Stalled"), "a tool that waits for the change must not wait for ever");
        tokio::time::sleep(seconds(25)).await;
        let calls = audit.calls(&operator::user(world));
        let asked: Vec<_> =
            calls.iter().filter(|call| call.object.starts_with("persistentvolumeclaims/")).collect();
        assert_eq!(asked.iter().filter(|call| call.writes()).count(), 1, "a retry loop: {asked:?}");
        let now = (pods(world).await, uid(&world.get::<StatefulSet>("eaiser-mongodb").await));
        assert_eq!(now, before, "something was made anew");

        resize(&cluster, "1Gi").await.unwrap();
        let object = storage_is(&cluster, "True", "VolumesSized").await;
        assert!(holds(&object, "Ready") && condition(&object, "Stalled").is_none());
        let refused = resize(&cluster, "512Mi").await.unwrap_err();
        assert!(refused.contains("mongodb.storage.size cannot shrink"), "{refused}");
    });
}

/// A class of the lab's provisioner that does not let claims grow, for as long as the scenario lasts:
/// its namespace owns it.
async fn fixed_class(world: &World) -> String {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let owner = namespaces.get(&world.namespace).await.unwrap();
    let name = format!("fixed-{}", std::process::id());
    let class = json!({
        "metadata": {"name": name, "ownerReferences": [{
            "apiVersion": "v1", "kind": "Namespace", "name": owner.name_any(), "uid": owner.uid().unwrap(),
        }]},
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
    });
    let classes: Api<StorageClass> = Api::all(world.client.clone());
    classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    name
}

async fn storage_is(cluster: &Cluster, status: &str, reason: &str) -> EaiserCluster {
    until(&format!("StorageReady is {status} {reason}"), seconds(60), async || {
        let object = cluster.get().await;
        let found =
            condition(&object, "StorageReady").map(|found| (found.status.clone(), found.reason.clone()));
        if found == Some((status.to_owned(), reason.to_owned())) {
            Ok(object)
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await
}

async fn resize(cluster: &Cluster, size: &str) -> Result<(), String> {
    let patch = json!({"spec": {"mongodb": {"storage": {"size": size}}}});
    let changed = cluster.api.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await;
    changed.map(drop).map_err(|error| error.to_string())
}

fn uid(object: &impl Resource) -> String {
    object.meta().uid.clone().unwrap()
}

/// Uids of MongoDB's pods.
async fn pods(world: &World) -> BTreeMap<String, String> {
    world.pods("mongodb").await.into_iter().map(|pod| (pod.name_any(), uid(&pod))).collect()
}

/// Capacities of MongoDB's volumes.
async fn sizes(world: &World) -> BTreeMap<String, String> {
    let of_tier = kube::api::ListParams::default().labels("app.kubernetes.io/component=mongodb");
    let claims = world.api::<PersistentVolumeClaim>().list(&of_tier).await.unwrap().items;
    let size = |claim: &PersistentVolumeClaim| {
        Some(claim.status.as_ref()?.capacity.as_ref()?.get("storage")?.0.clone())
    };
    claims.iter().map(|claim| (claim.name_any(), size(claim).unwrap_or_default())).collect()
}
