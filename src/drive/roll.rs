//! Rolls: pods made from an older template are replaced, one at a time. Pure.
//!
//! The StatefulSets are `OnDelete`, so nothing restarts unless it is decided here. A pod is taken
//! down only while its database is settled and every other pod of the tier is ready; who is primary
//! hands over first and goes last; the databases never roll at the same time. A pod that runs
//! nothing serves nobody: it is replaced at once, or a corrected template would never reach it.

mod mongodb;
mod redis;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};

use crate::desired;
use crate::names::Tier;
use crate::plan::Plan;
use crate::snapshot::pods::is_ready;
use crate::snapshot::{PodRevision, Snapshot, StatefulPods};
use crate::{mongo, redis_cluster};

/// How far the roll of one tier is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roll {
    /// Every pod was made from the newest template.
    Done,
    /// Some were not, or nobody can say yet.
    Rolling {
        /// Progress and what is next, or what is waited for, for status.
        message: String,
        /// What to do now; none while it waits.
        action: Option<Action>,
    },
}

/// Both tiers. At most one of the actions takes away a pod that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolls {
    /// The replica set.
    pub mongodb: Roll,
    /// The Redis Cluster.
    pub redis: Roll,
}

/// One change to who serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deletes a pod; its StatefulSet makes the next one from the newest template.
    Delete(Deletion),
    /// The primary of the replica set hands over, so that it can be deleted as a secondary.
    StepDown {
        /// Pod of the primary.
        pod: String,
        /// Its host in the replica set.
        host: String,
        /// What the template changes.
        change: String,
    },
    /// A replica takes over its shard, so that the old primary can be deleted as a replica.
    FailOver {
        /// Pod of the primary.
        from: String,
        /// Pod of a replica that is in step and runs the newest template.
        to: String,
        /// What the template changes.
        change: String,
    },
}

/// A pod to delete, and what must still be true when that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Tier of the pod.
    pub tier: Tier,
    /// Pod name.
    pub pod: String,
    /// The very pod decided upon; its successor has another.
    pub uid: String,
    /// What is done and why, for an event.
    pub sentence: String,
    /// How many pods of the tier must be there, all of them ready; none when the pod serves nobody.
    pub ready_pods: Option<usize>,
}

/// Decides for both tiers. MongoDB goes first and Redis waits for it.
pub fn next(plan: &Plan, snapshot: &Snapshot, mongodb: &mongo::Next, redis: &redis_cluster::Next) -> Rolls {
    let identity = &plan.identity;
    let members = snapshot.children.stateful_pods(&identity.tier(Tier::MongoDb));
    let shards =
        (0..plan.redis.shards).map(|shard| snapshot.children.stateful_pods(&identity.redis_shard(shard)));
    let shards: Vec<Option<StatefulPods>> = shards.collect();
    let summary = snapshot.redis.summary(&super::redis_wanted(plan));
    let rolls = Rolls {
        mongodb: mongodb::roll(members.as_ref(), &snapshot.mongodb, mongodb).until(pending(plan, snapshot)),
        redis: redis::roll(&shards, &summary.shards, redis),
    };
    let restarting = shards.iter().flatten().find_map(StatefulPods::restarting);
    rolls.one_at_a_time(*mongodb == mongo::Next::Settled, restarting)
}

/// What begins a further roll of the members once every one of them runs the newest template.
fn pending(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    desired::mongodb::keyfile_pending(plan, snapshot)
        .or_else(|| desired::mongodb::tls::pending(plan, snapshot))
}

impl Rolls {
    /// Holds one tier back while the other is away from its full strength.
    fn one_at_a_time(self, mongodb_is_settled: bool, redis_restarting: Option<&str>) -> Self {
        let redis = if self.mongodb != Roll::Done {
            self.redis.held("waits until MongoDB has rolled")
        } else if mongodb_is_settled {
            self.redis
        } else {
            self.redis.held("waits until MongoDB is settled")
        };
        let mongodb = match redis_restarting {
            Some(pod) => self.mongodb.held(&format!("waits for {pod} of Redis, which is restarting")),
            None => self.mongodb,
        };
        Self { mongodb, redis }
    }

