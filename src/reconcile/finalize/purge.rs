//! What is left to do before a deleted cluster may go, decided from what is seen. Pure.
//!
//! Nothing here looks at a database, at readiness or at the spec's other fields: a broken cluster
//! goes like a healthy one. StatefulSets go first, because they would make claims and pods anew.
//! Then every pod must be on its way out: from there on nothing can come back to a claim, and
//! Kubernetes itself keeps each claim until the last pod that mounts it has ended.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{Resource, ResourceExt};

use crate::crd::DeletionPolicy;
use crate::names::{Identity, LABEL_COMPONENT, Tier};
use crate::snapshot::Children;

/// Finalizer by which Kubernetes itself marks a deletion that leaves the children behind.
const ORPHAN: &str = "orphan";

/// An object in the very incarnation that was decided upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: Option<String>,
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// StatefulSets to delete; their pods follow.
    DeleteSets(Vec<Target>),
    /// Something is on its way out; the sentence names it.
    Wait(String),
    /// Claims to delete, and with them the data.
    DeleteClaims(Vec<Target>),
    /// Nothing keeps the object any more.
    Release,
}

/// Decides. `finalizers` are all of the object.
pub fn next(identity: &Identity, policy: DeletionPolicy, finalizers: &[String], children: &Children) -> Next {
    let orphaned = finalizers.iter().any(|finalizer| finalizer == ORPHAN);
    // Pods that are to live on need their volumes.
    if policy == DeletionPolicy::Retain || orphaned {
        return Next::Release;
    }
    let ours = |object: &&StatefulSet| {
        object
            .owner_references()
            .iter()
            .any(|owner| owner.uid == identity.uid && owner.controller == Some(true))
    };
    let sets: Vec<&StatefulSet> = children.stateful_sets.iter().map(AsRef::as_ref).filter(ours).collect();
    let standing: Vec<Target> = sets.iter().filter(|set| !is_going(**set)).map(|set| target(*set)).collect();
    if !standing.is_empty() {
        return Next::DeleteSets(standing);
    }
    if let Some(set) = sets.first() {
        return Next::Wait(format!("StatefulSet {} is being deleted", set.name_any()));
    }
    let claims: Vec<&PersistentVolumeClaim> =
        children.claims.iter().map(AsRef::as_ref).filter(|claim| is_of(identity, claim)).collect();
    let using = children
        .pods
        .iter()
        .find(|pod| !is_going(pod.as_ref()) && claims.iter().any(|claim| mounts(pod, claim)));
    if let Some(pod) = using {
        return Next::Wait(format!("pod {} still runs on its volume", pod.name_any()));
    }
    let standing: Vec<Target> = claims.into_iter().filter(|claim| !is_going(*claim)).map(target).collect();
    if standing.is_empty() { Next::Release } else { Next::DeleteClaims(standing) }
}

impl Next {
    /// What is done, in words that name the objects; none when nothing is deleted.
    pub fn sentence(&self) -> String {
        let names = |targets: &[Target]| {
            targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::DeleteSets(sets) => format!("deleting StatefulSets {}", names(sets)),
            Self::Wait(reason) => reason.clone(),
            Self::DeleteClaims(claims) => format!("deleting volume claims {}", names(claims)),
            Self::Release => "every volume claim is deleted".to_owned(),
        }
    }
}

fn is_going(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_some()
}

fn target(object: &impl Resource) -> Target {
    let metadata = object.meta();
    Target { name: metadata.name.clone().unwrap_or_default(), uid: metadata.uid.clone() }
}

/// A claim has no owner, so it must bear the labels our templates give and the name that Kubernetes
/// builds from template, StatefulSet and ordinal. A claim with our labels alone is somebody's copy.
fn is_of(identity: &Identity, claim: &PersistentVolumeClaim) -> bool {
    let of_tier = |tier: Tier| claim.labels().get(LABEL_COMPONENT).map(String::as_str) == Some(tier.as_str());
    let name = claim.name_any();
    let Some((set, ordinal)) = name.strip_prefix("data-").and_then(|rest| rest.rsplit_once('-')) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let of_shard = |set: &str| {
        set.strip_prefix(&identity.tier(Tier::Redis))
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(is_number)
    };
    is_number(ordinal)
        && (of_tier(Tier::MongoDb) && set == identity.tier(Tier::MongoDb)
            || of_tier(Tier::Redis) && of_shard(set))
}

