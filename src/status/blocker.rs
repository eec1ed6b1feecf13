//! Which object keeps a tier from being ready, and why, in words. Pure.
//!
//! Pods tell most by their own status; events tell the rest: why a claim is not bound, a volume not
//! mounted, a probe not passed.

mod container;
mod creation;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use super::condition::{Verdict, reason};
use crate::names::{CONDITION_MEMBER, Tier, truncate};
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;
pub(super) use creation::{deployment_refused, stateful_set_refused};

/// What may pass by itself counts as failing only when it lasted this long, in seconds.
const PATIENCE: i64 = 30;
/// A running container that fails its probe this long, in seconds, will hardly pass it later.
const PROBE_PATIENCE: i64 = 300;

/// Annotation of a claim whose StorageClass exists.
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";

/// The world and the time at which it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// The world.
    pub(super) snapshot: &'a Snapshot,
    /// When.
    pub(super) now: &'a Time,
}

impl Scene<'_> {
    fn seconds_since(&self, time: Option<&Time>) -> i64 {
        time.map_or(0, |time| self.now.0.duration_since(time.0).as_secs())
    }
}

/// The first object that blocks among the pods of a tier: failing ones first, then those that are
/// merely starting, then the remains of others; of two, the younger, since a Deployment keeps what
/// fails of the last template until the newest one succeeds.
pub(super) fn of_tier(scene: Scene<'_>, tier: Tier) -> Option<Verdict> {
    let pods = scene.snapshot.children.pods_of(tier);
    let verdicts = pods.filter_map(|pod| Some((pod, of_pod(scene, pod)?)));
    let first = verdicts.min_by_key(|(pod, verdict)| {
        let created = pod.meta().creation_timestamp.as_ref().map(|time| time.0);
        (!verdict.failing, has_ended(pod), Reverse(created))
    });
    first.map(|(_, verdict)| verdict)
}

/// Whether the pod's Ready condition is true.
pub(super) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

fn of_pod(scene: Scene<'_>, pod: &Pod) -> Option<Verdict> {
    let name = pod.name_any();
    if pod.meta().deletion_timestamp.is_some() {
        return lost_node(scene, pod, "is being deleted, but");
    }
    if is_ready(pod) {
        return None;
    }
    if has_ended(pod) {
        return Some(ended(pod, &name));
    }
    let found = volumes(scene, pod)
        .or_else(|| unschedulable(pod, &name))
        .or_else(|| lost_node(scene, pod, "does not answer:"))
        .or_else(|| container::first(scene, pod))
        .or_else(|| sandbox(scene, pod))
        .or_else(|| probe(scene, pod))
        .or_else(|| member(pod, &name));
    Some(found.unwrap_or_else(|| Verdict::off(reason::PODS_STARTING, format!("pod {name} is starting"))))
}

/// Evicted and finished pods stay listed; others take their place.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn ended(pod: &Pod, name: &str) -> Verdict {
    let status = pod.status.as_ref();
    let why = status.and_then(|status| status.reason.as_deref()).unwrap_or("no reason");
    let message = status.and_then(|status| status.message.as_deref()).unwrap_or("no message");
    Verdict::off(reason::POD_ENDED, format!("pod {name} ended ({why}): {message}"))
}

fn unschedulable(pod: &Pod, name: &str) -> Option<Verdict> {
    let scheduled = condition(pod, "PodScheduled").filter(|scheduled| scheduled.status == "False")?;
    let message = scheduled.message.as_deref().unwrap_or("no message");
    Some(Verdict::failing(reason::POD_UNSCHEDULABLE, format!("pod {name} is unschedulable: {message}")))
}

/// A claim of the pod that is not bound although somebody complains, or a volume that does not mount.
fn volumes(scene: Scene<'_>, pod: &Pod) -> Option<Verdict> {
    let name = pod.name_any();
    let children = &scene.snapshot.children;
    let mounted = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claimed = mounted.filter_map(|volume| Some(&volume.persistent_volume_claim.as_ref()?.claim_name));
    for claim in claimed {
        let Some(live) = find(&children.claims, claim).filter(|claim| !is_bound(claim)) else { continue };
        let reasons = ["ProvisioningFailed", "FailedBinding"];
        let told = children.complaint("PersistentVolumeClaim", live.meta(), &reasons);
        let told = told.map(|complaint| complaint.message.as_str()).filter(|told| !is_over(live, told));
        if let Some(why) = told.or_else(|| scheduler_on_volumes(pod)) {
            let message = format!("pod {name} waits for PersistentVolumeClaim {claim}: {why}");
            return Some(Verdict::failing(reason::CLAIM_PENDING, message));
        }
    }
    let complaint = children.complaint("Pod", pod.meta(), &["FailedMount", "FailedAttachVolume"])?;
    if !container::waits_for_pod(pod) {
        return None;
    }
    let message = format!("pod {name} cannot mount its volumes: {}", complaint.message);
    Some(patiently(scene, pod, reason::MOUNT_FAILED, message))
}

