//! Live objects of one kind, by cluster, kept as deflated JSON text: a parsed Deployment takes ten
//! times the memory of its text and forty times that of the deflated one, and a pass looks at one
//! cluster's objects only. Plain data behind a lock.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::names::LABEL_INSTANCE;

/// Namespace and name of a cluster.
pub type ClusterKey = (String, String);

/// The objects of one kind that carry the operator's label.
pub struct Shelf<K> {
    objects: Arc<RwLock<Objects>>,
    filled: watch::Sender<bool>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Shelf<K> {
    fn clone(&self) -> Self {
        Self { objects: Arc::clone(&self.objects), filled: self.filled.clone(), kind: PhantomData }
    }
}

/// What is there, and what a list under way has delivered so far.
#[derive(Default)]
struct Objects {
    current: Index,
    incoming: Index,
}

/// Objects by namespace and name, and the names of each cluster's.
#[derive(Default)]
struct Index {
    texts: HashMap<(String, String), Kept>,
    names: HashMap<ClusterKey, BTreeSet<String>>,
}

struct Kept {
    cluster: ClusterKey,
    text: Deflated,
}

/// JSON text of an object, deflated.
struct Deflated(Box<[u8]>);

impl Deflated {
    /// The fastest level saves nearly as much as the slowest on text that repeats itself this much.
    const LEVEL: u8 = 1;

    fn new<K: Serialize>(object: &K) -> Self {
        // Kubernetes types have string keys only, so serialization cannot fail.
        let json = serde_json::to_vec(object).unwrap_or_default();
        Self(compress_to_vec(&json, Self::LEVEL).into_boxed_slice())
    }

    fn object<K: DeserializeOwned>(&self) -> Option<K> {
        serde_json::from_slice(&decompress_to_vec(&self.0).ok()?).ok()
    }
}

impl<K> Shelf<K>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
{
    /// An empty shelf.
    pub fn new() -> Self {
        Self { objects: Arc::default(), filled: watch::Sender::new(false), kind: PhantomData }
    }

    /// Takes what the watch delivered and names the clusters it concerns.
    pub fn take(&self, event: Event<K>) -> Vec<ClusterKey> {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => {
                objects.incoming = Index::default();
                Vec::new()
            }
            Event::InitApply(object) => {
                objects.incoming.put(&object);
                Vec::new()
            }
            Event::InitDone => {
                let before = std::mem::take(&mut objects.current);
                objects.current = std::mem::take(&mut objects.incoming);
                self.filled.send_replace(true);
                // Also those whose objects vanished while the watch was interrupted.
                let mut clusters: Vec<ClusterKey> =
                    before.names.into_keys().chain(objects.current.names.keys().cloned()).collect();
                clusters.sort();
                clusters.dedup();
                clusters
            }
            Event::Apply(object) => objects.current.put(&object),
            Event::Delete(object) => objects.current.remove(&key_of(&object)).into_iter().collect(),
        }
    }

    /// One cluster's objects, by name.
    pub fn of(&self, cluster: &ClusterKey) -> Vec<Arc<K>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        let names = objects.current.names.get(cluster).into_iter().flatten();
        names
            .filter_map(|name| objects.current.texts.get(&(cluster.0.clone(), name.clone())))
            .filter_map(|kept| kept.text.object())
            .map(Arc::new)
            .collect()
    }

    /// The kind, while its first full list is missing.
    pub fn missing(&self) -> Option<String> {
        (!*self.filled.borrow()).then(|| K::kind(&()).into_owned())
    }

    /// Waits for the first full list.
    pub async fn wait_until_filled(&self) {
        // Fails when every sender is gone, and this shelf holds one.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }
}

impl Index {
    /// Keeps the object; returns the cluster it belongs to and the one it belonged to before, if its
    /// labels were changed.
    fn put<K: Resource<DynamicType = ()> + Serialize>(&mut self, object: &K) -> Vec<ClusterKey> {
        let key = key_of(object);
        let before = self.remove(&key);
        let Some(cluster) = cluster_of(object) else {
            return before.into_iter().collect();
        };
        let text = Deflated::new(object);
        self.names.entry(cluster.clone()).or_default().insert(key.1.clone());
        self.texts.insert(key, Kept { cluster: cluster.clone(), text });
        let moved = before.filter(|before| *before != cluster);
        std::iter::once(cluster).chain(moved).collect()
    }

