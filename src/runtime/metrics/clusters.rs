//! What each cluster's last pass saw: ten series a cluster, removed with it.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::crd::{EaiserCluster, EaiserClusterStatus};
use crate::names::{Identity, Tier};
use crate::redis_cluster::topology::{LinkStatus, Replication};
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    namespace: String,
    name: String,
}

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// Names and meanings, in the order of [`readings`].
const GAUGES: [(&str, &str); 10] = [
    ("ready", "1 while the Ready condition is true"),
    ("paused", "1 while spec.operation.paused is set"),
    ("api_ready_replicas", "API pods that are ready"),
    ("gateway_ready_replicas", "Gateway pods that are ready"),
    (
        "headroom_percent",
        "Percent by which the throughput of maxReplicas exceeds the demand of the peak users",
    ),
    ("mongodb_has_primary", "1 while the replica set has a primary"),
    ("mongodb_members_voting", "Healthy members of the replica set that vote"),
    ("mongodb_lag_seconds", "Seconds the slowest member is behind the primary; absent while unknown"),
    ("redis_slots_assigned", "Slots of the Redis Cluster that have an owner, of 16384"),
    ("redis_replicas_in_step", "Redis replicas whose link to their primary is up"),
];

/// Gauges of all clusters.
#[derive(Clone)]
pub struct Clusters([Gauges; GAUGES.len()]);

/// What the status does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Gateway pods that are ready; none while there is no Deployment.
    pub gateway_ready: Option<i32>,
    /// Voting members of the replica set that are up.
    pub voting: usize,
    /// Seconds the slowest member is behind.
    pub lag_seconds: Option<u64>,
    /// Redis replicas whose link to their primary is up.
    pub replicas_in_step: usize,
}

impl Seen {
    /// Sums up what the pass found.
    pub fn of(identity: &Identity, snapshot: &Snapshot) -> Self {
        let mongodb = &snapshot.mongodb;
        let voting = mongodb.primary().map(|(_, primary)| mongodb.voters_up(&primary.config));
        let lags = mongodb.configured().filter_map(|(observed, _)| mongodb.lag_seconds(&observed.host));
        let nodes = snapshot.redis.nodes.iter().filter_map(|node| node.view.node());
        let in_step = nodes
            .filter(|node| matches!(&node.replication, Replication::Replica { link: LinkStatus::Up, .. }));
        let gateway = find(&snapshot.children.deployments, &identity.tier(Tier::Gateway));
        let status = gateway.map(|gateway| gateway.status.as_ref());
        Self {
            gateway_ready: status.map(|status| status.and_then(|status| status.ready_replicas).unwrap_or(0)),
            voting: voting.unwrap_or_default(),
            lag_seconds: lags.max(),
            replicas_in_step: in_step.count(),
        }
    }
}

impl Clusters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = GAUGES.map(|(name, help)| {
            let family = Gauges::default();
            registry.register(name, help, family.clone());
            family
        });
        Self(gauges)
    }

    /// Shows what a pass saw.
    pub fn show(&self, cluster: &EaiserCluster, status: &EaiserClusterStatus, seen: Seen) {
        let Some(labels) = labels(cluster) else { return };
        let paused = cluster.spec.operation.paused;
        for (family, value) in self.0.iter().zip(readings(status, paused, seen)) {
            match value {
                Some(value) => {
                    family.get_or_create(&labels).set(value);
                }
                None => {
                    family.remove(&labels);
                }
            }
        }
    }

    /// Removes the series of a deleted cluster.
    pub fn remove(&self, namespace: &str, name: &str) {
        let labels = Labels { namespace: namespace.to_owned(), name: name.to_owned() };
        for family in &self.0 {
            family.remove(&labels);
        }
    }

    /// Removes the series of all clusters.
    pub fn clear(&self) {
        for family in &self.0 {
            family.clear();
        }
    }
}

fn labels(cluster: &EaiserCluster) -> Option<Labels> {
    let metadata = &cluster.metadata;
    Some(Labels { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? })
}

/// Values in the order of [`GAUGES`]; none where nothing is known.
fn readings(status: &EaiserClusterStatus, paused: bool, seen: Seen) -> [Option<f64>; GAUGES.len()] {
    let ready =
        status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let flag = |holds: bool| f64::from(u8::from(holds));
    // Counts of members and seconds of lag are far below the precision of a double.
    let count = |number: usize| u32::try_from(number).map(f64::from).ok();
    let mongodb = status.mongodb.as_ref();
    [
        Some(flag(ready)),
        Some(flag(paused)),
        status.api.as_ref().map(|api| f64::from(api.ready_replicas)),
        seen.gateway_ready.map(f64::from),
        status.capacity.as_ref().map(|capacity| f64::from(capacity.headroom_percent)),
        mongodb.map(|mongodb| flag(mongodb.primary.is_some())),
        mongodb.and_then(|_| count(seen.voting)),
        seen.lag_seconds.and_then(|lag| u32::try_from(lag).ok()).map(f64::from),
        status.redis.as_ref().map(|redis| f64::from(redis.slots_assigned)),
        status.redis.as_ref().and_then(|_| count(seen.replicas_in_step)),
    ]
}