fn mounts(pod: &Pod, claim: &PersistentVolumeClaim) -> bool {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .filter_map(|volume| volume.persistent_volume_claim.as_ref())
        .any(|source| Some(&source.claim_name) == claim.metadata.name.as_ref())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LABELS: &str = "labels: {app.kubernetes.io/component: mongodb}";

    fn identity() -> Identity {
        Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() }
    }

    fn claim(name: &str, more: &str) -> Arc<PersistentVolumeClaim> {
        Arc::new(
            serde_saphyr::from_str(&format!("{{metadata: {{name: {name}, uid: {name}, {LABELS}{more}}}}}"))
                .unwrap(),
        )
    }

    fn set(owner: &str, more: &str) -> Arc<StatefulSet> {
        let owner =
            format!("{{apiVersion: v1, kind: EaiserCluster, name: eaiser, uid: {owner}, controller: true}}");
        Arc::new(
            serde_saphyr::from_str(&format!(
                "{{metadata: {{name: eaiser-mongodb, uid: s-1, ownerReferences: [{owner}]{more}}}}}"
            ))
            .unwrap(),
        )
    }

    fn pod(more: &str) -> Arc<Pod> {
        let volumes = "[{name: data, persistentVolumeClaim: {claimName: data-eaiser-mongodb-0}}]";
        Arc::new(
            serde_saphyr::from_str(&format!(
                "{{metadata: {{name: eaiser-mongodb-0{more}}}, spec: {{containers: [], volumes: {volumes}}}}}"
            ))
            .unwrap(),
        )
    }

    const GOING: &str = ", deletionTimestamp: 2026-01-01T00:00:00Z";

    fn decided(children: &Children) -> Next {
        next(&identity(), DeletionPolicy::Delete, &[], children)
    }

    fn targets(next: Next) -> Vec<String> {
        match next {
            Next::DeleteSets(targets) | Next::DeleteClaims(targets) => {
                targets.into_iter().map(|target| target.name).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sets_go_before_pods_and_pods_before_claims() {
        let claims = vec![claim("data-eaiser-mongodb-0", "")];
        let mut world = Children {
            claims,
            pods: vec![pod("")],
            stateful_sets: vec![set("u-1", "")],
            ..Children::default()
        };
        assert_eq!(targets(decided(&world)), ["eaiser-mongodb"]);
        world.stateful_sets = vec![set("u-1", GOING)];
        assert_eq!(decided(&world), Next::Wait("StatefulSet eaiser-mongodb is being deleted".to_owned()));
        world.stateful_sets.clear();
        assert_eq!(decided(&world), Next::Wait("pod eaiser-mongodb-0 still runs on its volume".to_owned()));
        world.pods.clear();
        assert_eq!(targets(decided(&world)), ["data-eaiser-mongodb-0"]);
        world.claims = vec![claim("data-eaiser-mongodb-0", GOING)];
        assert_eq!(decided(&world), Next::Release);
    }

    #[test]
    fn a_pod_that_never_ends_because_its_node_is_lost_holds_nothing_up() {
        let claims = vec![claim("data-eaiser-mongodb-0", "")];
        let world = Children { claims, pods: vec![pod(GOING)], ..Children::default() };
        assert_eq!(targets(decided(&world)), ["data-eaiser-mongodb-0"]);
    }

    #[test]
    fn a_policy_that_went_back_to_retain_deletes_nothing() {
        let claims = vec![claim("data-eaiser-mongodb-0", "")];
        let world = Children { claims, stateful_sets: vec![set("u-1", "")], ..Children::default() };
        assert_eq!(next(&identity(), DeletionPolicy::Retain, &[], &world), Next::Release);
    }

    #[test]
    fn a_deletion_that_leaves_the_pods_behind_leaves_their_volumes_too() {
        let world = Children { claims: vec![claim("data-eaiser-mongodb-0", "")], ..Children::default() };
        let orphan = ["orphan".to_owned()];
        assert_eq!(next(&identity(), DeletionPolicy::Delete, &orphan, &world), Next::Release);
    }

    #[test]
    fn a_claim_that_only_looks_like_ours_is_left_alone() {
        for name in [
            "backup",
            "data-eaiser-mongodb-x",
            "data-eaiser-mongodb",
            "data-other-mongodb-0",
            "data-eaiser-redis-0-0",
        ] {
            let world = Children { claims: vec![claim(name, "")], ..Children::default() };
            assert_eq!(decided(&world), Next::Release, "{name}");
        }
    }

    #[test]
    fn a_set_of_an_earlier_cluster_of_the_name_is_not_ours_to_delete() {
        let world = Children { stateful_sets: vec![set("u-0", "")], ..Children::default() };
        assert_eq!(decided(&world), Next::Release);
    }
}
