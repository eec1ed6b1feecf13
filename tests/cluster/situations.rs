//! Wrong situations: a condition names the object and the cause, and the correction leads to Ready.

use k8s_openapi::api::core::v1::{LimitRange, PersistentVolumeClaim, ResourceQuota, Secret};
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, example_with};
use crate::support::situation::{Look, Row, create, record};
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, example, scenario};

#[test]
#[ignore = "needs a cluster: make test"]
fn each_wrong_situation_is_named_and_its_correction_leads_to_ready() {
    scenario(Needs::Lab, seconds(900), async |world| {
        let _operator = Operator::start(world);
        let mut table = Vec::new();
        without_storage_class(world, &mut table).await;
        let cluster = from_the_start(world, &mut table).await;
        cluster.ready(FORMED_WITHIN).await;
        let item = Kept::item(world).await;
        while_it_serves(&cluster, &mut table).await;
        item.is_still_there(world).await;
        record(&table, "situations");
    });
}

/// The class of a volume is for good: the cluster is deleted with its empty claims, and made anew.
async fn without_storage_class(world: &World, table: &mut Vec<Row>) {
    let storage = json!({"redis": {"storage": {"className": "missing"}}});
    let cluster = Cluster::apply(world, example_with(storage)).await;
    let words = ["PersistentVolumeClaim data-eaiser-redis-", "\"missing\" not found"];
    let mut look = Look { cluster: &cluster, table };
    look.sees("StorageClass does not exist", "RedisReady", "ClaimPending", &words).await;
    cluster.delete().await;
    let claims = world.api::<PersistentVolumeClaim>();
    claims.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
}

/// A cluster that is wrong in six ways when it is created; each correction uncovers the next.
async fn from_the_start(world: &World, table: &mut Vec<Row>) -> Cluster {
    create::<Secret>(world, json!({"metadata": {"name": "eaiser-mongodb-keyfile"}})).await;
    let limits = json!([{"type": "Container", "max": {"memory": "100Mi"}}]);
    create::<LimitRange>(world, json!({"metadata": {"name": "small"}, "spec": {"limits": limits}})).await;
    let reference = json!({"secretKeyRef": {"name": "app-settings", "key": "greeting"}});
    let cluster = Cluster::apply(
        world,
        example_with(json!({
            "api": {"image": "localhost/eaiser/none:1", "env": [{"name": "GREETING", "valueFrom": reference}]},
        })),
    )
    .await;
    let mut look = Look { cluster: &cluster, table };
    look.sees("foreign Secret", "MongoDBReady", "ForeignObject", &["Secret/eaiser-mongodb-keyfile"]).await;
    world.delete::<Secret>("eaiser-mongodb-keyfile").await;
    let words = ["StatefulSet eaiser-redis-", "maximum memory usage per Container is 100Mi"];
    look.sees("LimitRange below the pods' limits", "RedisReady", "PodsRefused", &words).await;
    let hard = json!({"hard": {"limits.memory": "200Mi"}});
    create::<ResourceQuota>(world, json!({"metadata": {"name": "tight"}, "spec": hard})).await;
    world.delete::<LimitRange>("small").await;
    let words = ["StatefulSet eaiser-mongodb", "exceeded quota: tight"];
    look.sees("quota too small for the database", "MongoDBReady", "QuotaExceeded", &words).await;
    world.delete::<ResourceQuota>("tight").await;
    let words = ["pod eaiser-api-", "localhost/eaiser/none:1"];
    look.sees("image does not exist", "ApiReady", "ImagePullFailed", &words).await;
    let image = json!({"api": {"image": example()["spec"]["api"]["image"]}});
    cluster.change(image).await;
    let words = ["pod eaiser-api-", "secret \"app-settings\" not found"];
    look.sees("Secret of a variable is missing", "ApiReady", "ConfigurationMissing", &words).await;
    create::<Secret>(world, json!({"metadata": {"name": "app-settings"}, "stringData": {"other": "x"}}))
        .await;
    let words = ["pod eaiser-api-", "key greeting in Secret"];
    look.sees("key of a Secret is missing", "ApiReady", "ConfigurationMissing", &words).await;
    world.merge::<Secret>("app-settings", json!({"stringData": {"greeting": "hello"}})).await;
    cluster
}

/// A running cluster whose spec is changed for the worse and back; what runs goes on meanwhile.
async fn while_it_serves(cluster: &Cluster, table: &mut Vec<Row>) {
    let mut look = Look { cluster, table };
    cluster.change(json!({"gateway": {"resources": {"requests": {"memory": "900Gi"}}}})).await;
    let words = ["pod eaiser-gateway-", "Insufficient memory"];
    look.sees("no node has the memory", "GatewayReady", "PodUnschedulable", &words).await;
    cluster.change(json!({"gateway": {"resources": example()["spec"]["gateway"]["resources"]}})).await;
    cluster.ready(FORMED_WITHIN).await;

    cluster.change(json!({"api": {"env": [{"name": "STORE_TIMEOUT_MS", "value": "soon"}]}})).await;
    let words = ["pod eaiser-api-", "STORE_TIMEOUT_MS"];
    look.sees("container ends at start", "ApiReady", "PodCrashing", &words).await;
    cluster.change(json!({"api": {"env": null, "resources": {"requests": {"memory": "24Mi"}}}})).await;
    let words = ["pod eaiser-api-", "memory limit 24Mi"];
    look.sees("memory limit too low", "ApiReady", "OutOfMemory", &words).await;
    let resources = example()["spec"]["api"]["resources"].clone();
    cluster.change(json!({"api": {"resources": resources, "probes": {"readiness": "/nowhere"}}})).await;
    let words = ["pod eaiser-api-", "Readiness probe failed", "404"];
    look.sees("readiness path does not exist", "ApiReady", "ProbeFailing", &words).await;
    cluster.change(json!({"api": {"probes": null}})).await;
    cluster.ready(FORMED_WITHIN).await;

    // The floor follows from the baseline users, which admission cannot compute.
    cluster.change(json!({"api": {"replicas": 1, "maxReplicas": 1}})).await;
    look.sees("spec cannot be carried out", "SpecValid", "SpecInvalid", &["spec.api.maxReplicas"]).await;
    cluster.change(json!({"api": {"replicas": 2, "maxReplicas": null}})).await;
    cluster.ready(FORMED_WITHIN).await;
}
