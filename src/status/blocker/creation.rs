//! Pods that the API server did not let a controller create: quotas, limits, Pod Security. Pure.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Resource, ResourceExt};

use super::super::condition::{Verdict, reason};
use super::Scene;
use crate::snapshot::children::find;

/// A Deployment's own complaint.
pub(in crate::status) fn deployment_refused(deployment: &Deployment) -> Option<Verdict> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    Some(refused("Deployment", &deployment.name_any(), failure.message.as_deref().unwrap_or("no message")))
}

/// A StatefulSet has no such condition; only an event tells. It is over once a pod of the set was
/// created after it.
pub(in crate::status) fn stateful_set_refused(scene: Scene<'_>, name: &str) -> Option<Verdict> {
    let children = &scene.snapshot.children;
    let set = find(&children.stateful_sets, name)?;
    let complaint = children.complaint("StatefulSet", set.meta(), &["FailedCreate"])?;
    let pods = children.stateful_pods(name)?;
    if pods.pods.len() >= pods.wanted {
        return None;
    }
    let created_since =
        pods.pods.iter().filter_map(|pod| children.pod(&pod.name)).any(|pod| {
            pod.meta().creation_timestamp.as_ref().is_some_and(|created| created.0 > complaint.last)
        });
    // "Create Pod a-0 in StatefulSet a failed error: pods "a-0" is forbidden: …"
    let message = complaint.message.split_once("failed error: ").map_or(&*complaint.message, |(_, why)| why);
    (!created_since).then(|| refused("StatefulSet", name, message))
}

fn refused(kind: &str, name: &str, message: &str) -> Verdict {
    let why = if message.contains("exceeded quota") {
        reason::QUOTA_EXCEEDED
    } else if message.contains("forbidden") {
        reason::PODS_REFUSED
    } else {
        reason::REPLICA_FAILURE
    };
    Verdict::failing(why, format!("{kind} {name} cannot create pods: {message}"))
}
