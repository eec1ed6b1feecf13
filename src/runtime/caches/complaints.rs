//! Watches of events, light: selected by the server, kept as the newest of each object and reason. IO.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::SelectAll;
use k8s_openapi::api::events::v1::Event;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event as Change};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch as flag;

use super::Touched;
use super::backoff::Growing;
use crate::crd::EaiserCluster;
use crate::names::Identity;
use crate::snapshot::Complaint;
use crate::snapshot::complaints::{SELECTIONS, Selection};

/// What is known from events, shared between the watches and the passes.
#[derive(Clone)]
pub(super) struct Complaints(Vec<Source>);

#[derive(Clone)]
struct Source {
    index: Arc<Mutex<Index>>,
    listed: flag::Receiver<bool>,
}

impl Complaints {
    /// Starts the watches and adds their touches to `touched`.
    pub(super) fn start(client: &Client, namespace: Option<&str>, touched: &mut SelectAll<Touched>) -> Self {
        Self(SELECTIONS.iter().map(|selection| start(client, namespace, *selection, touched)).collect())
    }

    /// Waits until each watch has delivered its first list, or was refused: events only explain, so a
    /// missing right must not stop the operator.
    pub(super) async fn wait_until_ready(&self) {
        for source in &self.0 {
            // The sender lives as long as the watch; without it there is nothing to wait for.
            let _ = source.listed.clone().wait_for(|listed| *listed).await;
        }
    }

    /// `Event`, while a first list is missing.
    pub(super) fn missing(&self) -> Option<String> {
        let missing = self.0.iter().any(|source| !*source.listed.borrow());
        missing.then(|| "Event".to_owned())
    }

    /// What is said about objects of one cluster.
    pub(super) fn of(&self, identity: &Identity) -> Vec<Arc<Complaint>> {
        let lists = self.0.iter().map(|source| {
            let index = source.index.lock().unwrap_or_else(PoisonError::into_inner);
            index.of(&identity.namespace, &identity.name)
        });
        lists.flatten().collect()
    }
}

fn start(
    client: &Client,
    namespace: Option<&str>,
    selection: Selection,
    touched: &mut SelectAll<Touched>,
) -> Source {
    let api: Api<Event> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let index = Arc::new(Mutex::new(Index::default()));
    let (has_listed, listed) = flag::channel(false);
    let configuration = watcher::Config::default().fields(selection.fields).page_size(50);
    let shared = Arc::clone(&index);
    let stream = watch(api, configuration).backoff(Growing::default()).filter_map(move |change| {
        let news = match change {
            Ok(change) => {
                let is_listed = matches!(change, Change::InitDone);
                let news = shared.lock().unwrap_or_else(PoisonError::into_inner).take(change, &selection);
                if is_listed {
                    has_listed.send_replace(true);
                }
                news
            }
            Err(error) => {
                tracing::debug!(kind = selection.kind, %error, "watch of events interrupted; it is resumed");
                has_listed.send_replace(true);
                None
            }
        };
        async move {
            let complaint = news?;
            let cluster: ObjectRef<EaiserCluster> =
                ObjectRef::new(complaint.cluster()?).within(&complaint.namespace);
            Some(ObjectRef::new(&cluster.name).within(&complaint.namespace))
        }
    });
    touched.push(stream.boxed());
    Source { index, listed }
}

/// Newest complaints by namespace and cluster.
#[derive(Debug, Default)]
struct Index {
    current: Clusters,
    /// Filled while the server lists anew; until then the old ones hold.
    listing: Clusters,
}

type Clusters = HashMap<(String, String), Vec<Known>>;

#[derive(Debug)]
struct Known {
    /// Name of the event object.
    event: String,
    complaint: Arc<Complaint>,
}

impl Index {
    /// Takes a change in; returns what tells something new, and not the same thing once more.
    fn take(&mut self, change: Change<Event>, selection: &Selection) -> Option<Arc<Complaint>> {
        match change {
            Change::Init => {
                self.listing.clear();
                None
            }
            Change::InitApply(event) => {
                put(&mut self.listing, &event, selection);
                None
            }
            // Passes over every cluster follow a list anyway.
            Change::InitDone => {
                self.current = std::mem::take(&mut self.listing);
                None
            }
            Change::Apply(event) => put(&mut self.current, &event, selection),
            Change::Delete(event) => {
                self.remove(&event, selection);
                None
            }
        }
    }

