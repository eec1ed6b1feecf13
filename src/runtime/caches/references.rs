//! Watches of single Secrets that specs refer to. They bear no label of ours, so each is watched by its
//! name, which needs no right beyond those for our own Secrets, as long as some cluster refers to it. IO.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::{mpsc, oneshot};
use futures::stream::SelectAll;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::Touched;
use super::backoff::Growing;
use super::shelf::ClusterKey;
use super::watch::reference;
use crate::names::Identity;
use crate::snapshot::{Reference, References};

/// Namespace and name of a Secret.
type SecretKey = (String, String);

/// All such watches.
#[derive(Clone)]
pub(super) struct Watches {
    secrets: Arc<Mutex<HashMap<SecretKey, Watched>>>,
    begin: mpsc::UnboundedSender<(SecretKey, oneshot::Receiver<()>)>,
}

/// One Secret.
struct Watched {
    /// Names of the clusters that refer to it.
    clusters: BTreeSet<String>,
    /// None until the first list is there.
    found: Option<Reference>,
    /// The list under way has delivered it.
    listed: bool,
    /// Ends the watch when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Watches {
    /// None yet; `touched` drives those to come.
    pub(super) fn start(client: &Client, touched: &mut SelectAll<Touched>) -> Self {
        let (watches, asked) = Self::new();
        let (client, shared) = (client.clone(), watches.clone());
        let followed = asked.map(move |(key, end)| {
            let api: Api<Secret> = Api::namespaced(client.clone(), &key.0);
            let named = watcher::Config::default().fields(&format!("metadata.name={}", key.1));
            let events = watcher(api, named).backoff(Growing::default());
            shared.clone().follow(key, events).take_until(end).boxed()
        });
        touched.push(followed.flatten_unordered(None).map(reference).boxed());
        watches
    }

    fn new() -> (Self, mpsc::UnboundedReceiver<(SecretKey, oneshot::Receiver<()>)>) {
        let (begin, asked) = mpsc::unbounded();
        (Self { secrets: Arc::default(), begin }, asked)
    }

    /// The clusters that each event concerns.
    fn follow(
        self,
        key: SecretKey,
        events: impl Stream<Item = watcher::Result<Event<Secret>>> + Send,
    ) -> impl Stream<Item = ClusterKey> + Send {
        events.flat_map(move |event| {
            let touched = match event {
                Ok(event) => self.take(&key, event),
                Err(error) => {
                    let (namespace, secret) = &key;
                    tracing::warn!(namespace, secret, %error, "watch of a Secret that a spec refers to interrupted; it is resumed");
                    Vec::new()
                }
            };
            stream::iter(touched)
        })
    }

    fn take(&self, key: &SecretKey, event: Event<Secret>) -> Vec<ClusterKey> {
        let mut secrets = self.lock();
        let Some(watched) = secrets.get_mut(key) else { return Vec::new() };
        let found = |secret: Secret| Some(Reference::Found(Arc::new(secret.data.unwrap_or_default())));
        match event {
            Event::Init => {
                watched.listed = false;
                return Vec::new();
            }
            Event::InitApply(secret) => {
                watched.listed = true;
                watched.found = found(secret);
                return Vec::new();
            }
            Event::InitDone if watched.listed => {}
            Event::InitDone | Event::Delete(_) => watched.found = Some(Reference::Missing),
            Event::Apply(secret) => watched.found = found(secret),
        }
        watched.clusters.iter().map(|cluster| (key.0.clone(), cluster.clone())).collect()
    }

