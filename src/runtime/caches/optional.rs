//! A kind that the API server may or may not serve: watched only when it does. IO.
//!
//! A kind that is installed later is noticed by a watch on its `CustomResourceDefinition`. That is an
//! object of the whole cluster, so an operator of one namespace has no right to watch it and has to
//! be restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, SelectAll};
use futures::{Stream, StreamExt};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_all};
use kube::{Api, Client, Resource};

use super::Touched;
use super::backoff::Growing;
use super::shelf::Shelf;
use super::watch::{self, Watched};

type Definition = PartialObjectMeta<CustomResourceDefinition>;

/// The shelf of an optional kind.
pub(super) struct Optional<K> {
    shelf: Shelf<K>,
    /// Served at start: the operator waits for its first list.
    at_start: bool,
    /// Its definition exists, as far as is known.
    defined: Arc<AtomicBool>,
}

impl<K> Clone for Optional<K> {
    fn clone(&self) -> Self {
        Self { shelf: self.shelf.clone(), at_start: self.at_start, defined: Arc::clone(&self.defined) }
    }
}

impl<K: Watched> Optional<K> {
    /// Asks the API server once and starts the watch when the kind is served, or as soon as it is.
    pub(super) async fn start(
        client: &Client,
        namespace: Option<&str>,
        touched: &mut SelectAll<Touched>,
    ) -> Result<Self, kube::Error> {
        let at_start = is_served::<K>(client).await?;
        let optional = Self { shelf: Shelf::new(), at_start, defined: Arc::new(AtomicBool::new(at_start)) };
        if at_start {
            touched.push(watch::fill(client, namespace, &optional.shelf));
        }
        if namespace.is_none() {
            touched.push(optional.noticed(client));
        } else if !at_start {
            tracing::info!(kind = %K::kind(&()), "not served; when it is installed later, restart this operator, which may only look at one namespace");
        }
        Ok(optional)
    }

    /// The watch of the definition, followed by that of the kind where it was not served at start.
    fn noticed(&self, client: &Client) -> Touched {
        let name = format!("{}.{}", K::plural(&()), K::group(&()));
        let only_it = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let all: Api<Definition> = Api::all(client.clone());
        let definitions = watch_all(all, only_it).backoff(Growing::default());
        let (client, kept) = (client.clone(), self.shelf.clone());
        let mut watched = self.at_start;
        installed::<K>(definitions, Arc::clone(&self.defined))
            .flat_map_unordered(None, move |()| {
                let first = !std::mem::replace(&mut watched, true);
                if first { watch::fill(&client, None, &kept) } else { stream::empty().boxed() }
            })
            .boxed()
    }

    /// Whether the kind is served. One that was installed later is when its first list is there,
    /// which takes the API server a moment.
    pub(super) fn is_served(&self) -> bool {
        self.defined.load(Ordering::Relaxed) && (self.at_start || self.shelf.missing().is_none())
    }

    /// Its shelf.
    pub(super) fn shelf(&self) -> Option<&Shelf<K>> {
        self.is_served().then_some(&self.shelf)
    }

    /// The kind, while the first full list of a kind served at start is missing.
    pub(super) fn missing(&self) -> Option<String> {
        self.shelf.missing().filter(|_| self.at_start)
    }

    /// Waits for the first full list of a kind served at start.
    pub(super) async fn wait_until_filled(&self) {
        if self.at_start {
            self.shelf.wait_until_filled().await;
        }
    }
}

/// Each time the definition is there; `defined` follows it. Ends never, but falls silent when the
/// watch is forbidden: what is served then is what was served at start.
fn installed<K: Watched>(
    definitions: impl Stream<Item = watcher::Result<Event<Definition>>> + Send + 'static,
    defined: Arc<AtomicBool>,
) -> impl Stream<Item = ()> + Send + 'static {
    let allowed = definitions.take_while(|event| {
        let forbidden = matches!(event, Err(error) if is_forbidden(error));
        if forbidden {
            tracing::warn!(kind = %K::kind(&()), "its CustomResourceDefinition may not be watched; when it is installed later, restart this operator");
        }
        std::future::ready(!forbidden)
    });
    allowed.chain(stream::pending()).filter_map(move |event| {
        let change = match event {
            Ok(Event::Apply(_) | Event::InitApply(_)) => Some(true),
            Ok(Event::Delete(_)) => Some(false),
            Ok(Event::Init | Event::InitDone) | Err(_) => None,
        };
        if let Some(exists) = change
            && defined.swap(exists, Ordering::Relaxed) != exists
        {
            tracing::info!(kind = %K::kind(&()), exists, "its CustomResourceDefinition was installed or removed");
        }
        std::future::ready(change.filter(|exists| *exists).map(drop))
    })
}

fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 403,
        _ => false,
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::desired::kinds::PrometheusRule;

    fn definition() -> Definition {
        let object = json!({"metadata": {"name": "prometheusrules.monitoring.coreos.com"}});
        serde_json::from_value(object).unwrap()
    }

    fn refused(code: u16) -> watcher::Error {
        let status = kube::core::Status { code, ..kube::core::Status::default() };
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    }

    /// How often the definition was found there, and whether it is at the end.
    fn follow(served: bool, events: Vec<watcher::Result<Event<Definition>>>) -> (usize, bool) {
        let defined = Arc::new(AtomicBool::new(served));
        // The watch goes on: what comes is counted until nothing more does.
        let events = stream::iter(events).chain(stream::pending());
        let mut installed = Box::pin(installed::<PrometheusRule>(events, Arc::clone(&defined)));
        let mut count = 0;
        while let Some(next) = installed.next().now_or_never() {
            assert!(next.is_some(), "the stream ended, and with it the operator's watches");
            count += 1;
        }
        (count, defined.load(Ordering::Relaxed))
    }

    #[test]
    fn a_kind_that_is_installed_later_is_noticed() {
        assert_eq!(follow(false, vec![Ok(Event::Init), Ok(Event::InitDone)]), (0, false));
        let later = vec![Ok(Event::Init), Ok(Event::InitDone), Ok(Event::Apply(definition()))];
        assert_eq!(follow(false, later), (1, true));
    }

    #[test]
    fn a_kind_that_is_removed_is_not_served_any_more_and_may_come_back() {
        let removed = vec![Ok(Event::Delete(definition()))];
        assert_eq!(follow(true, removed), (0, false));
        let back = vec![Ok(Event::Delete(definition())), Ok(Event::Apply(definition()))];
        assert_eq!(follow(true, back), (1, true));
    }

    #[test]
    fn without_the_right_to_look_it_stays_as_it_was_and_nobody_is_asked_again() {
        for served in [true, false] {
            let events = vec![Err(refused(403)), Ok(Event::Apply(definition()))];
            assert_eq!(follow(served, events), (0, served));
        }
        assert_eq!(follow(false, vec![Err(refused(500)), Ok(Event::Apply(definition()))]), (1, true));
    }
}
