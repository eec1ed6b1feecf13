//! A kind that the API server may or may not serve: watched only when it does. IO.

use futures::stream::SelectAll;
use kube::{Client, Resource};

use super::Touched;
use super::shelf::Shelf;
use super::watch::{self, Watched};

/// The shelf of an optional kind, present when it was served at start.
#[derive(Clone)]
pub(super) struct Optional<K>(Option<Shelf<K>>);

impl<K: Watched> Optional<K> {
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

    /// Its shelf.
    pub(super) fn shelf(&self) -> Option<&Shelf<K>> {
        self.0.as_ref()
    }

    /// The kind, while the first full list of a served kind is missing.
    pub(super) fn missing(&self) -> Option<String> {
        self.0.as_ref().and_then(Shelf::missing)
    }

    /// Waits for the first full list of a served kind.
    pub(super) async fn wait_until_filled(&self) {
        if let Some(shelf) = &self.0 {
            shelf.wait_until_filled().await;
        }
    }
}

/// Discovery needs no right of its own.
pub(super) async fn is_served<K: Resource<DynamicType = ()>>(client: &Client) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(&K::api_version(&())).await {
        Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == K::plural(&()))),
        // An unknown group is answered with plain text, so there is no reason to look at.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