    fn remove(&mut self, event: &Event, selection: &Selection) {
        let Some(key) = Complaint::of(event, selection).as_ref().and_then(key) else { return };
        if let Some(known) = self.current.get_mut(&key) {
            known.retain(|known| known.event != event.name_any());
            if known.is_empty() {
                self.current.remove(&key);
            }
        }
    }

    fn of(&self, namespace: &str, cluster: &str) -> Vec<Arc<Complaint>> {
        let known = self.current.get(&(namespace.to_owned(), cluster.to_owned()));
        known.into_iter().flatten().map(|known| Arc::clone(&known.complaint)).collect()
    }
}

fn key(complaint: &Complaint) -> Option<(String, String)> {
    Some((complaint.namespace.clone(), complaint.cluster()?.to_owned()))
}

fn put(clusters: &mut Clusters, event: &Event, selection: &Selection) -> Option<Arc<Complaint>> {
    let complaint = Arc::new(Complaint::of(event, selection)?);
    let all = clusters.entry(key(&complaint)?).or_default();
    let known = Known { event: event.name_any(), complaint: Arc::clone(&complaint) };
    let same = |known: &&mut Known| {
        known.complaint.uid == complaint.uid && known.complaint.reason == complaint.reason
    };
    let Some(before) = all.iter_mut().find(same) else {
        all.push(known);
        return Some(complaint);
    };
    if before.complaint.last > complaint.last {
        return None;
    }
    let is_news = before.complaint.message != complaint.message;
    *before = known;
    is_news.then_some(complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: Selection = SELECTIONS[2];

    fn event(name: &str, second: u32, note: &str) -> Event {
        serde_saphyr::from_str(&format!(
            "{{metadata: {{name: {name}}}, reason: Unhealthy, note: '{note}', deprecatedLastTimestamp: '2026-11-24T08:19:{second:02}Z', regarding: {{kind: Pod, name: eaiser-api-x, namespace: shop, uid: u}}}}"
        ))
        .unwrap()
    }

    fn told(index: &Index) -> Vec<String> {
        index.of("shop", "eaiser").iter().map(|complaint| complaint.message.clone()).collect()
    }

    #[test]
    fn the_newest_of_one_reason_is_kept_and_only_news_touch_the_cluster() {
        let mut index = Index::default();
        assert!(index.take(Change::Apply(event("a", 1, "refused")), &POD).is_some());
        assert!(index.take(Change::Apply(event("a", 3, "refused")), &POD).is_none(), "the same once more");
        assert!(index.take(Change::Apply(event("b", 2, "late")), &POD).is_none(), "older than what is known");
        assert!(index.take(Change::Apply(event("b", 4, "404")), &POD).is_some());
        assert_eq!(told(&index), ["404"]);
        assert!(index.of("shop", "other").is_empty() && index.of("other", "eaiser").is_empty());
    }

    #[test]
    fn an_event_that_expires_is_forgotten() {
        let mut index = Index::default();
        index.take(Change::Apply(event("a", 1, "refused")), &POD);
        index.take(Change::Delete(event("other", 1, "refused")), &POD);
        assert_eq!(told(&index), ["refused"]);
        index.take(Change::Delete(event("a", 1, "refused")), &POD);
        assert!(index.current.is_empty());
    }

    #[test]
    fn a_new_list_replaces_the_old_one_only_when_it_is_complete() {
        let mut index = Index::default();
        index.take(Change::Apply(event("a", 1, "old")), &POD);
        index.take(Change::Init, &POD);
        index.take(Change::InitApply(event("b", 2, "new")), &POD);
        assert_eq!(told(&index), ["old"]);
        index.take(Change::InitDone, &POD);
        assert_eq!(told(&index), ["new"]);
    }
}