/// Whether the class that was missed has been found since: only then a provisioner is named.
fn is_over(claim: &PersistentVolumeClaim, told: &str) -> bool {
    told.starts_with("storageclass.storage.k8s.io") && claim.annotations().contains_key(PROVISIONER)
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
}

fn scheduler_on_volumes(pod: &Pod) -> Option<&str> {
    let scheduled = condition(pod, "PodScheduled").filter(|scheduled| scheduled.status == "False")?;
    let message = scheduled.message.as_deref()?;
    let words = ["PersistentVolumeClaim", "persistent volume", "storageclass"];
    words.iter().any(|word| message.contains(word)).then_some(message)
}

/// The node controller takes the Ready condition from pods of a node that fell silent, and leaves
/// its reason as it was; a kubelet that says so itself gives one.
fn lost_node(scene: Scene<'_>, pod: &Pod, link: &str) -> Option<Verdict> {
    scene.snapshot.children.complaint("Pod", pod.meta(), &["NodeNotReady"])?;
    let words_of_the_kubelet = ["ContainersNotReady", "ReadinessGatesNotReady"];
    if condition(pod, "Ready")?.reason.as_deref().is_some_and(|why| words_of_the_kubelet.contains(&why)) {
        return None;
    }
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    let message = format!("pod {} {link} its node {node} is not ready", pod.name_any());
    Some(Verdict::failing(reason::NODE_NOT_READY, message))
}

/// The network or the sandbox of the pod cannot be set up.
fn sandbox(scene: Scene<'_>, pod: &Pod) -> Option<Verdict> {
    let complaint = scene.snapshot.children.complaint("Pod", pod.meta(), &["FailedCreatePodSandBox"])?;
    let waits = container::waits_for_pod(pod);
    let message = format!("pod {} cannot be set up: {}", pod.name_any(), complaint.message);
    waits.then(|| patiently(scene, pod, reason::POD_FAILING, message))
}

/// Containers run and one does not pass its probe. While a tier forms that is no fault; a path that
/// does not exist is.
fn probe(scene: Scene<'_>, pod: &Pod) -> Option<Verdict> {
    let complaint = scene.snapshot.children.complaint("Pod", pod.meta(), &["Unhealthy"])?;
    let started = container::running_unready_since(pod)?;
    // Said about an earlier run of the container.
    if complaint.last < started.0 {
        return None;
    }
    let name = pod.name_any();
    let message = format!("pod {name} runs but is not ready: {}", first_line(&complaint.message));
    let hopeless = complaint.message.contains("statuscode: 404");
    if hopeless || scene.seconds_since(Some(started)) > PROBE_PATIENCE {
        return Some(Verdict::failing(reason::PROBE_FAILING, message));
    }
    Some(Verdict::off(reason::PROBE_FAILING, message))
}

/// Its containers are ready, and the member of the replica set in it is not.
fn member(pod: &Pod, name: &str) -> Option<Verdict> {
    condition(pod, "ContainersReady").filter(|ready| ready.status == "True")?;
    let member = condition(pod, CONDITION_MEMBER).filter(|member| member.status == "False")?;
    let message = member.message.as_deref().unwrap_or("the member does not serve");
    Some(Verdict::off(reason::PODS_STARTING, format!("pod {name} is not ready yet: {message}")))
}

fn first_line(text: &str) -> String {
    truncate(text.lines().next().unwrap_or_default(), 300)
}

/// Failing once the pod is older than what may pass by itself.
fn patiently(scene: Scene<'_>, pod: &Pod, why: &'static str, message: String) -> Verdict {
    let age = scene.seconds_since(pod.meta().creation_timestamp.as_ref());
    if age > PATIENCE { Verdict::failing(why, message) } else { Verdict::off(why, message) }
}

/// One of the pod's conditions.
fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}
