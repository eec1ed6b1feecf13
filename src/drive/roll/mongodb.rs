//! The order in which members of the replica set restart. Pure.

use super::{Action, Progress, Roll, replace_stalled, restart};
use crate::mongo::config::ConfigMember;
use crate::mongo::{Next, Topology, View};
use crate::names::Tier;
use crate::snapshot::{PodRevision, StatefulPods};

/// What a single member's restart costs.
const ALONE: &str = " (the only member: MongoDB is away until it is back)";

/// The next move: secondaries by falling ordinal, then the primary steps down and goes last.
pub(super) fn roll(set: Option<&StatefulPods>, seen: &Topology, verdict: &Next) -> Roll {
    let Some(set) = set else { return Roll::Done };
    if !set.is_current {
        return Roll::unseen(set);
    }
    if set.outdated().next().is_none() {
        return Roll::Done;
    }
    let progress = Progress::of([set]);
    let lost =
        |pod: &&PodRevision| pod.stalled && !pod.ready && !pod.terminating && !answers(seen, &pod.name);
    if let Some(pod) = set.outdated().find(lost) {
        return progress.act(replace_stalled(Tier::MongoDb, pod));
    }
    let move_ = match set.unrest().or_else(|| unsettled(verdict)) {
        Some(reason) => Err(reason),
        None => decide(set, seen),
    };
    match move_ {
        Ok(action) => progress.act(action),
        Err(reason) => progress.wait(&reason),
    }
}

fn answers(seen: &Topology, pod: &str) -> bool {
    let observed = seen.members.iter().find(|observed| observed.pod == pod);
    observed.is_some_and(|observed| !matches!(observed.view, View::Unreachable { .. }))
}

fn unsettled(verdict: &Next) -> Option<String> {
    match verdict {
        Next::Settled => None,
        Next::Do(step) => Some(format!("first: {step}")),
        Next::Wait(reason) => Some(reason.clone()),
    }
}

/// For a settled set with every pod ready.
fn decide(set: &StatefulPods, seen: &Topology) -> Result<Action, String> {
    let (primary, member) = seen.primary().ok_or_else(|| "the replica set has no primary".to_owned())?;
    let config = &member.config;
    // Of members that are no pods, nobody but the primary can tell how far they are.
    let is_pod = |member: &&ConfigMember| seen.observed(&member.host).is_some();
    let others = || config.members.iter().filter(is_pod).filter(|member| member.host != primary.known_as());
    if let Some(behind) = others().find(|member| !seen.caught_up(&member.host)) {
        return Err(format!("{} has not caught up with the primary yet", seen.pod_name(&behind.host)));
    }
    let secondary = set.outdated().find(|pod| pod.name != primary.pod);
    let pod = secondary.or_else(|| set.outdated().next()).ok_or_else(|| "no pod is outdated".to_owned())?;
    let host = seen.members.iter().find(|observed| observed.pod == pod.name).map(|observed| &observed.host);
    let host = host.ok_or_else(|| format!("{} is not known to the replica set", pod.name))?;
    if *host == primary.host && config.voters().count() == 1 {
        return Ok(restart(Tier::MongoDb, pod, set.wanted, ALONE));
    }
    seen.survives_loss_of(host)?;
    if *host != primary.host {
        return Ok(restart(Tier::MongoDb, pod, set.wanted, ""));
    }
    if !others().any(|member| member.votes > 0 && member.priority > 0.0) {
        return Err(format!("{} stays primary: no other member can be elected", pod.name));
    }
    let change = pod.outdated.clone().unwrap_or_default();
    Ok(Action::StepDown { pod: pod.name.clone(), host: host.clone(), change })
}
