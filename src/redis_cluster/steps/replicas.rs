//! Every node that owns no slots follows its shard's live primary. Pure.

use super::picture::{Live, Picture};
use super::{Next, Replicate, Step};
use crate::redis_cluster::topology::{LinkStatus, Replication};

/// Points idle and misplaced nodes at the live primary of their shard.
///
/// Roles are read from the nodes, never from names: after a failover the first pod of a shard is
/// as likely to be the replica.
pub(super) fn replicate(picture: &Picture<'_>) -> Option<Next> {
    let replicas = picture.members().filter(|node| !node.terminating).filter_map(|node| {
        let primary = picture.primary(node.shard?)?;
        may_follow(node, primary).then(|| Replicate { at: node.member(), primary: primary.member() })
    });
    let replicas: Vec<Replicate> = replicas.collect();
    (!replicas.is_empty()).then_some(Next::Do(Step::Replicate(replicas)))
}

/// A replica whose primary moved dials the old address for ever when it learned the new one by gossip:
/// only a ping of the primary itself makes Redis point its replication anew. Being told whom to follow
/// once more does it too.
fn dials_elsewhere(node: &Live<'_>, primary: &Live<'_>) -> bool {
    let Replication::Replica { link: LinkStatus::Down { dialing: Some(dialing) } } = node.view.replication
    else {
        return false;
    };
    dialing != primary.address().ip
}

fn may_follow(node: &Live<'_>, primary: &Live<'_>) -> bool {
    let is_self = node.view.id == primary.view.id;
    let follows_already = node.view.primary_id() == Some(&primary.view.id) && !dials_elsewhere(node, primary);
    let idle = node.view.own_slots().is_empty();
    // A primary with keys has lost its slots to another; Redis turns it into a replica by itself,
    // and until then its keys may be the only copy.
    let expendable = !node.view.is_primary() || node.view.keys == 0;
    // Redis refuses to follow a node it takes for a replica.
    let recognised =
        node.view.entry(&primary.view.id).is_some_and(|entry| entry.flags.primary && entry.is_healthy());
    let mutual = primary.knows(node);
    !is_self && !follows_already && idle && expendable && recognised && mutual
}
