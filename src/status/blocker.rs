//! Which object keeps a tier from being ready, and why, in words. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, PersistentVolumeClaim, Pod};
use kube::{Resource, ResourceExt};

use super::condition::{Verdict, reason, truncate};

/// Waiting reasons of a container that will not go away by waiting.
const FAILING: [&str; 6] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "InvalidImageName",
    "StartError",
];
/// Waiting reasons about the image.
const IMAGE: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError"];

/// The first object that blocks among the pods of a tier and their claims: failing ones first, then
/// those that are merely starting.
pub fn first<'a>(pods: impl Iterator<Item = &'a Pod>, claims: &[&PersistentVolumeClaim]) -> Option<Verdict> {
    let mut verdicts: Vec<Verdict> = pods.filter_map(|pod| of_pod(pod, claims)).collect();
    verdicts.sort_by_key(|verdict| !verdict.failing);
    verdicts.into_iter().next()
}

/// Whether the pod's Ready condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, _)| status == "True")
}

fn of_pod(pod: &Pod, claims: &[&PersistentVolumeClaim]) -> Option<Verdict> {
    if is_ready(pod) || pod.meta().deletion_timestamp.is_some() {
        return None;
    }
    let name = pod.name_any();
    if let Some(("False", message)) = condition(pod, "PodScheduled") {
        return Some(unscheduled(&name, message, pending_claim(pod, claims)));
    }
    let status = pod.status.as_ref();
    let mut containers = status.into_iter().flat_map(|status| {
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
    });
    let stuck = containers.find_map(|container| of_container(&name, container));
    Some(stuck.unwrap_or_else(|| Verdict::off(reason::PODS_STARTING, format!("pod {name} is starting"))))
}

fn unscheduled(name: &str, message: &str, claim: Option<String>) -> Verdict {
    match claim {
        Some(claim) => Verdict::failing(
            reason::CLAIM_PENDING,
            format!("pod {name} waits for volume claim {claim}, which is not bound: {message}"),
        ),
        None => {
            Verdict::failing(reason::POD_UNSCHEDULABLE, format!("pod {name} is unschedulable: {message}"))
        }
    }
}

/// A claim of the pod that is pending although the scheduler already complains about volumes.
fn pending_claim(pod: &Pod, claims: &[&PersistentVolumeClaim]) -> Option<String> {
    let (_, message) = condition(pod, "PodScheduled")?;
    if !message.contains("PersistentVolumeClaim")
        && !message.contains("persistent volume")
        && !message.contains("storageclass")
    {
        return None;
    }
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mounted =
        volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()));
    mounted.into_iter().find(|name| {
        let phase = claims
            .iter()
            .find(|claim| claim.name_any() == *name)
            .and_then(|claim| claim.status.as_ref()?.phase.clone());
        phase.as_deref() != Some("Bound")
    })
}

fn of_container(pod: &str, container: &ContainerStatus) -> Option<Verdict> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let why = waiting.reason.as_deref().unwrap_or("");
    let detail = waiting.message.as_deref().unwrap_or("");
    let image = &container.image;
    if IMAGE.contains(&why) {
        return Some(Verdict::failing(
            reason::IMAGE_PULL_FAILED,
            format!("pod {pod} cannot pull image {image} ({why}): {}", truncate(detail, 300)),
        ));
    }
    if !FAILING.contains(&why) {
        return None;
    }
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = last.map_or_else(String::new, |ended| {
        let text = ended.message.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let last_line = text.and_then(|text| text.lines().last()).unwrap_or("no message");
        format!(
            "; it last ended with exit code {} ({}): {}",
            ended.exit_code,
            ended.reason.as_deref().unwrap_or("Unknown"),
            truncate(last_line, 300)
        )
    });
    let name = &container.name;
    Some(Verdict::failing(
        reason::POD_FAILING,
        format!("pod {pod}, container {name}: {why}: {}{ended}", truncate(detail, 300)),
    ))
}

/// Status and message of one of the pod's conditions.
fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<(&'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((found.status.as_str(), found.message.as_deref().unwrap_or("")))
}
