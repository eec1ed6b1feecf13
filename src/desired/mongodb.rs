//! Objects of the replica set. Pure.

mod connection;
pub mod image;
mod keyfile;
pub mod rotation;
mod stateful_set;
pub mod tls;
pub mod users;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::stage::Stage;
use super::{Desired, meta};
use crate::names::{ANNOTATION_MEMBERS, Identity, MONGODB_PORT, Tier};
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;

pub use connection::{KEY_URI, uri};
pub use keyfile::pending as keyfile_pending;
pub use rotation::Rotation;

/// Adds the replica set's objects.
pub fn build(plan: &Plan, snapshot: &Snapshot, stage: Stage, desired: &mut Desired) {
    let identity = &plan.identity;
    let rotation = Rotation::of(plan, snapshot);
    desired.secrets.push(keyfile::secret(plan, snapshot));
    desired.secrets.push(connection::application(plan, snapshot, &rotation));
    desired.secrets.extend(connection::next(plan, snapshot, &rotation));
    desired.secrets.extend(users::secrets(plan, snapshot));
    desired.secrets.extend(tls::secrets(plan, snapshot));
    desired.services.push(members_service(identity));
    desired.disruption_budgets.push(disruption_budget(identity, Tier::MongoDb));
    desired.stateful_sets.push(members(plan, snapshot, stage));
}

/// Pods the StatefulSet must keep: the wanted members, and every pod that is still in the replica
/// set's configuration, so that no voter is cut off before it was removed by name. While nobody can
/// say who is in it, every pod stays.
pub fn pods_to_keep(plan: &Plan, snapshot: &Snapshot) -> i32 {
    let identity = &plan.identity;
    let wanted = plan.mongodb.members;
    let live = find(&snapshot.children.stateful_sets, &identity.tier(Tier::MongoDb));
    // Without its StatefulSet, as while that is made anew, the pods themselves say how many there are.
    let existing = live.map_or_else(|| pods_there(identity, snapshot), members_before_stop);
    let occupied = snapshot.mongodb.occupied().filter(|_| !snapshot.mongodb.members.is_empty());
    let Some(occupied) = occupied else {
        return wanted.max(existing);
    };
    let is_occupied = |ordinal: &i32| {
        occupied.contains(&identity.mongodb_host(&identity.mongodb_pod(*ordinal), &plan.cluster_domain))
    };
    (wanted..existing).rfind(is_occupied).map_or(wanted, |ordinal| ordinal + 1)
}

/// Pods of the set, counted by the highest ordinal.
fn pods_there(identity: &Identity, snapshot: &Snapshot) -> i32 {
    let set = identity.tier(Tier::MongoDb);
    let ordinals = snapshot
        .children
        .pods_of(Tier::MongoDb)
        .filter_map(|pod| pod.name_any().strip_prefix(&set)?.strip_prefix('-')?.parse::<i32>().ok());
    ordinals.max().map_or(0, |highest| highest.saturating_add(1))
}

fn with_image(plan: &Plan, image: String) -> Plan {
    let mut plan = plan.clone();
    plan.mongodb.image = image;
    plan
}

/// A stopped set has no pods and remembers how many there were.
fn members(plan: &Plan, snapshot: &Snapshot, stage: Stage) -> StatefulSet {
    let chosen = image::choose(plan, snapshot);
    let plan = &with_image(plan, chosen.image);
    if stage.mongodb {
        return stateful_set::build(plan, snapshot, pods_to_keep(plan, snapshot));
    }
    let mut set = stateful_set::build(plan, snapshot, 0);
    let live = find(&snapshot.children.stateful_sets, &plan.identity.tier(Tier::MongoDb));
    if let Some(members) = live.map(members_before_stop).filter(|members| *members > 0) {
        let annotations = set.metadata.annotations.get_or_insert_default();
        annotations.insert(ANNOTATION_MEMBERS.to_owned(), members.to_string());
    }
    set
}

/// Pods of the live set, or those it had before it was stopped. The spec may ask for fewer members
/// meanwhile, and they alone might be no majority of those that have to agree on it.
fn members_before_stop(set: &StatefulSet) -> i32 {
    match set.spec.as_ref().and_then(|spec| spec.replicas) {
        Some(0) | None => {
            set.annotations().get(ANNOTATION_MEMBERS).and_then(|count| count.parse().ok()).unwrap_or(0)
        }
        Some(replicas) => replicas,
    }
}

/// Headless: names every member, also before it is ready, since members must find each other to
/// become ready.
fn members_service(identity: &Identity) -> Service {
    Service {
        metadata: meta::object(identity, Tier::MongoDb, identity.mongodb_members()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(identity.selector(Tier::MongoDb)),
            ports: Some(vec![ServicePort {
                name: Some("mongodb".to_owned()),
                port: MONGODB_PORT,
                target_port: Some(IntOrString::String("mongodb".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// At most one pod of the tier may be evicted at a time.
pub fn disruption_budget(identity: &Identity, tier: Tier) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta::object(identity, tier, identity.tier(tier)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(meta::selector(identity, tier)),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
