//! The EaiserCluster of a scenario: examples/eaiser.yaml, changed where the scenario needs it.

use std::time::Duration;

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::until::seconds;
use super::world::TESTER;
use super::{World, lab, until};

/// Time until Ready that a healthy cluster never needs, even on busy nodes.
pub const FORMED_WITHIN: Duration = Duration::from_secs(150);

/// The same of a roll of every Redis pod, one after the other.
pub const ROLLED_WITHIN: Duration = Duration::from_secs(240);

/// Name of the example cluster.
pub const NAME: &str = "eaiser";

/// The example as people apply it.
pub fn example() -> Value {
    let path = lab::repository().join("examples/eaiser.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The example with a JSON merge patch on its spec.
pub fn example_with(spec: Value) -> Value {
    let mut manifest = example();
    merge(&mut manifest["spec"], spec);
    manifest
}

/// RFC 7386.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(&key);
        } else {
            merge(&mut target[&key], value);
        }
    }
}

/// The live object.
pub struct Cluster {
    /// Its kind in the scenario's namespace.
    pub api: Api<EaiserCluster>,
}

impl Cluster {
    /// Applies a manifest.
    pub async fn apply(world: &World, manifest: Value) -> Self {
        let api: Api<EaiserCluster> = world.api();
        api.patch(NAME, &PatchParams::apply(TESTER).force(), &Patch::Apply(manifest)).await.unwrap();
        Self { api }
    }

    /// The object now.
    pub async fn get(&self) -> EaiserCluster {
        self.api.get(NAME).await.unwrap()
    }

    /// Changes its spec with a merge patch.
    pub async fn change(&self, spec: Value) {
        self.api.patch(NAME, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await.unwrap();
    }

    /// Tries to change its spec; the server's refusal comes back as text.
    pub async fn try_change(&self, spec: Value) -> Result<(), String> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let answer = self.api.patch(NAME, &PatchParams::default(), &patch).await;
        answer.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Makes the operator look at it without changing anything it cares about.
    pub async fn touch(&self, round: usize) {
        let patch = json!({"metadata": {"annotations": {"test.eaiser.io/round": round.to_string()}}});
        self.api.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Asks for something by an annotation.
    pub async fn annotate(&self, name: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {name: value}}});
        self.api.patch(NAME, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Waits until the current generation is Ready.
    pub async fn ready(&self, within: Duration) -> EaiserCluster {
        until("the cluster is Ready", within, async || {
            let cluster = self.get().await;
            if is_current(&cluster) && holds(&cluster, "Ready") {
                Ok(cluster)
            } else {
                Err(message(&cluster))
            }
        })
        .await
    }

    /// Waits until the current generation is in this phase.
    pub async fn phase(&self, wanted: &str, within: Duration) -> EaiserCluster {
        until(&format!("the phase is {wanted}"), within, async || {
            let cluster = self.get().await;
            let phase = cluster.status.as_ref().and_then(|status| status.phase.as_deref());
            if is_current(&cluster) && phase == Some(wanted) { Ok(cluster) } else { Err(message(&cluster)) }
        })
        .await
    }

    /// Waits until it is Ready and nothing is under way, and has none of the pods `before` any more.
    pub async fn rolled(&self, world: &World, before: &[Pod], within: Duration) {
        let uids: Vec<_> = before.iter().map(|pod| pod.metadata.uid.clone()).collect();
        until("every pod is a new one and the cluster Ready", within, async || {
            let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
            let old: Vec<_> = pods.iter().filter(|pod| uids.contains(&pod.metadata.uid)).collect();
            let cluster = self.get().await;
            let settled = is_current(&cluster) && holds(&cluster, "Ready") && !holds(&cluster, "Progressing");
            if settled && old.is_empty() {
                Ok(())
            } else {
                Err(format!("{} old, {}", old.len(), message(&cluster)))
            }
        })
        .await;
    }

    /// Waits until Ready is not true and its message holds every one of `words`.
    pub async fn complains(&self, words: &[&str], within: Duration) -> EaiserCluster {
        until(&format!("the Ready condition names {words:?}"), within, async || {
            let cluster = self.get().await;
            let message = condition(&cluster, "Ready").map(|ready| ready.message.clone()).unwrap_or_default();
            let named = words.iter().all(|word| message.contains(word));
            if is_current(&cluster) && !holds(&cluster, "Ready") && named {
                Ok(cluster)
            } else {
                Err(message)
            }
        })
        .await
    }

    /// Deletes it and waits until the object is gone.
    pub async fn delete(&self) {
        self.api.delete(NAME, &DeleteParams::background()).await.unwrap();
        until("the EaiserCluster is gone", seconds(30), async || match self.api.get_opt(NAME).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("it still exists".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
}

/// Whether the status speaks about the current spec.
pub fn is_current(cluster: &EaiserCluster) -> bool {
    let observed = cluster.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some() && observed == cluster.metadata.generation
}

/// Whether a condition is true.
pub fn holds(cluster: &EaiserCluster, type_: &str) -> bool {
    condition(cluster, type_).is_some_and(|condition| condition.status == "True")
}

/// Whether the pod's Ready condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// How long a settled cluster is watched: a minute, or what `EAISER_SETTLED_SECONDS` says.
pub fn settled_seconds() -> u64 {
    std::env::var("EAISER_SETTLED_SECONDS").map_or(60, |text| text.parse().unwrap())
}

/// A condition of the cluster.
pub fn condition<'a>(
    cluster: &'a EaiserCluster,
    type_: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    cluster.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

/// The status' sentence.
pub fn message(cluster: &EaiserCluster) -> String {
    cluster
        .status
        .as_ref()
        .and_then(|status| status.message.clone())
        .unwrap_or_else(|| "no status".to_owned())
}
