//! Pods as one line each. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use crate::crd::EaiserClusterStatus;
use crate::snapshot::pods::is_ready;

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodView {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<String>,
    pub(super) ready: bool,
    /// One word: `Ready`, `NotReady`, or what it waits for.
    pub(super) state: String,
    pub(super) restarts: i32,
    pub(super) age_seconds: i64,
    /// Its part in its database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
}

impl PodView {
    /// Looks at a pod; its role is what the status of the cluster says.
    pub(super) fn new(pod: &Pod, status: Option<&EaiserClusterStatus>, now: Timestamp) -> Self {
        let name = pod.name_any();
        let created = pod.creation_timestamp().map_or(now, |time| time.0);
        Self {
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            ready: is_ready(pod) && pod.meta().deletion_timestamp.is_none(),
            state: state(pod),
            restarts: containers(pod).map(|container| container.restart_count).sum(),
            age_seconds: now.as_second() - created.as_second(),
            role: status.and_then(|status| role(&name, status)),
            name,
        }
    }
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| {
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
    })
}

fn state(pod: &Pod) -> String {
    if pod.meta().deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    if is_ready(pod) {
        return "Ready".to_owned();
    }
    let waiting =
        containers(pod).find_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone());
    // Waiting for an init container says nothing that its own state does not say better.
    let telling = waiting.filter(|reason| reason != "PodInitializing" && reason != "ContainerCreating");
    if let Some(reason) = telling {
        return reason;
    }
    let status = pod.status.as_ref();
    let unscheduled = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        return condition.reason.clone().unwrap_or_else(|| "Unschedulable".to_owned());
    }
    match status.and_then(|status| status.phase.as_deref()) {
        Some("Running") => "NotReady".to_owned(),
        Some("Pending") | None => "Starting".to_owned(),
        Some(phase) => phase.to_owned(),
    }
}

fn role(pod: &str, status: &EaiserClusterStatus) -> Option<String> {
    let member = status.mongodb.iter().flat_map(|mongodb| &mongodb.members).find(|member| member.pod == pod);
    if let Some(member) = member {
        let vote = if member.votes == 0 { ", no vote" } else { "" };
        let lag = member.lag_seconds.map_or_else(String::new, |seconds| format!(", {seconds} s behind"));
        return Some(format!("{}{vote}{lag}", member.state.to_lowercase()));
    }
    status.redis.iter().flat_map(|redis| &redis.shards).find_map(|shard| {
        if shard.primary.as_deref() == Some(pod) {
            return Some(format!("primary, {} slots", shard.slots));
        }
        let follows = shard.replicas.iter().any(|replica| replica == pod);
        follows.then(|| format!("replica of {}", shard.primary.as_deref().unwrap_or("nobody")))
    })
}
