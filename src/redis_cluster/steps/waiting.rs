//! Reasons to wait, in words that name the pod or the shard that blocks. Pure.

use std::collections::BTreeSet;

use super::Next;
use super::picture::{GroupKind, Live, Picture};
use crate::redis_cluster::slots::SlotSet;
use crate::redis_cluster::topology::{LinkStatus, NodeId, OpenSlotKind, Replication, View};

/// Why nothing is done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For conditions and metrics.
    pub reason: WaitReason,
    /// For people.
    pub message: String,
}

/// The kinds of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitReason {
    /// Pods do not answer, have no address, load their data, or are on their way out.
    PodsUnreachable,
    /// A server answers but does not let the operator in, or is no cluster node.
    Refused,
    /// Nodes are being introduced.
    Handshake,
    /// Slots have no owner, and giving them one could hide lost data.
    SlotsMissing,
    /// Slots belong to a node that is gone, and its replica is about to take them over.
    Failover,
    /// Slots belong to a node that no pod runs, and no replica will take them over.
    OwnerGone,
    /// Two nodes claim one slot.
    Contested,
    /// Nodes of another cluster.
    Strangers,
    /// A node with keys that belongs to no cluster.
    StrayData,
    /// Two pods with one node id.
    SameIdentity,
    /// A shard of the spec in which no pod owns slots.
    ShardWithoutSlots,
    /// The nodes' views differ, or one of them does not serve yet.
    Gossip,
    /// A replica has not caught up with its primary.
    ReplicaBehind,
    /// A slot was left half moved.
    OpenSlots,
}

impl WaitReason {
    /// A stable word for conditions and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PodsUnreachable => "RedisPodsUnreachable",
            Self::Refused => "RedisRefused",
            Self::Handshake => "RedisHandshake",
            Self::SlotsMissing => "RedisSlotsMissing",
            Self::Failover => "RedisFailover",
            Self::OwnerGone => "RedisSlotOwnerGone",
            Self::Contested => "RedisSlotsContested",
            Self::Strangers => "RedisForeignNodes",
            Self::StrayData => "RedisStrayData",
            Self::SameIdentity => "RedisSameIdentity",
            Self::ShardWithoutSlots => "RedisShardWithoutSlots",
            Self::Gossip => "RedisViewsDiffer",
            Self::ReplicaBehind => "RedisReplicaBehind",
            Self::OpenSlots => "RedisOpenSlots",
        }
    }

    /// Whether time alone will not end the wait.
    pub fn needs_human(self) -> bool {
        match self {
            Self::Refused
            | Self::SlotsMissing
            | Self::OwnerGone
            | Self::Strangers
            | Self::StrayData
            | Self::SameIdentity
            | Self::ShardWithoutSlots
            | Self::OpenSlots => true,
            Self::PodsUnreachable
            | Self::Failover
            | Self::Handshake
            | Self::Contested
            | Self::Gossip
            | Self::ReplicaBehind => false,
        }
    }

    pub(super) fn wait(self, message: String) -> Next {
        Next::Wait(Waiting { reason: self, message })
    }
}

/// Pod names in order, each once.
pub(super) fn names<'a>(pods: impl IntoIterator<Item = &'a str>) -> String {
    let pods: BTreeSet<&str> = pods.into_iter().collect();
    pods.into_iter().collect::<Vec<_>>().join(", ")
}

/// Every silent pod with its reason.
pub(super) fn silence(picture: &Picture<'_>) -> String {
    let words = picture.silent.iter().map(|(pod, view)| match view {
        Some(View::Unreachable { reason } | View::Refused { reason }) => format!("pod {pod}: {reason}"),
        Some(View::Loading) => format!("pod {pod}: loading its data from disk"),
        Some(View::Node(_)) | None => format!("pod {pod}: no address yet"),
    });
    words.collect::<Vec<_>>().join("; ")
}

/// The graver of the two: a refusal does not pass by itself.
pub(super) fn silence_reason(picture: &Picture<'_>) -> WaitReason {
    let refused = picture.silent.iter().any(|(_, view)| matches!(view, Some(View::Refused { .. })));
    if refused { WaitReason::Refused } else { WaitReason::PodsUnreachable }
}

pub(super) fn silent_pods(picture: &Picture<'_>) -> Option<Next> {
    (!picture.silent.is_empty()).then(|| silence_reason(picture).wait(silence(picture)))
}

pub(super) fn stray_data(picture: &Picture<'_>) -> Option<Next> {
    picture.of_kind(GroupKind::Stray).find(|node| node.shard.is_some()).map(stray)
}

pub(super) fn stray(node: &Live<'_>) -> Next {
    WaitReason::StrayData.wait(format!(
        "pod {} holds {} keys but no slots and belongs to no cluster, as after a loss of nodes.conf; \
         if the keys are not needed, delete its volume and the pod",
        node.pod, node.view.keys
    ))
}

