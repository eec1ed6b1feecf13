//! A watch of the Prometheus kind. What it delivers explains and decides nothing, so nobody waits for
//! it, a missing right only makes it blind, and no cluster is touched by it: the next look at a
//! cluster finds the change. IO.

use futures::stream::SelectAll;
use futures::{FutureExt, StreamExt, future};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::Touched;
use super::backoff::Growing;
use super::optional::is_served;
use crate::desired::kinds::Prometheus;
use crate::snapshot::{Prometheuses, Sight};

/// The watch, when the kind was served at start.
#[derive(Clone)]
pub(super) struct Watch {
    store: Option<Store<Prometheus>>,
    sight: Sight,
}

impl Watch {
    /// Starts it; `touched` drives it.
    pub(super) async fn start(
        client: &Client,
        namespace: Option<&str>,
        touched: &mut SelectAll<Touched>,
    ) -> Result<Self, kube::Error> {
        let sight = if namespace.is_some() { Sight::Namespace } else { Sight::Everywhere };
        if !is_served::<Prometheus>(client).await? {
            return Ok(Self { store: None, sight });
        }
        let api: Api<Prometheus> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let (store, writer) = reflector::store();
        let stream = watcher(api, watcher::Config::default().page_size(50))
            .backoff(Growing::default())
            .modify(|prometheus: &mut Prometheus| {
                prometheus.metadata.managed_fields = None;
                prometheus.metadata.annotations = None;
            })
            .reflect(writer)
            .filter_map(|event| {
                if let Err(error) = event {
                    tracing::debug!(%error, "watch of Prometheuses interrupted; it is resumed");
                }
                future::ready(None)
            });
        touched.push(stream.boxed());
        Ok(Self { store: Some(store), sight })
    }

    /// What it has delivered.
    pub(super) fn seen(&self) -> Prometheuses {
        let filled = |store: &&Store<Prometheus>| {
            store.wait_until_ready().now_or_never().is_some_and(|result| result.is_ok())
        };
        match self.store.as_ref().filter(filled) {
            Some(store) => Prometheuses { sight: self.sight, known: store.state() },
            None => Prometheuses::default(),
        }
    }
}
