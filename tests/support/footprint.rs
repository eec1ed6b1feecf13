//! Everything in a namespace that a cluster consists of, in a form that two runs can be compared by:
//! what differs from run to run by nature (names drawn at random, uids, versions, passwords) is left
//! out or replaced, the rest is kept word for word.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::core::TypeMeta;
use kube::{Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::World;

/// Kinds looked at, dependents after what owns them.
const KINDS: [(&str, &str, &str); 14] = [
    ("eaiser.io", "v1alpha1", "EaiserCluster"),
    ("apps", "v1", "StatefulSet"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("apps", "v1", "ControllerRevision"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "Pod"),
    ("", "v1", "PersistentVolumeClaim"),
];

/// Metadata that says what an object is for; the rest says when and as what it was stored.
const METADATA: [&str; 4] = ["labels", "annotations", "ownerReferences", "finalizers"];
/// Keys whose value the API server, a controller or the operator draws anew in every run.
const DRAWN: [&str; 9] = [
    "uid",
    "clusterIP",
    "clusterIPs",
    "controller-revision-hash",
    "deployment.kubernetes.io/revision",
    "eaiser.io/configuration",
    "eaiser.io/rendered",
    "nodePort",
    "pod-template-hash",
];

/// The objects of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// By `Kind/name`; dependents with drawn names by `Kind of owner`.
    objects: BTreeMap<String, Value>,
    /// Generation of each workload: how often its specification was changed.
    pub generations: BTreeMap<String, i64>,
}

impl Footprint {
    /// Looks at the namespace now.
    pub async fn of(world: &World) -> Self {
        let mut footprint = Self::default();
        let mut revisions = BTreeMap::new();
        for (group, version, kind) in KINDS {
            for object in list(world, group, version, kind).await {
                if let Some(revision) = object.data["status"]["updateRevision"].as_str() {
                    revisions.insert(object.name_any(), revision.to_owned());
                }
                footprint.add(world, kind, &object, &revisions);
            }
        }
        footprint
    }

    fn add(
        &mut self,
        world: &World,
        kind: &str,
        object: &DynamicObject,
        revisions: &BTreeMap<String, String>,
    ) {
        let name = object.name_any();
        let owner = object.owner_references().first();
        let owner = owner.map(|owner| format!("{}/{}", owner.kind, stem(&owner.kind, &owner.name)));
        match (kind, owner) {
            // As many as there are templates in use or kept; their names are digests.
            ("ReplicaSet" | "ControllerRevision", Some(owner)) => self.count(&format!("{kind} of {owner}")),
            ("Pod", Some(owner)) if owner.starts_with("ReplicaSet/") => {
                self.count(&format!("{kind} of {owner}"));
            }
            ("Pod", Some(owner)) => {
                let newest = revisions.get(owner.trim_start_matches("StatefulSet/"));
                let current = newest == object.labels().get("controller-revision-hash");
                let leaving = object.metadata.deletion_timestamp.is_some();
                let what = json!({"from the newest template": current, "leaving": leaving});
                self.objects.insert(format!("{kind}/{name}"), what);
            }
            _ => {
                if let ("StatefulSet" | "Deployment", Some(generation)) = (kind, object.metadata.generation) {
                    self.generations.insert(format!("{kind}/{name}"), generation);
                }
                self.objects.insert(format!("{kind}/{name}"), normalised(world, kind, object));
            }
        }
    }

    fn count(&mut self, key: &str) {
        let count = self.objects.get(key).and_then(Value::as_i64).unwrap_or_default();
        self.objects.insert(key.to_owned(), json!(count + 1));
    }

    /// This and the volume claims of another.
    pub fn with_claims_of(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        let claims = other.objects.iter().filter(|(key, _)| key.starts_with("PersistentVolumeClaim/"));
        sum.objects.extend(claims.map(|(key, value)| (key.clone(), value.clone())));
        sum
    }

    /// What is in one and not in the other, one line each; generations are not compared.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.objects.keys().chain(expected.objects.keys()).collect();
        let differing =
            keys.into_iter().filter_map(|key| match (expected.objects.get(key), self.objects.get(key)) {
                (Some(expected), Some(found)) => {
                    (expected != found).then(|| format!("{key}: {}", first_difference("", expected, found)))
                }
                (Some(_), None) => Some(format!("{key} is missing")),
                _ => Some(format!("{key} is too many")),
            });
        differing.collect()
    }
}

async fn list(world: &World, group: &str, version: &str, kind: &str) -> Vec<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::namespaced_with(client(world), &world.namespace, &resource);
    let mut items = api.list(&ListParams::default()).await.unwrap().items;
    for item in &mut items {
        item.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: kind.to_owned() });
    }
    items
}

fn client(world: &World) -> Client {
    world.client.clone()
}

/// An owner's name without the digest that ends the name of a set of replicas.
fn stem<'a>(kind: &str, name: &'a str) -> &'a str {
    if kind == "ReplicaSet" { name.rsplit_once('-').map_or(name, |(stem, _)| stem) } else { name }
}

fn normalised(world: &World, kind: &str, object: &DynamicObject) -> Value {
    let whole = serde_json::to_value(object).unwrap();
    let mut kept = Map::new();
    for (key, value) in whole.as_object().unwrap() {
        let value = match key.as_str() {
            "metadata" => {
                let known = value.as_object().unwrap().iter();
                known.filter(|(key, _)| METADATA.contains(&key.as_str())).map(entry).collect()
            }
            // Passwords are drawn; what must agree is which keys there are.
            "data" if kind == "Secret" => {
                value.as_object().unwrap().keys().map(|key| (key.clone(), json!("secret"))).collect()
            }
            "status" if kind == "EaiserCluster" => {
                let current = value["observedGeneration"] == whole["metadata"]["generation"];
                json!({"phase": value["phase"], "current": current})
            }
            "status" => continue,
            _ => value.clone(),
        };
        kept.insert(key.clone(), value);
    }
    cleaned(Value::Object(kept), &world.namespace)
}

fn entry((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn cleaned(value: Value, namespace: &str) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| {
                let value =
                    if DRAWN.contains(&key.as_str()) { json!("drawn") } else { cleaned(value, namespace) };
                (key, value)
            })
            .collect(),
        Value::Array(list) => list.into_iter().map(|value| cleaned(value, namespace)).collect(),
        Value::String(text) => Value::String(text.replace(namespace, "NAMESPACE")),
        other => other,
    }
}

/// Where two values part, and how.
fn first_difference(path: &str, expected: &Value, found: &Value) -> String {
    if let (Value::Object(expected), Value::Object(found)) = (expected, found) {
        let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        for key in keys {
            let (expected, found) = (&expected.get(key), &found.get(key));
            if expected != found {
                let null = Value::Null;
                let path = format!("{path}.{key}");
                return first_difference(&path, expected.unwrap_or(&null), found.unwrap_or(&null));
            }
        }
    }
    format!("{path} is {found}, expected {expected}")
}