/// Every slot has a live owner, every shard owns some, every node has its place.
pub(super) fn owners(picture: &Picture<'_>) -> Option<Next> {
    let unowned = SlotSet::full().difference(&picture.owned());
    if !unowned.is_empty() {
        return Some(owner_gone(picture, &unowned));
    }
    for (index, shard) in picture.wanted.shards.iter().enumerate() {
        if picture.primary(index).is_none() {
            return Some(
                WaitReason::ShardWithoutSlots.wait(format!("no pod of shard {} owns slots", shard.name)),
            );
        }
    }
    let idle = |node: &&Live<'_>| node.view.is_primary() && node.view.own_slots().is_empty();
    let idle = picture.members().find(idle)?;
    Some(
        WaitReason::Gossip.wait(format!(
            "pod {} owns no slots and follows no primary yet ({} keys)",
            idle.pod, idle.view.keys
        )),
    )
}

fn owner_gone(picture: &Picture<'_>, unowned: &SlotSet) -> Next {
    let entries = || picture.live.iter().flat_map(|node| node.view.known());
    let claims = entries().filter(|entry| !entry.slots.intersection(unowned).is_empty());
    let owners: BTreeSet<&NodeId> = claims.map(|entry| &entry.id).collect();
    let heir = |owner: &NodeId| picture.live.iter().find(|node| node.view.primary_id() == Some(owner));
    let replaced = |owner: &NodeId| entries().any(|entry| entry.id == *owner && entry.flags.no_address);
    for owner in &owners {
        match heir(owner) {
            None => {
                return WaitReason::OwnerGone.wait(format!(
                    "slots {unowned} belong to node {owner}, which no pod runs and no replica follows: \
                     they come back with its volume"
                ));
            }
            // Redis neither pings nor fails a node without address, so nobody is elected.
            Some(heir) if replaced(owner) => {
                return WaitReason::OwnerGone.wait(format!(
                    "slots {unowned} belong to node {owner}, which no pod runs; another node has its address, so \
                     Redis does not fail over by itself. Its replica, pod {}, holds {} keys: if that is right, run \
                     CLUSTER FAILOVER FORCE there",
                    heir.pod, heir.view.keys
                ));
            }
            Some(_) => {}
        }
    }
    let heirs = names(owners.into_iter().filter_map(heir).map(|node| node.pod));
    WaitReason::Failover
        .wait(format!("slots {unowned} have lost their primary; {heirs} is about to take over"))
}

/// Every view shows every live node as that node shows itself, and every node serves.
pub(super) fn agreement(picture: &Picture<'_>) -> Option<Next> {
    for viewer in &picture.live {
        if let Some(difference) = picture.members().find_map(|node| difference(viewer, node)) {
            return Some(WaitReason::Gossip.wait(difference));
        }
    }
    let failing = picture.members().find(|node| !node.view.cluster.state_ok)?;
    Some(WaitReason::Gossip.wait(format!(
        "pod {} reports cluster_state:fail, {} of 16384 slots known to it",
        failing.pod, failing.view.cluster.slots_assigned
    )))
}

fn difference(viewer: &Live<'_>, node: &Live<'_>) -> Option<String> {
    let own = node.view.myself()?;
    let Some(entry) = viewer.view.entry(&node.view.id) else {
        return Some(format!("pod {} does not know pod {} yet", viewer.pod, node.pod));
    };
    let what = if !entry.is_healthy() {
        "as failing"
    } else if entry.flags.primary != own.flags.primary || entry.primary_id != own.primary_id {
        "in another role"
    } else if entry.slots != own.slots {
        "with other slots"
    } else if entry.hostname != own.hostname {
        // Redirects would name the node "?" until gossip has brought the name.
        "under another hostname"
    } else {
        return None;
    };
    Some(format!("pod {} still sees pod {} {what}", viewer.pod, node.pod))
}

/// Replicas are in step, and no slot is half moved.
pub(super) fn links(picture: &Picture<'_>) -> Option<Next> {
    for node in picture.members() {
        if let Replication::Replica { link } = node.view.replication {
            let state = match link {
                LinkStatus::Up => continue,
                LinkStatus::Syncing => "is receiving a full copy from its primary",
                LinkStatus::Down { .. } => "has no link to its primary",
            };
            return Some(WaitReason::ReplicaBehind.wait(format!("pod {} {state}", node.pod)));
        }
    }
    let open = picture.live.iter().find_map(|node| Some((node, node.view.myself()?.open_slots.first()?)));
    let (node, open) = open?;
    let (verb, word) = match open.kind {
        OpenSlotKind::Migrating => ("migrating", "to"),
        OpenSlotKind::Importing => ("importing", "from"),
    };
    Some(
        WaitReason::OpenSlots
            .wait(format!("pod {} is still {verb} slot {} {word} node {}", node.pod, open.slot, open.peer)),
    )
}
