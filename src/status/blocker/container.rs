//! Containers that do not run, and why. Pure.
//!
//! A container that crashes is now running, now ended, now waiting; the verdict must not change with
//! it, or every turn would be told as news.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::super::condition::{Verdict, reason};
use super::Scene;
use crate::names::truncate;
use crate::password::redact;

/// Waiting reasons about the image.
const IMAGE: [&str; 5] =
    ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError", "InvalidImageName"];
/// Waiting reasons about what the container is made from.
const CREATION: [&str; 2] = ["CreateContainerConfigError", "CreateContainerError"];
/// Waiting reasons of a container that ended before.
const CRASH: [&str; 3] = ["CrashLoopBackOff", "RunContainerError", "StartError"];
/// The kubelet forgives earlier crashes of a container that ran this long, in seconds.
const FORGIVEN_AFTER: i64 = 600;
/// Longest text taken from a container or its runtime.
const LONGEST: usize = 300;

/// The first container that cannot run.
pub(super) fn first(scene: Scene<'_>, pod: &Pod) -> Option<Verdict> {
    all(pod).find_map(|container| {
        broken_image(pod, container)
            .or_else(|| not_created(pod, container))
            .or_else(|| crashed(scene, pod, container))
    })
}

/// Whether every container still waits for what the pod needs first: volumes, network.
pub(super) fn waits_for_pod(pod: &Pod) -> bool {
    all(pod).all(|container| matches!(waiting(container), Some(("ContainerCreating" | "PodInitializing", _))))
}

/// Since when a container runs that is not ready, when all of them run.
pub(super) fn running_unready_since(pod: &Pod) -> Option<&Time> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let started = |container: &'_ ContainerStatus| container.state.as_ref()?.running.as_ref().map(|_| ());
    if containers.iter().any(|container| started(container).is_none()) {
        return None;
    }
    let unready = containers.iter().find(|container| !container.ready)?;
    unready.state.as_ref()?.running.as_ref()?.started_at.as_ref()
}

fn all(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
    })
}

/// Reason and message of a waiting container.
fn waiting(container: &ContainerStatus) -> Option<(&str, &str)> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    Some((waiting.reason.as_deref().unwrap_or_default(), waiting.message.as_deref().unwrap_or_default()))
}

fn broken_image(pod: &Pod, container: &ContainerStatus) -> Option<Verdict> {
    let (why, message) = waiting(container).filter(|(why, _)| IMAGE.contains(why))?;
    // While the kubelet waits for its next try it repeats the last error behind a preamble.
    let message = match message.strip_prefix("Back-off pulling image ") {
        Some(rest) => rest.split_once("ErrImagePull: ").map_or(why, |(_, cause)| cause),
        None => message,
    };
    let text = format!(
        "pod {} cannot pull image {}: {}",
        pod.name_any(),
        container.image,
        truncate(message, LONGEST)
    );
    Some(Verdict::failing(reason::IMAGE_PULL_FAILED, text))
}

fn not_created(pod: &Pod, container: &ContainerStatus) -> Option<Verdict> {
    let (why, message) = waiting(container).filter(|(why, _)| CREATION.contains(why))?;
    let missing = why == "CreateContainerConfigError"
        && (message.contains("not found") || message.contains("couldn't find key"));
    let text = format!(
        "pod {}, container {} cannot be created: {}",
        pod.name_any(),
        container.name,
        truncate(message, LONGEST)
    );
    Some(Verdict::failing(if missing { reason::CONFIGURATION_MISSING } else { reason::POD_FAILING }, text))
}

/// A container that ended badly: once is an accident that a restart may mend, again is a fault.
fn crashed(scene: Scene<'_>, pod: &Pod, container: &ContainerStatus) -> Option<Verdict> {
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let (ended, again) = match (&state.terminated, &state.running) {
        (Some(ended), _) if ended.exit_code != 0 => (ended, container.restart_count > 0),
        (_, Some(running)) => {
            let is_young = scene.seconds_since(running.started_at.as_ref()) < FORGIVEN_AFTER;
            let keeps_ending = !container.ready && container.restart_count > 1 && is_young;
            (last.filter(|ended| keeps_ending && ended.exit_code != 0)?, true)
        }
        _ => {
            waiting(container).filter(|(why, _)| CRASH.contains(why))?;
            (last?, true)
        }
    };
    let (why, text) = describe(scene, pod, container, ended);
    Some(if again { Verdict::failing(why, text) } else { Verdict::off(why, text) })
}

fn describe(
    scene: Scene<'_>,
    pod: &Pod,
    container: &ContainerStatus,
    ended: &ContainerStateTerminated,
) -> (&'static str, String) {
    let who = format!("pod {}, container {}", pod.name_any(), container.name);
    if ended.reason.as_deref() == Some("OOMKilled") {
        let limit = memory_limit(pod, &container.name).unwrap_or("of its node");
        return (reason::OUT_OF_MEMORY, format!("{who} is killed at its memory limit {limit} (OOMKilled)"));
    }
    // The kubelet puts the end of the log here, since every container of ours asks for it.
    let said = ended.message.as_deref().unwrap_or_default();
    let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let line = redact(line.unwrap_or("no message"), &scene.snapshot.credentials.secrets());
    let why = ended.reason.as_deref().unwrap_or("Unknown");
    let text = format!("{who} ends with exit code {} ({why}): {}", ended.exit_code, truncate(&line, LONGEST));
    (reason::POD_CRASHING, text)
}

fn memory_limit<'a>(pod: &'a Pod, container: &str) -> Option<&'a str> {
    let spec = pod.spec.as_ref()?;
    let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let found = containers.find(|candidate| candidate.name == container)?;
    Some(found.resources.as_ref()?.limits.as_ref()?.get("memory")?.0.as_str())
}
