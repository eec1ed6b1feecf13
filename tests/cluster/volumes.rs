//! Data outlives the resource.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::Resource;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::cluster::FORMED_WITHIN;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, example, http, scenario, until};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_deleted_cluster_leaves_its_volumes_and_a_new_one_adopts_them() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let item =
            http::post(&http::gateway(world, "/items"), &json!({"name": "kept", "value": 7})).await.unwrap();
        let session = http::post(&http::gateway(world, "/sessions"), &json!({"user": "ada"})).await.unwrap();

        cluster.delete().await;
        until("everything but the volumes is gone", seconds(150), async || {
            let left = left(world).await;
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        })
        .await;
        let claims = world.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap().items;
        assert_eq!(claims.len(), 9, "3 members and 6 Redis pods keep their volumes");

        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        expect(world, &format!("/items/{}", text(&item.body["id"])), "/value", &json!(7)).await;
        let token = item_token(&session.body);
        expect(world, &format!("/sessions/{token}"), "/user", &json!("ada")).await;
    });
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn item_token(body: &Value) -> &str {
    text(body.get("token").or_else(|| body.get("id")).unwrap())
}

/// A gateway pod learns of API pods within one resolve interval of becoming ready; until then it
/// answers 502.
async fn expect(world: &World, path: &str, pointer: &str, value: &Value) {
    let url = http::gateway(world, path);
    let answer = until("the gateway knows the API pods", seconds(15), async || {
        http::get(&url)
            .await
            .and_then(|answer| if answer.status == 502 { Err("502".to_owned()) } else { Ok(answer) })
    })
    .await;
    assert_eq!((answer.status, answer.body.pointer(pointer)), (200, Some(value)), "{path}: {answer:?}");
}

/// Names of our objects that still exist.
async fn left(world: &World) -> Vec<String> {
    let mut names = Vec::new();
    names.extend(names_of::<Pod>(world).await);
    names.extend(names_of::<Deployment>(world).await);
    names.extend(names_of::<StatefulSet>(world).await);
    names.extend(names_of::<Service>(world).await);
    names.extend(names_of::<ConfigMap>(world).await);
    names.extend(names_of::<Secret>(world).await);
    names
}

async fn names_of<K>(world: &World) -> Vec<String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=eaiser-operator");
    let items = world.api::<K>().list(&ours).await.unwrap().items;
    items.into_iter().filter_map(|object| object.meta().name.clone()).collect()
}
