//! Which size the claims of a StatefulSet's template ask for while its volumes grow. Pure.
//!
//! The template is immutable, so a new size means a StatefulSet made anew around its pods. It follows
//! the volumes and never leads them: as long as one is smaller than wanted, the template stays what it
//! is. So a growth that is refused or fails leaves nothing to undo.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::snapshot::Children;
use crate::snapshot::children::find;
use crate::snapshot::volumes::{Amount, STORAGE};

/// The StatefulSet with the size its live template has, as long as a volume of its pods is too small.
pub(super) fn follow_volumes(mut set: StatefulSet, children: &Children) -> StatefulSet {
    if let Some(size) = size_to_keep(&set, children)
        && let Some(wanted) = size_of(&mut set)
    {
        *wanted = size;
    }
    set
}

fn size_to_keep(set: &StatefulSet, children: &Children) -> Option<Quantity> {
    let name = set.metadata.name.as_deref()?;
    let mut live = find(&children.stateful_sets, name)?.clone();
    let live = size_of(&mut live)?.clone();
    let wanted = Amount::parse(&size_of(&mut set.clone())?.0);
    if Amount::parse(&live.0).bytes == wanted.bytes {
        return None;
    }
    let replicas = set.spec.as_ref()?.replicas.unwrap_or(0);
    let volumes = children.volumes_of((0..replicas).map(|ordinal| format!("{name}-{ordinal}")));
    // A stopped set does not say how many volumes it has. A pod on its way in might not be known yet to
    // the garbage collector as one to leave alone.
    let at_rest = replicas > 0 && children.stateful_pods(name).is_some_and(|pods| pods.unrest().is_none());
    let have_grown = volumes.iter().all(|volume| volume.capacity.bytes >= wanted.bytes);
    (!(at_rest && have_grown)).then_some(live)
}

/// The size its one claim asks for.
fn size_of(set: &mut StatefulSet) -> Option<&mut Quantity> {
    let claim = set.spec.as_mut()?.volume_claim_templates.as_mut()?.first_mut()?;
    claim.spec.as_mut()?.resources.as_mut()?.requests.as_mut()?.get_mut(STORAGE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    fn set(size: &str, replicas: i32) -> StatefulSet {
        serde_saphyr::from_str(&format!(
            "{{metadata: {{name: db}}, spec: {{replicas: {replicas}, selector: {{}}, serviceName: db, template: {{}}, volumeClaimTemplates: [{{spec: {{resources: {{requests: {{storage: {size}}}}}}}}}]}}}}"
        ))
        .unwrap()
    }

    fn pod(ordinal: usize, ready: &str) -> Arc<Pod> {
        let owner = "{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: s, controller: true}";
        Arc::new(
            serde_saphyr::from_str(&format!(
                "{{metadata: {{name: db-{ordinal}, ownerReferences: [{owner}]}}, status: {{conditions: [{{type: Ready, status: '{ready}'}}]}}}}"
            ))
            .unwrap(),
        )
    }

    /// The size rendered for a wanted 2Gi, beside a live 1Gi and these capacities.
    fn rendered(replicas: i32, capacities: &[&str]) -> String {
        beside(replicas, capacities, ["True"; 3])
    }

    fn beside(replicas: i32, capacities: &[&str], ready: [&str; 3]) -> String {
        let claim = |(ordinal, capacity): (usize, &&str)| {
            let text = format!(
                "{{metadata: {{name: data-db-{ordinal}}}, spec: {{}}, status: {{phase: Bound, capacity: {{storage: {capacity}}}}}}}"
            );
            Arc::new(serde_saphyr::from_str(&text).unwrap())
        };
        let children = Children {
            stateful_sets: vec![Arc::new(set("1Gi", 3))],
            claims: capacities.iter().enumerate().map(claim).collect(),
            pods: ready.iter().enumerate().map(|(ordinal, ready)| pod(ordinal, ready)).collect(),
            ..Children::default()
        };
        size_of(&mut follow_volumes(set("2Gi", replicas), &children)).unwrap().0.clone()
    }

    #[test]
    fn the_template_stays_until_every_volume_has_grown() {
        assert_eq!(rendered(3, &["2Gi", "2Gi", "1Gi"]), "1Gi");
        assert_eq!(rendered(3, &["2Gi", "3Gi", "2048Mi"]), "2Gi");
    }

    #[test]
    fn the_template_stays_while_a_pod_is_on_its_way_in() {
        assert_eq!(beside(3, &["2Gi", "2Gi", "2Gi"], ["True", "True", "False"]), "1Gi");
    }

    #[test]
    fn the_volume_of_a_member_that_left_holds_nothing_back() {
        assert_eq!(rendered(3, &["2Gi", "2Gi", "2Gi", "1Gi", "1Gi"]), "2Gi");
    }

    #[test]
    fn a_stopped_set_keeps_its_template() {
        assert_eq!(rendered(0, &["1Gi", "1Gi", "1Gi"]), "1Gi");
    }

    #[test]
    fn a_set_without_a_predecessor_asks_for_what_is_wanted() {
        let mut set = follow_volumes(set("2Gi", 3), &Children::default());
        assert_eq!(size_of(&mut set).unwrap().0, "2Gi");
    }
}