    /// Whether every pod of both tiers was made from its newest template.
    pub fn are_done(&self) -> bool {
        self.mongodb == Roll::Done && self.redis == Roll::Done
    }
}

impl Roll {
    /// What to do now.
    pub fn action(&self) -> Option<&Action> {
        match self {
            Self::Done => None,
            Self::Rolling { action, .. } => action.as_ref(),
        }
    }

    /// Not done before what is still to come.
    fn until(self, pending: Option<String>) -> Self {
        match (self, pending) {
            (Self::Done, Some(message)) => Self::Rolling { message, action: None },
            (roll, _) => roll,
        }
    }

    /// Without an action that takes something away.
    fn held(self, why: &str) -> Self {
        match self {
            Self::Rolling { message, action: Some(action) } if action.is_disruptive() => {
                let progress = message.split("; ").next().unwrap_or_default();
                Self::Rolling { message: format!("{progress}; {why}"), action: None }
            }
            other => other,
        }
    }

    /// A controller that has not looked at the newest template yet cannot say what is outdated.
    fn unseen(set: &StatefulPods) -> Self {
        let message =
            format!("StatefulSet {} has a new template its controller has not seen yet", set.stateful_set);
        Self::Rolling { message, action: None }
    }
}

impl Action {
    fn is_disruptive(&self) -> bool {
        !matches!(self, Self::Delete(Deletion { ready_pods: None, .. }))
    }
}

/// Pods that run the newest template, of all.
#[derive(Clone, Copy, Debug)]
struct Progress {
    updated: usize,
    total: usize,
}

impl Progress {
    fn of<'a>(sets: impl IntoIterator<Item = &'a StatefulPods>) -> Self {
        let count = |sum: Self, set: &StatefulPods| Self {
            updated: sum.updated + set.updated(),
            total: sum.total + set.wanted,
        };
        sets.into_iter().fold(Self { updated: 0, total: 0 }, count)
    }

    fn rolling(self, what: &str, action: Option<Action>) -> Roll {
        let Self { updated, total } = self;
        Roll::Rolling { message: format!("{updated} of {total} pods run the new template; {what}"), action }
    }

    fn act(self, action: Action) -> Roll {
        let next = match &action {
            Action::Delete(deletion) => format!("next {}", deletion.pod),
            Action::StepDown { pod, .. } => format!("next {pod} after step-down"),
            Action::FailOver { from, to, .. } => format!("next {from} after {to} has taken over"),
        };
        self.rolling(&next, Some(action))
    }

    fn wait(self, reason: &str) -> Roll {
        self.rolling(reason, None)
    }
}

/// Deletes a pod that serves; `note` says what that costs.
fn restart(tier: Tier, pod: &PodRevision, ready_pods: usize, note: &str) -> Action {
    let change = pod.outdated.as_deref().unwrap_or_default();
    Action::Delete(Deletion {
        tier,
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        sentence: format!("restart {}: {change}{note}", pod.name),
        ready_pods: Some(ready_pods),
    })
}

/// Deletes an outdated pod that runs nothing.
fn replace_stalled(tier: Tier, pod: &PodRevision) -> Action {
    let change = pod.outdated.as_deref().unwrap_or_default();
    Action::Delete(Deletion {
        tier,
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        sentence: format!("replace {}, which does not run: {change}", pod.name),
        ready_pods: None,
    })
}

/// Whether what the deletion rests on still holds, by what the API server says now: the watch may
/// be behind, and a drained host takes pods away without asking.
pub fn still_holds(deletion: &Deletion, live: &[Pod]) -> Result<(), String> {
    let leaving = |pod: &Pod| pod.meta().deletion_timestamp.is_some();
    let target = live.iter().find(|pod| pod.uid().as_ref() == Some(&deletion.uid));
    if target.is_none_or(leaving) {
        return Err(format!("{} was replaced meanwhile", deletion.pod));
    }
    let Some(ready_pods) = deletion.ready_pods else { return Ok(()) };
    if let Some(pod) = live.iter().find(|pod| leaving(pod) || !is_ready(pod)) {
        return Err(format!("{} is not ready any more", pod.name_any()));
    }
    if live.len() < ready_pods {
        return Err(format!("only {} of {ready_pods} pods of {} exist", live.len(), deletion.tier));
    }
    Ok(())
}
