//! Creation of a cluster, and the refusal to create one over lost data. Pure.

use std::collections::BTreeSet;

use super::picture::{GroupKind, Live, Picture};
use super::waiting::{WaitReason, names, silence, silence_reason};
use super::{AddSlots, Next, SetEpoch, Step};
use crate::redis_cluster::slots::SlotSet;

/// Two nodes that both claim a slot: Redis settles it by epoch, and nothing may be built on it.
pub(super) fn contested(picture: &Picture<'_>) -> Option<Next> {
    let mut held = SlotSet::new();
    for node in &picture.live {
        let slots = node.view.own_slots();
        let doubled = held.intersection(&slots);
        if !doubled.is_empty() {
            let rivals =
                picture.live.iter().filter(|rival| !rival.view.own_slots().intersection(&doubled).is_empty());
            let pods = names(rivals.map(|rival| rival.pod));
            return Some(WaitReason::Contested.wait(format!(
                "pods {pods} both claim slots {doubled}; the claim with the higher epoch wins once they hear of each other"
            )));
        }
        held = held.union(&slots);
    }
    None
}

/// While no slot has an owner: everything that must hold before one may get one, and the epochs.
pub(super) fn begin(picture: &Picture<'_>) -> Option<Next> {
    if picture.is_established() {
        return None;
    }
    if !picture.silent.is_empty() {
        let silence = silence(picture);
        return Some(silence_reason(picture).wait(format!(
            "the cluster is created once every pod answers, since a missing one may hold slots: {silence}"
        )));
    }
    let leaving: Vec<&str> = picture.members().filter(|node| node.terminating).map(|node| node.pod).collect();
    if !leaving.is_empty() {
        let pods = names(leaving);
        return Some(WaitReason::PodsUnreachable.wait(format!("creation waits for the successor of {pods}")));
    }
    if let Some(stray) = picture.of_kind(GroupKind::Stray).next() {
        return Some(super::waiting::stray(stray));
    }
    if let Some(node) = picture.members().find(|node| node.talks_to_strangers(&picture.live)) {
        return Some(WaitReason::Strangers.wait(format!(
            "pod {} is connected to a node that is no pod of this cluster; creating here would merge two clusters",
            node.pod
        )));
    }
    set_epochs(picture)
}

fn set_epochs(picture: &Picture<'_>) -> Option<Next> {
    let epoch = |node: &Live<'_>| node.view.myself().map_or(0, |entry| entry.config_epoch);
    let taken: BTreeSet<u64> = picture.live.iter().map(epoch).collect();
    let mut free = (1_u64..).filter(|epoch| !taken.contains(epoch));
    // A node in the middle of a handshake already refuses the command.
    let fresh = picture.members().filter(|node| epoch(node) == 0 && node.view.entries.len() == 1);
    let epochs = fresh.filter_map(|node| Some(SetEpoch { at: node.member(), epoch: free.next()? }));
    let epochs: Vec<SetEpoch> = epochs.collect();
    (!epochs.is_empty()).then_some(Next::Do(Step::SetEpoch(epochs)))
}

/// Slots without any owner on record: the rest of a creation, or a loss that is not ours to hide.
pub(super) fn cover(picture: &Picture<'_>) -> Option<Next> {
    let missing = SlotSet::full().difference(&picture.claimed());
    if missing.is_empty() {
        return None;
    }
    match shares_to_assign(picture, &missing) {
        Ok(shares) => Some(Next::Do(Step::AddSlots(shares))),
        Err(obstacle) => Some(WaitReason::SlotsMissing.wait(format!(
            "slots {missing} have no owner and are not assigned anew, as that could hide lost data: {obstacle}"
        ))),
    }
}

/// The shares still to give out, or why this is not a creation under way.
fn shares_to_assign(picture: &Picture<'_>, missing: &SlotSet) -> Result<Vec<AddSlots>, String> {
    if !picture.silent.is_empty() {
        return Err(silence(picture));
    }
    if let Some(node) = picture.live.iter().find(|node| node.view.keys > 0) {
        return Err(format!("pod {} already holds {} keys", node.pod, node.view.keys));
    }
    let mut shares = Vec::new();
    let mut open = SlotSet::new();
    for (index, shard) in picture.wanted.shards.iter().enumerate() {
        let first = shard.pods.first().ok_or_else(|| format!("shard {} has no pods", shard.name))?;
        let primary = picture.members().find(|node| node.pod == first);
        let primary = primary.filter(|node| node.view.is_primary() && !node.terminating);
        let primary =
            primary.ok_or_else(|| format!("pod {first} is not the primary of shard {}", shard.name))?;
        let share = picture.wanted.share(index);
        let own = primary.view.own_slots();
        if own.is_empty() {
            open = open.union(&share);
            shares.push(AddSlots { at: primary.member(), slots: share });
        } else if own != share {
            return Err(format!("pod {first} owns slots {own}, not its share at creation, {share}"));
        }
    }
    if open == *missing {
        Ok(shares)
    } else {
        Err(format!("a cluster under creation would lack slots {open}"))
    }
}
