//! One label-selected watch that fills a store and names the clusters it touches. IO.

use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::SelectAll;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::{self, Lookup, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::{Touched, cluster_of};
use crate::names::{MANAGED_SELECTOR, OPERATOR, REPLICAS_HANDOVER};

/// Starts the watch and adds its touches to `touched`.
pub(super) fn start<K>(client: &Client, namespace: Option<&str>, touched: &mut SelectAll<Touched>) -> Store<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Lookup<DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (store, writer) = reflector::store();
    let configuration = watcher::Config::default().labels(MANAGED_SELECTOR).page_size(50);
    let stream = watcher(api, configuration)
        .default_backoff()
        .modify(forget_foreign_managers)
        .reflect(writer)
        .touched_objects()
        .filter_map(|event| async move {
            match event {
                Ok(object) => cluster_of(&object),
                Err(error) => {
                    tracing::warn!(kind = %<K as Resource>::kind(&()), %error, "watch interrupted; it is resumed");
                    None
                }
            }
        });
    touched.push(stream.boxed());
    store
}

/// managedFields are the larger half of most objects; only our own entries are ever looked at.
fn forget_foreign_managers<K: Resource>(object: &mut K) {
    if let Some(managers) = object.meta_mut().managed_fields.as_mut() {
        let ours = [OPERATOR, REPLICAS_HANDOVER];
        managers.retain(|entry| entry.manager.as_deref().is_some_and(|manager| ours.contains(&manager)));
    }
}
