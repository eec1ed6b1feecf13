//! Data outlives the resource.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::Resource;
use kube::api::ListParams;

use crate::support::cluster::FORMED_WITHIN;
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, example, scenario, until};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_deleted_cluster_leaves_its_volumes_and_a_new_one_adopts_them() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let kept = [Kept::item(world).await, Kept::session(world).await];

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
        for kept in kept {
            kept.is_still_there(world).await;
        }
    });
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
