//! The topology in a few numbers and words, for status and for `kubectl eaiser status`. Pure.

use super::{LinkStatus, Observed, Replication, Topology, View, Wanted, WantedShard};
use crate::redis_cluster::slots::SlotSet;

/// The cluster at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Slots that an answering primary owns; 16384 when the cluster is whole.
    pub slots_assigned: u16,
    /// In spec order.
    pub shards: Vec<ShardSummary>,
}

/// One shard at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardSummary {
    /// As in the spec.
    pub name: String,
    /// The pod that owns the shard's slots now.
    pub primary: Option<String>,
    /// The pods that follow it.
    pub replicas: Vec<String>,
    /// Slots owned by pods of the shard.
    pub slots: u16,
    /// Keys the primary holds.
    pub keys: u64,
    /// In words, each naming its pod; empty when all is well.
    pub problems: Vec<String>,
}

impl ShardSummary {
    /// A primary, every wanted replica in step, nothing to report.
    pub fn is_healthy(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Summary {
    /// Whether every slot has an owner and no shard has a problem.
    pub fn is_healthy(&self) -> bool {
        self.slots_assigned == SlotSet::full().count() && self.shards.iter().all(ShardSummary::is_healthy)
    }
}

impl Topology {
    /// Sums up for status.
    pub fn summary(&self, wanted: &Wanted) -> Summary {
        let views = self.nodes.iter().filter_map(|node| node.view.node());
        let owned = views.fold(SlotSet::new(), |sum, view| sum.union(&view.own_slots()));
        Summary {
            slots_assigned: owned.count(),
            shards: wanted.shards.iter().map(|shard| self.shard_summary(shard)).collect(),
        }
    }

    fn shard_summary(&self, shard: &WantedShard) -> ShardSummary {
        let mut summary = ShardSummary { name: shard.name.clone(), ..ShardSummary::default() };
        let mut slots = SlotSet::new();
        for pod in &shard.pods {
            match self.pod(pod) {
                Some(observed) => summary.add(observed, &mut slots),
                None => summary.problems.push(format!("pod {pod} does not exist")),
            }
        }
        summary.slots = slots.count();
        if summary.primary.is_none() {
            summary.problems.push("no pod owns slots".to_owned());
        }
        summary
    }
}

impl ShardSummary {
    fn add(&mut self, observed: &Observed, slots: &mut SlotSet) {
        let pod = &observed.target.pod;
        let view = match &observed.view {
            View::Node(view) => view,
            View::Loading => {
                return self.problems.push(format!("pod {pod} is loading its data from disk"));
            }
            View::Unreachable { reason } | View::Refused { reason } => {
                return self.problems.push(format!("pod {pod}: {reason}"));
            }
        };
        if !view.cluster.state_ok {
            self.problems.push(format!("pod {pod} reports cluster_state:fail"));
        }
        match view.replication {
            Replication::Replica { link: LinkStatus::Up } => self.replicas.push(pod.clone()),
            Replication::Replica { link } => {
                self.replicas.push(pod.clone());
                let copying = if link == LinkStatus::Syncing { "is still copying" } else { "has no link to" };
                self.problems.push(format!("pod {pod} {copying} its primary"));
            }
            Replication::Primary => self.add_primary(pod, view, slots),
        }
    }

    fn add_primary(&mut self, pod: &str, view: &super::NodeView, slots: &mut SlotSet) {
        let own = view.own_slots();
        if own.is_empty() {
            self.problems.push(format!("pod {pod} owns no slots and follows no primary"));
            return;
        }
        if let Some(first) = &self.primary {
            self.problems.push(format!("pods {first} and {pod} are both primaries"));
        } else {
            self.primary = Some(pod.to_owned());
            self.keys = view.keys;
        }
        *slots = slots.union(&own);
    }
}

#[cfg(test)]
mod tests;
