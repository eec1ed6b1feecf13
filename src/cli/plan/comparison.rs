//! What a spec would change about a live cluster, as data. Pure.

use serde::Serialize;
use serde_json::{Value, json};

use super::restarts::{self, Restart};
use crate::apply::difference::{FieldChange, between};
use crate::apply::preview::{Action, ObjectChange, preview};
use crate::crd::{EaiserCluster, EaiserClusterSpec};
use crate::desired::{self, stage::Progress};
use crate::drive;
use crate::names::{ANNOTATION_CONFIGURATION, Tier};
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;

/// One cluster: what it is and what it would become.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whether the cluster exists already.
    pub(super) exists: bool,
    /// Changes of the spec, for a file.
    pub(super) spec: Vec<FieldChange>,
    /// Changes of the derived numbers.
    pub(super) derived: Vec<FieldChange>,
    /// Objects that are not as they would be.
    pub(super) objects: Vec<ObjectChange>,
    /// How many objects stay as they are.
    pub(super) unchanged: usize,
    /// Pods that would be replaced, in order.
    pub(super) restarts: Vec<Restart>,
    /// What this comparison could not see, and what else to know.
    pub(super) notes: Vec<String>,
}

/// Everything that was read.
pub(super) struct Seen {
    /// The cluster, when it exists.
    pub(super) cluster: Option<EaiserCluster>,
    /// Its children; the databases were not asked.
    pub(super) snapshot: Snapshot,
    /// Kinds that the caller may not list.
    pub(super) unreadable: Vec<String>,
}

impl Comparison {
    /// Compares; `spec` is the one planned.
    pub(super) fn new(plan: &Plan, spec: &EaiserClusterSpec, seen: &Seen) -> Self {
        let desired = desired::build(plan, &seen.snapshot);
        let workloads = (desired.deployments.clone(), desired.stateful_sets.clone());
        let preview = preview(&plan.identity, desired, &seen.snapshot.children);
        let mut comparison = Self {
            namespace: plan.identity.namespace.clone(),
            name: plan.identity.name.clone(),
            exists: seen.cluster.is_some(),
            spec: seen.cluster.as_ref().map(|cluster| spec_changes(&cluster.spec, spec)).unwrap_or_default(),
            derived: seen.cluster.as_ref().map(|cluster| derived(cluster, plan)).unwrap_or_default(),
            objects: preview.changes,
            unchanged: preview.unchanged,
            restarts: Vec::new(),
            notes: notes(plan, spec, seen),
        };
        comparison.leave_out_unreadable(&seen.unreadable);
        comparison.restarts = restarts::restarts(&workloads, &comparison.objects, seen);
        comparison
    }

    /// Whether anything is not as it would be.
    pub(super) fn has_changes(&self) -> bool {
        !(self.spec.is_empty() && self.objects.is_empty() && self.restarts.is_empty())
    }

    /// How many objects meet one fate.
    pub(super) fn count(&self, action: Action) -> usize {
        self.objects.iter().filter(|object| object.action == action).count()
    }

    /// Objects nobody could look at are not "to be created", and what is derived from Secrets nobody
    /// could read is not "changed".
    fn leave_out_unreadable(&mut self, unreadable: &[String]) {
        self.objects.retain(|object| !unreadable.contains(&object.kind));
        if !unreadable.iter().any(|kind| kind == "Secret") {
            return;
        }
        let digest = format!("spec.template.metadata.annotations[{ANNOTATION_CONFIGURATION}]");
        for object in &mut self.objects {
            object.fields.retain(|field| field.path != digest);
        }
        let before = self.objects.len();
        self.objects.retain(|object| object.action != Action::Change || !object.fields.is_empty());
        self.unchanged += before - self.objects.len();
    }
}

fn spec_changes(old: &EaiserClusterSpec, new: &EaiserClusterSpec) -> Vec<FieldChange> {
    // Types with string keys only, so serialization cannot fail.
    let text = |spec: &EaiserClusterSpec| serde_json::to_value(spec).unwrap_or_default();
    between(&text(old), &text(new))
}

/// `status.capacity` beside what the plan derives now.
fn derived(cluster: &EaiserCluster, plan: &Plan) -> Vec<FieldChange> {
    let Some(known) = cluster.status.as_ref().and_then(|status| status.capacity.as_ref()) else {
        return Vec::new();
    };
    let constraints = |named: Vec<(String, Value)>| -> Value {
        named.into_iter().map(|(name, replicas)| json!({"name": name, "replicas": replicas})).collect()
    };
    let old = json!({
        "minReplicas": known.min_replicas,
        "maxReplicas": known.max_replicas,
        "binding": known.binding,
        "headroomPercent": known.headroom_percent,
        "mongodbMaxPoolSize": known.mongodb_max_pool_size,
        "constraints": constraints(known.constraints.iter().map(|one| (one.name.clone(), json!(one.replicas))).collect()),
    });
    let capacity = &plan.capacity;
    let new = json!({
        "minReplicas": capacity.min_replicas,
        "maxReplicas": capacity.max_replicas,
        "binding": capacity.binding,
        "headroomPercent": capacity.headroom_percent,
        "mongodbMaxPoolSize": plan.api.mongodb_pool,
        "constraints": constraints(capacity.constraints.iter().map(|one| (one.name.to_owned(), json!(one.replicas))).collect()),
    });
    between(&old, &new)
}

fn notes(plan: &Plan, spec: &EaiserClusterSpec, seen: &Seen) -> Vec<String> {
    let mut notes = Vec::new();
    if spec.operation.paused {
        notes.push(
            "the cluster is paused: nothing of this happens until operation.paused is false".to_owned(),
        );
    }
    let stage = desired::stage::Stage::of(plan, &seen.snapshot);
    if matches!(stage.progress, Progress::Stopping | Progress::Starting) {
        notes.push("tiers stop and start one after the other: what is listed is the next step".to_owned());
    }
    let status = seen.cluster.as_ref().and_then(|cluster| cluster.status.as_ref());
    let observed = status.and_then(|status| status.observed_generation);
    if let Some(cluster) = &seen.cluster
        && observed != cluster.metadata.generation
    {
        notes.push(
            "the operator has not looked at the newest spec yet: what it is about to do is listed too"
                .to_owned(),
        );
    }
    let set = find(&seen.snapshot.children.stateful_sets, &plan.identity.tier(Tier::MongoDb));
    let existing = set.and_then(|set| set.spec.as_ref()?.replicas).unwrap_or(0);
    if existing > plan.mongodb.members {
        notes.push(format!(
            "MongoDB goes from {existing} to {} members one at a time: each leaves the replica set before its pod goes, so the StatefulSet shrinks later. The databases were not asked",
            plan.mongodb.members
        ));
    }
    notes.extend(growth(plan, seen));
    if !seen.unreadable.is_empty() {
        notes.push(format!("not compared, because you may not list them: {}", seen.unreadable.join(", ")));
    }
    notes
}

/// Volumes that would grow; the StatefulSet is listed as it is until they have.
fn growth(plan: &Plan, seen: &Seen) -> Option<String> {
    let resizes = drive::storage::next(plan, &seen.snapshot);
    let first = resizes.first()?;
    Some(format!(
        "{} volumes grow from {} to {} while their pods run, if their StorageClass {} allows it; their StatefulSet is made anew around its pods when all have grown",
        resizes.len(),
        first.from,
        first.to,
        first.class.as_deref().unwrap_or("(none)")
    ))
}
