//! Pods of one StatefulSet held against its template: which are outdated, and in what. Pure.

pub mod change;
#[cfg(test)]
mod tests;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};

use super::Children;
use super::children::find;

/// Label by which the StatefulSet controller says from which revision it made a pod.
const REVISION: &str = "controller-revision-hash";

/// A StatefulSet and its pods, as far as a roll looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatefulPods {
    /// Name of the StatefulSet.
    pub stateful_set: String,
    /// Pods it shall have.
    pub wanted: usize,
    /// Whether its controller has looked at the newest template. Until then no pod is known to be
    /// outdated, and none is known not to be.
    pub is_current: bool,
    /// Its pods, by ordinal.
    pub pods: Vec<PodRevision>,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRevision {
    /// Pod name.
    pub name: String,
    /// Identity of this very pod; its successor has another.
    pub uid: String,
    /// Its Ready condition is true.
    pub ready: bool,
    /// It is being deleted.
    pub terminating: bool,
    /// No container of it runs: it waits for a node, a volume, an image, or its next try.
    pub stalled: bool,
    /// What the newest template changes, in words; none when the pod was made from it.
    pub outdated: Option<String>,
}

impl Children {
    /// The StatefulSet of that name and its pods; none while it does not exist.
    pub fn stateful_pods(&self, name: &str) -> Option<StatefulPods> {
        let set = find(&self.stateful_sets, name)?;
        let revision = newest_revision(set);
        let template = &set.spec.as_ref()?.template;
        let own: Vec<&Pod> =
            self.pods.iter().map(AsRef::as_ref).filter(|pod| is_made_by(pod, name)).collect();
        let revisions = own.iter().map(|pod| PodRevision {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            ready: is_ready(pod),
            terminating: pod.meta().deletion_timestamp.is_some(),
            stalled: is_stalled(pod),
            outdated: revision
                .filter(|revision| pod.labels().get(REVISION).map(String::as_str) != Some(*revision))
                .map(|_| change::describe(pod, template)),
        });
        let mut pods: Vec<PodRevision> = revisions.collect();
        pods.sort_by_key(|pod| ordinal(&pod.name));
        let wanted = set.spec.as_ref()?.replicas.unwrap_or(1);
        Some(StatefulPods {
            stateful_set: name.to_owned(),
            wanted: usize::try_from(wanted).unwrap_or_default(),
            is_current: revision.is_some() || is_new(set, &own),
            pods,
        })
    }
}

impl StatefulPods {
    /// Pods that shall be replaced, highest ordinal first; those on their way out included.
    pub fn outdated(&self) -> impl Iterator<Item = &PodRevision> {
        self.pods.iter().rev().filter(|pod| pod.outdated.is_some())
    }

    /// Pods made from the newest template.
    pub fn updated(&self) -> usize {
        self.pods.iter().filter(|pod| pod.outdated.is_none() && !pod.terminating).count()
    }

    /// The pod of that name.
    pub fn pod(&self, name: &str) -> Option<&PodRevision> {
        self.pods.iter().find(|pod| pod.name == name)
    }

    /// A pod that is on its way out, missing, or runs and is not ready yet.
    pub fn restarting(&self) -> Option<&str> {
        if self.pods.len() < self.wanted {
            return Some(&self.stateful_set);
        }
        let on_the_way = |pod: &&PodRevision| pod.terminating || !(pod.ready || pod.stalled);
        self.pods.iter().find(on_the_way).map(|pod| pod.name.as_str())
    }

    /// Why not every wanted pod is there and ready; none when they are.
    pub fn unrest(&self) -> Option<String> {
        let leaving = self.pods.iter().find(|pod| pod.terminating);
        if let Some(pod) = leaving {
            return Some(format!("{} is stopping", pod.name));
        }
        if self.pods.len() < self.wanted {
            let missing = (0..self.wanted)
                .map(|ordinal| format!("{}-{ordinal}", self.stateful_set))
                .find(|name| self.pod(name).is_none());
            return missing.map(|name| format!("{name} is being created"));
        }
        self.pods.iter().find(|pod| !pod.ready).map(|pod| format!("{} is not ready yet", pod.name))
    }
}

/// The revision pods shall be made from; none while the controller has not looked at the template
/// we see, since its status then speaks of an older one.
fn newest_revision(set: &StatefulSet) -> Option<&str> {
    let status = set.status.as_ref()?;
    let is_current =
        status.observed_generation.is_some() && status.observed_generation == set.metadata.generation;
    status.update_revision.as_deref().filter(|_| is_current)
}

/// A set that has no status yet has one template only, and its pods, if any, were made from it; unless
/// a set of its name before it left them behind.
fn is_new(set: &StatefulSet, pods: &[&Pod]) -> bool {
    let has_status = set.status.as_ref().is_some_and(|status| status.observed_generation.is_some());
    let made = set.metadata.creation_timestamp.as_ref();
    made.is_some() && !has_status && pods.iter().all(|pod| pod.metadata.creation_timestamp.as_ref() >= made)
}

fn is_made_by(pod: &Pod, set: &str) -> bool {
    pod.owner_references()
        .iter()
        .any(|owner| owner.controller == Some(true) && owner.kind == "StatefulSet" && owner.name == set)
}

/// Whether the pod's Ready condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn is_stalled(pod: &Pod) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers
        .into_iter()
        .all(|container| container.state.as_ref().is_none_or(|state| state.running.is_none()))
}

fn ordinal(pod: &str) -> usize {
    pod.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}
