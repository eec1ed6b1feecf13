//! Verdicts of the tiers that are Deployments. Pure.

use k8s_openapi::api::apps::v1::Deployment;

use super::Pass;
use super::blocker::{self, Scene};
use super::condition::{Verdict, reason};
use crate::names::Tier;
use crate::snapshot::children::find;

/// Ready and wanted pods of a tier.
pub(super) fn counts(pass: &Pass<'_>, tier: Tier) -> (i32, i32) {
    let deployment = find(&pass.snapshot.children.deployments, &pass.plan.identity.tier(tier));
    deployment.map_or((0, 0), ready_and_wanted)
}

fn ready_and_wanted(deployment: &Deployment) -> (i32, i32) {
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    (ready, wanted)
}

pub(super) fn deployment(pass: &Pass<'_>, scene: Scene<'_>, tier: Tier, fewest: i64) -> Verdict {
    let name = pass.plan.identity.tier(tier);
    let Some(deployment) = find(&pass.snapshot.children.deployments, &name) else {
        return Verdict::off(reason::PODS_STARTING, format!("Deployment {name} is being created"));
    };
    as_told(deployment, &name, tier, fewest).unwrap_or_else(|| {
        blocker::deployment_refused(deployment).or_else(|| blocker::of_tier(scene, tier)).unwrap_or_else(
            || {
                let (ready, wanted) = ready_and_wanted(deployment);
                let updated = deployment.status.as_ref().and_then(|status| status.updated_replicas);
                Verdict::off(
                    reason::PODS_STARTING,
                    format!(
                        "{ready} of {} {tier} pods are ready, {} are up to date",
                        i64::from(wanted).max(fewest),
                        updated.unwrap_or(0)
                    ),
                )
            },
        )
    })
}

/// What the Deployment's own status settles; `None` where its pods have to be asked.
fn as_told(deployment: &Deployment, name: &str, tier: Tier, fewest: i64) -> Option<Verdict> {
    let (ready, wanted) = ready_and_wanted(deployment);
    let status = deployment.status.as_ref();
    let count = |of: fn(&k8s_openapi::api::apps::v1::DeploymentStatus) -> Option<i32>| {
        status.and_then(of).unwrap_or(0)
    };
    let updated = count(|status| status.updated_replicas);
    let available = count(|status| status.available_replicas);
    let outdated = count(|status| status.replicas) - updated;
    if status.and_then(|status| status.observed_generation) != deployment.metadata.generation {
        let message = format!("Deployment {name} has yet to take up its new template");
        return Some(Verdict::off(reason::PODS_STARTING, message));
    }
    if i64::from(wanted) < fewest || ready < wanted || updated < wanted {
        return None;
    }
    if available < wanted {
        let recent = wanted - available;
        let message =
            format!("{ready}/{wanted} {tier} pods are ready, {recent} of them too recently to count");
        return Some(Verdict::off(reason::PODS_STARTING, message));
    }
    if outdated > 0 {
        // They serve, so nothing is amiss; they go once their successors have been ready for a while.
        let message =
            format!("{ready}/{wanted} {tier} pods are ready; still to go: {outdated} of the template before");
        return Some(Verdict::on(reason::ROLLING, message));
    }
    Some(Verdict::on(reason::PODS_READY, format!("{ready}/{wanted} {tier} pods are ready")))
}

#[cfg(test)]
mod tests;
