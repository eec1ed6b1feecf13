//! Who belongs to the cluster: identities, addresses, introductions, farewells. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{GroupKind, Live, Picture};
use super::waiting::{WaitReason, names};
use super::{Forget, MAX_MEETINGS, Meeting, Next, Step};
use crate::redis_cluster::slots::SlotSet;
use crate::redis_cluster::topology::NodeId;

/// Two pods with one id run from copies of one volume; whatever is sent to one hits either.
pub(super) fn one_id_per_pod(picture: &Picture<'_>) -> Option<Next> {
    let mut holders: BTreeMap<&NodeId, Vec<&str>> = BTreeMap::new();
    for node in &picture.live {
        holders.entry(&node.view.id).or_default().push(node.pod);
    }
    let (id, pods) = holders.into_iter().find(|(_, pods)| pods.len() > 1)?;
    let pods = names(pods);
    Some(WaitReason::SameIdentity.wait(format!(
        "pods {pods} answer with the same node id {id}: their volumes are copies of each other, keep one of them"
    )))
}

/// Corrects addresses of known ids.
pub(super) fn heal(picture: &Picture<'_>) -> Option<Next> {
    let mut meetings = Vec::new();
    let mut greeting = Vec::new();
    for (one, other) in pairs(&picture.live) {
        let (via, to) = match (one.has_stale_address_of(other), other.has_stale_address_of(one)) {
            (true, _) => (one, other),
            (false, true) => (other, one),
            (false, false) => continue,
        };
        if to.terminating {
            continue;
        }
        if via.is_greeting(to) {
            greeting.push(to.pod);
        } else {
            meetings.push(Meeting { via: via.member(), to: to.member() });
        }
    }
    meetings.truncate(MAX_MEETINGS);
    if !meetings.is_empty() {
        Some(Next::Do(Step::Heal(meetings)))
    } else if !greeting.is_empty() {
        let pods = names(greeting);
        Some(
            WaitReason::Handshake
                .wait(format!("new addresses of {pods} are on their way to the other nodes")),
        )
    } else {
        None
    }
}

/// Refuses to join what carries data of two clusters.
pub(super) fn one_cluster(picture: &Picture<'_>) -> Option<Next> {
    let mut established = picture.groups.iter().filter(|group| group.kind == GroupKind::Established);
    let (first, second) = (established.next()?, established.next()?);
    let pods =
        |group: &super::picture::Group| names(group.members.iter().map(|index| picture.live[*index].pod));
    Some(WaitReason::Strangers.wait(format!(
        "pods {} and pods {} belong to different clusters with slots of their own; joining them would mix their data",
        pods(first),
        pods(second),
    )))
}

/// Introduces every pair of which one does not know the other.
///
/// All pairs at once and not a star: the nodes then need no gossip rounds to hear of each other.
/// Pairs with the first node come first, so that a crash leaves one group plus single nodes.
pub(super) fn meet(picture: &Picture<'_>) -> Option<Next> {
    let joinable = |node: &&Live<'_>| node.shard.is_some() && !node.terminating;
    let established = picture.of_kind(GroupKind::Established).filter(joinable);
    let blank = picture.of_kind(GroupKind::Blank).filter(joinable);
    let nodes: Vec<Live<'_>> = established.chain(blank).copied().collect();
    let mut meetings = Vec::new();
    let mut greeting = BTreeSet::new();
    for (one, other) in pairs(&nodes) {
        let (via, to) = match (one.knows(other), other.knows(one)) {
            (true, true) => continue,
            (true, false) => (other, one),
            (false, _) => (one, other),
        };
        if one.is_greeting(other) || other.is_greeting(one) {
            greeting.extend([one.pod, other.pod]);
        } else if blank_with_strangers(picture, one) || blank_with_strangers(picture, other) {
            let pod = if blank_with_strangers(picture, one) { one.pod } else { other.pod };
            return Some(WaitReason::Strangers.wait(format!(
                "pod {pod} is connected to a node that is no pod of this cluster; joining it would merge two clusters"
            )));
        } else {
            meetings.push(Meeting { via: via.member(), to: to.member() });
        }
    }
    meetings.truncate(MAX_MEETINGS);
    if !meetings.is_empty() {
        Some(Next::Do(Step::Meet(meetings)))
    } else if !greeting.is_empty() {
        let pods = names(greeting);
        Some(WaitReason::Handshake.wait(format!("{pods} are being introduced to each other")))
    } else {
        None
    }
}

fn blank_with_strangers(picture: &Picture<'_>, node: &Live<'_>) -> bool {
    let is_blank = picture.of_kind(GroupKind::Blank).any(|blank| blank.view.id == node.view.id);
    // While a wanted pod is silent, the unknown id may be that pod's.
    is_blank && picture.silent.is_empty() && node.talks_to_strangers(&picture.live)
}

/// Drops ids that no pod has any more and nobody needs.
pub(super) fn forget(picture: &Picture<'_>) -> Option<Next> {
    if !picture.silent.is_empty() || picture.owned() != SlotSet::full() {
        return None;
    }
    let entries = || picture.live.iter().flat_map(|node| node.view.known().map(move |entry| (node, entry)));
    let needed: BTreeSet<&NodeId> = entries().filter_map(|(_, entry)| entry.primary_id.as_ref()).collect();
    let unneeded = |id: &NodeId| {
        let mut views = entries().filter(|(_, entry)| entry.id == *id);
        let dead = views.all(|(_, entry)| {
            let gone = entry.flags.failed || entry.flags.no_address;
            gone && entry.slots.is_empty()
        });
        dead && picture.by_id(id).is_none() && !needed.contains(id)
    };
    let ids: BTreeSet<&NodeId> = entries().map(|(_, entry)| &entry.id).filter(|id| unneeded(id)).collect();
    let forget = |(node, id): (&Live<'_>, &NodeId)| Forget { at: node.member(), id: id.clone() };
    let forgets = ids.iter().flat_map(|id| {
        let holders = picture.live.iter().filter(move |node| node.view.entry(id).is_some());
        holders.map(move |node| forget((node, id)))
    });
    let forgets: Vec<Forget> = forgets.collect();
    (!forgets.is_empty()).then_some(Next::Do(Step::Forget(forgets)))
}

fn pairs<'a, 'b>(nodes: &'a [Live<'b>]) -> impl Iterator<Item = (&'a Live<'b>, &'a Live<'b>)> {
    let firsts = nodes.iter().enumerate();
    firsts.flat_map(move |(index, one)| nodes[index + 1..].iter().map(move |other| (one, other)))
}
