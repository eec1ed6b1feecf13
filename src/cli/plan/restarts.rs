//! Which pods a change replaces, in which order, and why. Pure.
//!
//! The order is the one in which [`crate::drive::roll`] goes; who is primary is taken from the
//! status, since the databases are not asked.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use super::comparison::Seen;
use crate::apply::preview::{Action, ObjectChange};
use crate::crd::EaiserClusterStatus;
use crate::names::{LABEL_COMPONENT, Tier};
use crate::snapshot::pods::change::describe;

/// Pods of one workload that would be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restart {
    /// `Kind/name`.
    pub(super) workload: String,
    /// The pods, in order.
    pub(super) pods: Vec<String>,
    /// How they are replaced.
    pub(super) order: String,
    /// What makes it necessary.
    pub(super) why: String,
}

/// Every workload with pods to replace: the Deployments, then MongoDB, then Redis shard by shard.
pub(super) fn restarts(
    workloads: &(Vec<Deployment>, Vec<StatefulSet>),
    changes: &[ObjectChange],
    seen: &Seen,
) -> Vec<Restart> {
    let (deployments, stateful_sets) = workloads;
    let status = seen.cluster.as_ref().and_then(|cluster| cluster.status.as_ref());
    let mut all: Vec<Restart> =
        deployments.iter().filter_map(|deployment| of_deployment(deployment, changes, seen)).collect();
    all.extend(stateful_sets.iter().filter_map(|set| of_stateful_set(set, changes, seen, status)));
    all
}

fn template_changes(changes: &[ObjectChange], kind: &str, name: &str) -> bool {
    changes.iter().any(|change| {
        change.kind == kind
            && change.name == name
            && matches!(change.action, Action::Change | Action::Recreate)
            && change.fields.iter().any(|field| field.path.starts_with("spec.template"))
    })
}

fn of_deployment(deployment: &Deployment, changes: &[ObjectChange], seen: &Seen) -> Option<Restart> {
    let name = deployment.name_any();
    if !template_changes(changes, "Deployment", &name) {
        return None;
    }
    let spec = deployment.spec.as_ref()?;
    let tier = deployment.labels().get(LABEL_COMPONENT)?;
    let of_tier = |pod: &&Pod| pod.labels().get(LABEL_COMPONENT) == Some(tier) && !is_terminating(pod);
    let pods: Vec<&Pod> = seen.snapshot.children.pods.iter().map(AsRef::as_ref).filter(of_tier).collect();
    let why = describe(pods.first()?, &spec.template);
    let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let amount = |value: Option<&IntOrString>| match value {
        Some(IntOrString::Int(0)) => "none".to_owned(),
        Some(IntOrString::Int(count)) => format!("at most {count}"),
        Some(IntOrString::String(share)) => format!("at most {share}"),
        None => "at most 25%".to_owned(),
    };
    let order = format!(
        "a rolling update, meanwhile {} above the wanted count and {} below it",
        amount(rolling.and_then(|rolling| rolling.max_surge.as_ref())),
        amount(rolling.and_then(|rolling| rolling.max_unavailable.as_ref())),
    );
    let pods = pods.iter().map(|pod| pod.name_any()).collect();
    Some(Restart { workload: format!("Deployment/{name}"), pods, order, why })
}

fn of_stateful_set(
    set: &StatefulSet,
    changes: &[ObjectChange],
    seen: &Seen,
    status: Option<&EaiserClusterStatus>,
) -> Option<Restart> {
    let name = set.name_any();
    let children = &seen.snapshot.children;
    let known = children.stateful_pods(&name)?;
    let template = &set.spec.as_ref()?.template;
    let (mut pods, why) = if template_changes(changes, "StatefulSet", &name) {
        let pods: Vec<String> = known.pods.iter().rev().map(|pod| pod.name.clone()).collect();
        let why = describe(children.pod(pods.first()?)?, template);
        (pods, why)
    } else {
        // A roll that is under way.
        let pods: Vec<String> = known.outdated().map(|pod| pod.name.clone()).collect();
        (pods, known.outdated().next()?.outdated.clone()?)
    };
    let is_redis = set.labels().get(LABEL_COMPONENT).map(String::as_str) == Some(Tier::Redis.as_str());
    let primary = primary(status, &name, is_redis);
    if let Some(primary) = &primary {
        pods.sort_by_key(|pod| pod == primary);
    }
    let order = order(is_redis, pods.len(), primary.filter(|primary| pods.contains(primary)).as_deref());
    Some(Restart { workload: format!("StatefulSet/{name}"), pods, order, why })
}

fn primary(status: Option<&EaiserClusterStatus>, set: &str, is_redis: bool) -> Option<String> {
    let status = status?;
    if !is_redis {
        return status.mongodb.as_ref()?.primary.clone();
    }
    status.redis.as_ref()?.shards.iter().find(|shard| shard.name == set)?.primary.clone()
}

fn order(is_redis: bool, count: usize, primary: Option<&str>) -> String {
    let after = if is_redis { ", after MongoDB" } else { "" };
    match (primary, count, is_redis) {
        (_, 1, _) => format!("alone{after}"),
        (None, ..) => format!("one at a time, the primary last{after}"),
        (Some(primary), _, false) => {
            format!("one at a time, secondaries first; {primary} steps down and goes last")
        }
        (Some(primary), _, true) => {
            format!("one at a time, replicas first; one takes over from {primary}, which goes last{after}")
        }
    }
}

fn is_terminating(pod: &Pod) -> bool {
    pod.meta().deletion_timestamp.is_some()
}
