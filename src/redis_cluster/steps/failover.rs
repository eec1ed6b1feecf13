//! A planned change of primary, for a roll. Pure.

use super::picture::Picture;
use super::{FailOver, Step};
use crate::redis_cluster::topology::{LinkStatus, Replication, Topology, Wanted};

/// Lets `successor` take over its shard; none unless it is a replica that is there to stay and in
/// step with a live primary of its own shard.
pub fn fail_over(wanted: &Wanted, topology: &Topology, successor: &str) -> Option<Step> {
    let picture = Picture::new(wanted, topology);
    let replica = picture.members().find(|node| node.pod == successor && !node.terminating)?;
    let Replication::Replica { link: LinkStatus::Up } = replica.view.replication else {
        return None;
    };
    let primary = picture.by_id(replica.view.primary_id()?)?;
    let same_shard = primary.shard == replica.shard && primary.view.is_primary();
    same_shard.then(|| Step::FailOver(FailOver { at: replica.member(), primary: primary.member() }))
}
