//! A kind that the API server may or may not serve: watched only when it does. IO.

use std::fmt::Debug;

use futures::stream::SelectAll;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{Lookup, Store};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::{Touched, watch};

/// The store of an optional kind, present when it was served at start.
#[derive(Clone)]
pub(super) struct Optional<K: Lookup<DynamicType = ()> + Clone + 'static>(Option<Store<K>>);

impl<K> Optional<K>
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
    /// Asks the API server once and starts the watch when the kind is served.
    pub(super) async fn start(
        client: &Client,
        namespace: Option<&str>,
        touched: &mut SelectAll<Touched>,
    ) -> Result<Self, kube::Error> {
        Ok(Self(is_served::<K>(client).await?.then(|| watch::start(client, namespace, touched))))
    }

    /// Whether the kind is served.
    pub(super) fn is_served(&self) -> bool {
        self.0.is_some()
    }

    /// Its store.
    pub(super) fn store(&self) -> Option<&Store<K>> {
        self.0.as_ref()
    }

    /// Waits for the first full list of a served kind.
    pub(super) async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        match &self.0 {
            Some(store) => store.wait_until_ready().await,
            None => Ok(()),
        }
    }
}

/// Discovery needs no right of its own.
async fn is_served<K: Resource<DynamicType = ()>>(client: &Client) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(&<K as Resource>::api_version(&())).await {
        Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == <K as Resource>::plural(&()))),
        // An unknown group is answered with plain text, so there is no reason to look at.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