    /// What is known of these Secrets, which are from now on those that the cluster refers to.
    pub(super) fn of<'a>(&self, cluster: &Identity, names: impl Iterator<Item = &'a str>) -> References {
        let names: BTreeSet<&str> = names.collect();
        self.release(&cluster.namespace, &cluster.name, &names);
        let mut references = References::default();
        let mut secrets = self.lock();
        for name in names {
            let key = (cluster.namespace.clone(), name.to_owned());
            let watched = secrets.entry(key.clone()).or_insert_with(|| {
                let (end, ended) = oneshot::channel();
                // Fails when nobody polls the watches any more: the process is ending.
                let _ = self.begin.unbounded_send((key, ended));
                Watched { clusters: BTreeSet::new(), found: None, listed: false, _end: end }
            });
            watched.clusters.insert(cluster.name.clone());
            if let Some(found) = &watched.found {
                references.0.insert(name.to_owned(), found.clone());
            }
        }
        references
    }

    /// The cluster refers to nothing but these any more; what nobody refers to is not watched.
    pub(super) fn release(&self, namespace: &str, cluster: &str, kept: &BTreeSet<&str>) {
        self.lock().retain(|(of, name), watched| {
            if of == namespace && !kept.contains(name.as_str()) {
                watched.clusters.remove(cluster);
            }
            !watched.clusters.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretKey, Watched>> {
        // Every critical section is a few map operations, so a poisoned map is still whole.
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(name: &str) -> Identity {
        Identity { namespace: "shop".to_owned(), name: name.to_owned(), uid: String::new() }
    }

    fn login() -> SecretKey {
        ("shop".to_owned(), "login".to_owned())
    }

    fn secret(password: &str) -> Secret {
        let data = json!({"password": k8s_openapi::ByteString(password.as_bytes().to_vec())});
        serde_json::from_value(json!({"metadata": {"name": "login"}, "data": data})).unwrap()
    }

    /// What is known of the Secret: `unread`, `missing`, or its password.
    fn known(watches: &Watches, cluster: &Identity) -> String {
        let references = watches.of(cluster, ["login"].into_iter());
        match references.0.get("login") {
            None => "unread".to_owned(),
            Some(Reference::Missing) => "missing".to_owned(),
            Some(Reference::Found(values)) => String::from_utf8(values["password"].0.clone()).unwrap(),
        }
    }

    #[test]
    fn a_secret_is_unknown_before_it_is_listed_and_then_followed() {
        let (watches, mut asked) = Watches::new();
        let eaiser = cluster("eaiser");
        assert_eq!(known(&watches, &eaiser), "unread");
        assert_eq!(asked.try_recv().unwrap().0, login());
        let touched = vec![("shop".to_owned(), "eaiser".to_owned())];
        for (event, touches, then) in [
            (Event::Init, false, "unread"),
            (Event::InitDone, true, "missing"),
            (Event::Apply(secret("one")), true, "one"),
            // The watch is resumed with a list that shows a change.
            (Event::Init, false, "one"),
            (Event::InitApply(secret("two")), false, "two"),
            (Event::InitDone, true, "two"),
            (Event::Delete(secret("two")), true, "missing"),
        ] {
            let told = watches.take(&login(), event);
            assert_eq!(told, if touches { touched.clone() } else { Vec::new() });
            assert_eq!(known(&watches, &eaiser), then);
        }
        assert!(asked.try_recv().is_err(), "watched once");
    }

    #[test]
    fn a_secret_is_watched_once_for_all_and_no_longer_than_somebody_refers_to_it() {
        let (watches, mut asked) = Watches::new();
        known(&watches, &cluster("a"));
        known(&watches, &cluster("b"));
        let (_, mut end) = asked.try_recv().unwrap();
        watches.take(&login(), Event::Apply(secret("one")));
        assert_eq!(watches.take(&login(), Event::Apply(secret("one"))).len(), 2);
        watches.of(&cluster("a"), std::iter::empty());
        assert_eq!(end.try_recv(), Ok(None), "b still refers to it");
        watches.release("shop", "b", &BTreeSet::new());
        assert_eq!(end.try_recv(), Err(oneshot::Canceled));
        assert_eq!(known(&watches, &cluster("b")), "unread", "what is asked for again is read anew");
        assert!(asked.try_recv().is_ok());
    }

    #[test]
    fn clusters_of_other_namespaces_have_secrets_of_their_own() {
        let (watches, _asked) = Watches::new();
        known(&watches, &cluster("a"));
        watches.take(&login(), Event::Apply(secret("one")));
        let elsewhere = Identity { namespace: "bank".to_owned(), ..cluster("a") };
        assert_eq!(known(&watches, &elsewhere), "unread");
        watches.release("bank", "a", &BTreeSet::new());
        assert_eq!(known(&watches, &cluster("a")), "one");
    }
}