    fn remove(&mut self, key: &(String, String)) -> Option<ClusterKey> {
        let kept = self.texts.remove(key)?;
        if let Some(names) = self.names.get_mut(&kept.cluster) {
            names.remove(&key.1);
            if names.is_empty() {
                self.names.remove(&kept.cluster);
            }
        }
        Some(kept.cluster)
    }
}

fn key_of<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// The cluster that the object's labels name.
fn cluster_of<K: Resource>(object: &K) -> Option<ClusterKey> {
    let name = object.labels().get(LABEL_INSTANCE)?;
    Some((object.namespace()?, name.clone()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn object(name: &str, cluster: &str) -> ConfigMap {
        let labels = json!({"app.kubernetes.io/instance": cluster});
        serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": name, "labels": labels}}))
            .unwrap()
    }

    fn key(cluster: &str) -> ClusterKey {
        ("shop".to_owned(), cluster.to_owned())
    }

    fn names(shelf: &Shelf<ConfigMap>, cluster: &str) -> Vec<String> {
        shelf.of(&key(cluster)).iter().map(|object| object.name_any()).collect()
    }

    fn filled(objects: &[ConfigMap]) -> Shelf<ConfigMap> {
        let shelf = Shelf::new();
        list(&shelf, objects);
        shelf
    }

    fn list(shelf: &Shelf<ConfigMap>, objects: &[ConfigMap]) -> Vec<ClusterKey> {
        shelf.take(Event::Init);
        for object in objects {
            shelf.take(Event::InitApply(object.clone()));
        }
        shelf.take(Event::InitDone)
    }

    #[test]
    fn a_cluster_sees_its_own_objects_by_name() {
        let shelf = filled(&[object("b", "one"), object("a", "one"), object("c", "two")]);
        assert_eq!(names(&shelf, "one"), ["a", "b"]);
        assert_eq!(names(&shelf, "two"), ["c"]);
    }

    #[test]
    fn an_object_comes_back_as_it_was() {
        let before = object("a", "one");
        assert_eq!(*filled(std::slice::from_ref(&before)).of(&key("one"))[0], before);
    }

    #[test]
    fn an_object_that_repeats_itself_is_kept_in_a_quarter_of_its_text() {
        let mut object = object("a", "one");
        let rule = |index| {
            format!("- alert: Slow{index}\n  expr: rate(errors{{tier=\"{index}\"}}[5m]) > 0.{index}\n")
        };
        object.data = Some([("rules.yaml".to_owned(), (0..100).map(rule).collect())].into());
        let kept = Deflated::new(&object);
        assert!(kept.0.len() * 4 < serde_json::to_vec(&object).unwrap().len(), "{}", kept.0.len());
        assert_eq!(kept.object(), Some(object));
    }

    #[test]
    fn nothing_of_an_unfinished_list_is_seen() {
        let shelf = filled(&[object("a", "one")]);
        shelf.take(Event::Init);
        shelf.take(Event::InitApply(object("b", "one")));
        assert_eq!(names(&shelf, "one"), ["a"]);
    }

    #[test]
    fn an_object_that_vanished_between_two_lists_concerns_its_cluster() {
        let shelf = filled(&[object("a", "one"), object("b", "two")]);
        assert_eq!(list(&shelf, &[object("b", "two")]), [key("one"), key("two")]);
        assert!(names(&shelf, "one").is_empty());
    }

    #[test]
    fn an_object_whose_label_was_changed_concerns_both_clusters() {
        let shelf = filled(&[object("a", "one")]);
        assert_eq!(shelf.take(Event::Apply(object("a", "two"))), [key("two"), key("one")]);
        assert!(names(&shelf, "one").is_empty());
        assert_eq!(names(&shelf, "two"), ["a"]);
    }

    #[test]
    fn a_deleted_object_is_gone_and_concerns_its_cluster() {
        let shelf = filled(&[object("a", "one")]);
        assert_eq!(shelf.take(Event::Delete(object("a", "one"))), [key("one")]);
        assert!(names(&shelf, "one").is_empty());
    }
}
