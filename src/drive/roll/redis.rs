//! The order in which nodes of the Redis Cluster restart. Pure.

use super::{Action, Progress, Roll, replace_stalled, restart};
use crate::names::Tier;
use crate::redis_cluster::{Next, ShardSummary};
use crate::snapshot::{PodRevision, StatefulPods};

/// What the restart of a shard without replicas costs.
const ALONE: &str = " (the shard has no replica: its slots are away until it is back)";

/// The next move: shard by shard, replicas by falling ordinal, then one of them takes over and the
/// old primary goes last. `sets` has an entry per wanted shard; none where it does not exist yet.
pub(super) fn roll(sets: &[Option<StatefulPods>], shards: &[ShardSummary], verdict: &Next) -> Roll {
    let present: Vec<&StatefulPods> = sets.iter().flatten().collect();
    if let Some(set) = present.iter().find(|set| !set.is_current) {
        return Roll::unseen(set);
    }
    let outdated = || present.iter().flat_map(|set| set.outdated());
    if outdated().next().is_none() {
        return Roll::Done;
    }
    let progress = Progress::of(present.iter().copied());
    // Loading is no loss: such a server runs, and its pod is not stalled.
    let known = |name: &str| {
        shards.iter().any(|shard| {
            shard.primary.as_deref() == Some(name) || shard.replicas.iter().any(|replica| replica == name)
        })
    };
    let lost = |pod: &&PodRevision| pod.stalled && !pod.ready && !pod.terminating && !known(&pod.name);
    if let Some(pod) = outdated().find(lost) {
        return progress.act(replace_stalled(Tier::Redis, pod));
    }
    match unrest(sets, &present).or_else(|| unsettled(verdict)) {
        Some(reason) => progress.wait(&reason),
        None => match decide(&present, shards) {
            Ok(action) => progress.act(action),
            Err(reason) => progress.wait(&reason),
        },
    }
}

fn unrest(sets: &[Option<StatefulPods>], present: &[&StatefulPods]) -> Option<String> {
    if present.len() < sets.len() {
        return Some("a shard is being created".to_owned());
    }
    present.iter().find_map(|set| set.unrest())
}

fn unsettled(verdict: &Next) -> Option<String> {
    match verdict {
        Next::Settled => None,
        Next::Do(step) => Some(format!("first: {}", step.describe())),
        Next::Wait(waiting) => Some(waiting.message.clone()),
    }
}

/// For a settled cluster with every pod ready.
fn decide(sets: &[&StatefulPods], shards: &[ShardSummary]) -> Result<Action, String> {
    let all = sets.iter().map(|set| set.wanted).sum();
    let set = sets
        .iter()
        .find(|set| set.outdated().next().is_some())
        .ok_or_else(|| "no pod is outdated".to_owned())?;
    let shard = shards.iter().find(|shard| shard.name == set.stateful_set);
    let shard = shard.ok_or_else(|| format!("shard {} is not known", set.stateful_set))?;
    if let Some(problem) = shard.problems.first() {
        return Err(problem.clone());
    }
    let primary = shard.primary.as_deref().ok_or_else(|| format!("shard {} has no primary", shard.name))?;
    if let Some(replica) = set.outdated().find(|pod| pod.name != primary) {
        return Ok(restart(Tier::Redis, replica, all, ""));
    }
    let pod = set.pod(primary).ok_or_else(|| format!("primary {primary} has no pod"))?;
    if set.wanted == 1 {
        return Ok(restart(Tier::Redis, pod, all, ALONE));
    }
    // The shard has no problem, so every replica listed has its link up.
    let is_new = |name: &&String| {
        set.pod(name).is_some_and(|pod| pod.ready && !pod.terminating && pod.outdated.is_none())
    };
    let successor = shard.replicas.iter().find(is_new);
    let to = successor.ok_or_else(|| format!("no replica of {primary} is in step with it"))?.clone();
    Ok(Action::FailOver { from: primary.to_owned(), to, change: pod.outdated.clone().unwrap_or_default() })
}
