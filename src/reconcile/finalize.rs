//! Deletion. Owner references do all of it, also while no operator runs, unless the volumes are to
//! go too: they have no owner, so only then a finalizer keeps the object until they are deleted. IO.

mod purge;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::Status;
use kube::{Client, Resource};
use serde_json::json;

use crate::crd::{DeletionPolicy, EaiserCluster};
use crate::names::{FINALIZER, Identity, OPERATOR};
use crate::snapshot::Children;
pub use purge::{Next, Target};

/// A request of a deletion that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The finalizer could not be set or taken away.
    #[error("cannot change the finalizers of EaiserCluster {name}")]
    Finalizers {
        /// Name of the object.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// A workload or a claim could not be deleted.
    #[error("cannot delete {object}")]
    Delete {
        /// `Kind/name`.
        object: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

/// Whether our finalizer is on the object.
pub fn is_kept(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Brings the finalizer to what the policy asks for, and says whether that needed a change; the pass
/// goes on when the watch shows it, so the finalizer is there before the first volume. A paused
/// cluster is left as it is.
///
/// # Errors
/// The API server refused.
pub async fn follow(client: &Client, cluster: &EaiserCluster) -> Result<bool, Error> {
    let operation = &cluster.spec.operation;
    let purge = operation.deletion_policy == DeletionPolicy::Delete;
    if operation.paused || purge == is_kept(&cluster.metadata) {
        return Ok(false);
    }
    keep(client, &cluster.metadata, purge).await.map(|()| true)
}

/// Sets our finalizer or takes it away. A merge patch of the metadata and of nothing else: the spec
/// stays whoever's it is, and an object whose spec no longer parses can be released too. The version
/// is a precondition, since a merge patch replaces the whole list.
///
/// # Errors
/// The API server refused. An object that is gone or has changed meanwhile is no error.
pub async fn keep(client: &Client, metadata: &ObjectMeta, kept: bool) -> Result<(), Error> {
    let name = metadata.name.clone().unwrap_or_default();
    let others = metadata.finalizers.iter().flatten().filter(|finalizer| *finalizer != FINALIZER);
    let mut finalizers: Vec<&str> = others.map(String::as_str).collect();
    if kept {
        finalizers.push(FINALIZER);
    }
    let patch = json!({"metadata": {
        "uid": metadata.uid,
        "resourceVersion": metadata.resource_version,
        "finalizers": finalizers,
    }});
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let api = clusters::<EaiserCluster>(client, metadata);
    match api.patch_metadata(&name, &parameters, &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if is_overtaken(&status) => Ok(()),
        Err(source) => Err(Error::Finalizers { name, source: Box::new(source) }),
    }
}

/// The next thing to do for a deleted object that our finalizer keeps.
pub fn next(identity: &Identity, policy: DeletionPolicy, metadata: &ObjectMeta, children: &Children) -> Next {
    purge::next(identity, policy, metadata.finalizers.as_deref().unwrap_or_default(), children)
}

/// Does it.
///
/// # Errors
/// A request failed; the next pass decides anew from what it sees.
pub async fn run(
    client: &Client,
    identity: &Identity,
    metadata: &ObjectMeta,
    next: &Next,
) -> Result<(), Error> {
    match next {
        Next::DeleteSets(sets) => delete::<StatefulSet>(client, identity, sets).await,
        Next::DeleteClaims(claims) => delete::<PersistentVolumeClaim>(client, identity, claims).await,
        Next::Release => keep(client, metadata, false).await,
        Next::Wait(_) => Ok(()),
    }
}

async fn delete<K>(client: &Client, identity: &Identity, targets: &[Target]) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &identity.namespace);
    for Target { name, uid } in targets {
        let preconditions = Preconditions { uid: uid.clone(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        match api.delete(name, &parameters).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if is_overtaken(&status) => {}
            Err(source) => {
                let object = format!("{}/{name}", K::kind(&()));
                return Err(Error::Delete { object, source: Box::new(source) });
            }
        }
    }
    Ok(())
}

/// Gone, or no longer the object that was decided upon: the next pass looks again.
fn is_overtaken(status: &Status) -> bool {
    status.is_not_found() || status.is_conflict()
}

fn clusters<K>(client: &Client, metadata: &ObjectMeta) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), metadata.namespace.as_deref().unwrap_or_default())
}
