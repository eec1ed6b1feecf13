//! One label-selected watch that fills a shelf and names the clusters it touches. IO.

use std::fmt::Debug;

use futures::stream::SelectAll;
use futures::{StreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Touched;
use super::backoff::Growing;
use super::shelf::{ClusterKey, Shelf};
use crate::crd::EaiserCluster;
use crate::names::{MANAGED_SELECTOR, OPERATOR, REPLICAS_HANDOVER};
use crate::reconcile::Guarded;

/// What a kind must offer to be watched.
pub(super) trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// Starts the watch and adds its touches to `touched`.
pub(super) fn start<K: Watched>(
    client: &Client,
    namespace: Option<&str>,
    touched: &mut SelectAll<Touched>,
) -> Shelf<K> {
    let shelf = Shelf::new();
    touched.push(fill(client, namespace, &shelf));
    shelf
}

/// The watch that fills `shelf`, and the clusters it touches.
pub(super) fn fill<K: Watched>(client: &Client, namespace: Option<&str>, shelf: &Shelf<K>) -> Touched {
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let filled = shelf.clone();
    let configuration = watcher::Config::default().labels(MANAGED_SELECTOR).page_size(50);
    watcher(api, configuration)
        .backoff(Growing::default())
        .flat_map(move |event| stream::iter(received(&filled, event)))
        .map(reference)
        .boxed()
}

fn received<K: Watched>(shelf: &Shelf<K>, event: watcher::Result<Event<K>>) -> Vec<ClusterKey> {
    match event {
        Ok(mut event) => {
            match &mut event {
                Event::Apply(object) | Event::InitApply(object) => forget_foreign_managers(object),
                Event::Init | Event::InitDone | Event::Delete(_) => {}
            }
            shelf.take(event)
        }
        Err(error) => {
            tracing::warn!(kind = %K::kind(&()), %error, "watch interrupted; it is resumed");
            Vec::new()
        }
    }
}

pub(super) fn reference((namespace, name): ClusterKey) -> ObjectRef<Guarded> {
    let cluster: ObjectRef<EaiserCluster> = ObjectRef::new(&name).within(&namespace);
    ObjectRef::new(&cluster.name).within(&namespace)
}

/// managedFields are the larger half of most objects. Only whether we own a Deployment's replicas is
/// ever asked.
fn forget_foreign_managers<K: Resource<DynamicType = ()>>(object: &mut K) {
    let is_deployment = K::kind(&()) == "Deployment";
    if let Some(managers) = object.meta_mut().managed_fields.as_mut() {
        let ours = [OPERATOR, REPLICAS_HANDOVER].map(Some);
        managers.retain(|entry| is_deployment && ours.contains(&entry.manager.as_deref()));
    }
}
