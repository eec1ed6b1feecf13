//! One cluster in the few facts that a screen has room for. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::gather::Found;
use super::pods::PodView;
use crate::crd::{CapacityStatus, EaiserClusterStatus, Endpoints};
use crate::names::{Identity, LABEL_COMPONENT, LABEL_NAME, OPERATOR, Tier};

/// Events kept, newest first.
const EVENTS: usize = 20;
/// Conditions that are as they should be when they are false.
const BAD_WHEN_TRUE: [&str; 5] = ["Progressing", "Degraded", "Paused", "Reconciling", "Stalled"];

/// One cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) phase: String,
    pub(super) message: String,
    /// Ready, and the operator has seen the newest spec.
    pub(super) ready: bool,
    pub(super) age_seconds: i64,
    pub(super) users: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capacity: Option<CapacityStatus>,
    /// `ready/wanted` API pods.
    pub(super) api: String,
    pub(super) tiers: Vec<TierView>,
    /// Those that are not as they should be.
    pub(super) conditions: Vec<ConditionView>,
    pub(super) events: Vec<EventView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoints: Option<Endpoints>,
    /// What could not be seen.
    pub(super) notes: Vec<String>,
}

/// One tier.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TierView {
    pub(super) tier: String,
    pub(super) ready: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wanted: Option<usize>,
    /// Pods that its disruption budget lets an eviction take now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disruptions_allowed: Option<i32>,
    pub(super) pods: Vec<PodView>,
}

/// Conditions of one reason and message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConditionView {
    /// Type and status, such as `Ready=False`.
    pub(super) conditions: Vec<String>,
    pub(super) reason: String,
    pub(super) message: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventView {
    pub(super) age_seconds: i64,
    pub(super) warning: bool,
    pub(super) reason: String,
    pub(super) object: String,
    pub(super) message: String,
    pub(super) count: i32,
}

impl Overview {
    /// Sums up what was found, as of `now`.
    pub(super) fn new(found: &Found, now: Timestamp) -> Self {
        let cluster = &found.cluster;
        let status = cluster.status.clone().unwrap_or_default();
        let current = status.observed_generation == cluster.metadata.generation;
        let conditions = &status.conditions;
        let is_ready =
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let created = cluster.creation_timestamp().map_or(now, |time| time.0);
        let namespace = cluster.namespace().unwrap_or_default();
        Self {
            name: cluster.name_any(),
            phase: status.phase.clone().unwrap_or_else(|| "Unseen".to_owned()),
            message: status.message.clone().unwrap_or_else(unseen),
            ready: is_ready && current,
            age_seconds: now.as_second() - created.as_second(),
            users: cluster.spec.capacity.users,
            capacity: status.capacity.clone(),
            api: status.api.as_ref().map(|api| api.summary.clone()).unwrap_or_default(),
            tiers: tiers(found, &status, now),
            conditions: unexpected(conditions),
            events: events(found, now),
            endpoints: status.endpoints.clone(),
            notes: notes(found, &status, current, &namespace),
            namespace,
        }
    }
}

fn unseen() -> String {
    format!(
        "no operator has looked at this cluster yet; is one running? kubectl get deployments -A -l {LABEL_NAME}={OPERATOR}"
    )
}

fn notes(found: &Found, status: &EaiserClusterStatus, current: bool, namespace: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if let (false, Some(seen), Some(newest)) =
        (current, status.observed_generation, found.cluster.metadata.generation)
    {
        notes.push(format!(
            "the operator has not looked at the newest spec: it is generation {newest}, and the status speaks of {seen}"
        ));
    }
    if found.cluster.metadata.deletion_timestamp.is_some() {
        notes.push("the cluster is being deleted".to_owned());
    }
    for kind in &found.unreadable {
        notes.push(format!("{kind} are not shown: you may not list them in namespace {namespace}"));
    }
    notes
}

/// In the order in which a request meets them.
fn tiers(found: &Found, status: &EaiserClusterStatus, now: Timestamp) -> Vec<TierView> {
    [Tier::Gateway, Tier::Api, Tier::MongoDb, Tier::Redis]
        .into_iter()
        .map(|tier| {
            let of_tier = |labels: &BTreeMap<String, String>| {
                labels.get(LABEL_COMPONENT).map(String::as_str) == Some(tier.as_str())
            };
            let pods = found.pods.iter().filter(|pod| of_tier(pod.labels()));
            let pods: Vec<PodView> = pods.map(|pod| PodView::new(pod, Some(status), now)).collect();
            let budget = found.budgets.iter().find(|budget| of_tier(budget.labels()));
            TierView {
                tier: tier.to_string(),
                ready: pods.iter().filter(|pod| pod.ready).count(),
                wanted: wanted(found, tier),
                disruptions_allowed: budget
                    .and_then(|budget| budget.status.as_ref())
                    .map(|status| status.disruptions_allowed),
                pods,
            }
        })
        .collect()
}

fn wanted(found: &Found, tier: Tier) -> Option<usize> {
    let spec = &found.cluster.spec;
    let stopped = spec.operation.stopped && !spec.operation.paused;
    let count = match tier {
        Tier::MongoDb | Tier::Redis if stopped => 0,
        Tier::MongoDb => spec.mongodb.members,
        Tier::Redis => spec.redis.shards * (1 + spec.redis.replicas_per_shard),
        _ => {
            let name = Identity::of(&found.cluster.metadata)?.tier(tier);
            let deployment = found.deployments.iter().find(|deployment| deployment.name_any() == name)?;
            deployment.spec.as_ref()?.replicas?
        }
    };
    usize::try_from(count).ok()
}

/// Conditions that share reason and message are one fact.
fn unexpected(conditions: &[Condition]) -> Vec<ConditionView> {
    let mut views: Vec<ConditionView> = Vec::new();
    for condition in conditions {
        let good = if BAD_WHEN_TRUE.contains(&condition.type_.as_str()) { "False" } else { "True" };
        if condition.status == good {
            continue;
        }
        let named = format!("{}={}", condition.type_, condition.status);
        let same =
            |view: &&mut ConditionView| view.reason == condition.reason && view.message == condition.message;
        match views.iter_mut().find(same) {
            Some(view) => view.conditions.push(named),
            None => views.push(ConditionView {
                conditions: vec![named],
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            }),
        }
    }
    views
}

/// Newest first; those of an earlier cluster of this name are left out.
fn events(found: &Found, now: Timestamp) -> Vec<EventView> {
    let uid = found.cluster.uid();
    let ours = |event: &&Event| {
        let object = &event.involved_object;
        object.kind.as_deref() != Some("EaiserCluster") || object.uid == uid
    };
    let mut events: Vec<EventView> =
        found.events.iter().map(AsRef::as_ref).filter(ours).map(|event| view(event, now)).collect();
    events.sort_by_key(|event| event.age_seconds);
    events.truncate(EVENTS);
    events
}

fn view(event: &Event, now: Timestamp) -> EventView {
    let series = event.series.as_ref();
    let last = series
        .and_then(|series| series.last_observed_time.as_ref().map(|time| time.0))
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let object = &event.involved_object;
    EventView {
        age_seconds: now.as_second() - last.unwrap_or(now).as_second(),
        warning: event.type_.as_deref() == Some("Warning"),
        reason: event.reason.clone().unwrap_or_default(),
        object: format!(
            "{}/{}",
            object.kind.as_deref().unwrap_or_default(),
            object.name.as_deref().unwrap_or_default()
        ),
        message: event.message.clone().unwrap_or_default(),
        count: series.and_then(|series| series.count).or(event.count).unwrap_or(1),
    }
}
