//! Numbers of the status: what was derived and what was seen. Pure.

use k8s_openapi::api::core::v1::Pod;

use super::{Pass, deployments, storage, upkeep, users};
use crate::crd::{
    ApiStatus, CapacityStatus, ConstraintStatus, EaiserClusterStatus, Endpoints, MongoDbMemberStatus,
    MongoDbStatus, RedisShardStatus, RedisStatus,
};
use crate::desired::gateway::SERVICE_PORT;
use crate::drive;
use crate::mongo::forced::Verdict;
use crate::mongo::topology::CAUGHT_UP_SECONDS;
use crate::names::{Tier, selector_text};

/// Every block but the conditions.
pub(super) fn numbers(pass: &Pass<'_>, previous: Option<&EaiserClusterStatus>) -> EaiserClusterStatus {
    EaiserClusterStatus {
        api: Some(api(pass)),
        capacity: Some(capacity(pass)),
        mongodb: Some(mongodb(pass, previous.and_then(|status| status.mongodb.as_ref()))),
        redis: Some(redis(pass)),
        endpoints: Some(endpoints(pass)),
        ..EaiserClusterStatus::default()
    }
}

fn api(pass: &Pass<'_>) -> ApiStatus {
    let (ready_replicas, wanted) = deployments::counts(pass, Tier::Api);
    ApiStatus {
        replicas: narrow(pass.snapshot.children.pods_of(Tier::Api).count()),
        ready_replicas,
        summary: format!("{ready_replicas}/{wanted}"),
        selector: selector_text(&pass.plan.identity.selector(Tier::Api)),
    }
}

fn capacity(pass: &Pass<'_>) -> CapacityStatus {
    let capacity = &pass.plan.capacity;
    let constraint = |constraint: &crate::plan::Constraint| ConstraintStatus {
        name: constraint.name.to_owned(),
        replicas: narrow(constraint.replicas),
        arithmetic: constraint.arithmetic.clone(),
    };
    CapacityStatus {
        min_replicas: narrow(capacity.min_replicas),
        max_replicas: narrow(capacity.max_replicas),
        binding: capacity.binding.to_owned(),
        constraints: capacity.constraints.iter().map(constraint).collect(),
        headroom_percent: narrow(capacity.headroom_percent),
        mongodb_max_pool_size: narrow(pass.plan.api.mongodb_pool),
    }
}

fn mongodb(pass: &Pass<'_>, previous: Option<&MongoDbStatus>) -> MongoDbStatus {
    let initiated_before = previous.is_some_and(|mongodb| mongodb.initiated);
    let topology = &pass.snapshot.mongodb;
    let node = |pod: &str| {
        pass.snapshot.children.pod(pod).and_then(|pod: &Pod| pod.spec.as_ref()?.node_name.clone())
    };
    let members = topology.summary().into_iter().map(|member| MongoDbMemberStatus {
        node: node(&member.pod),
        state: member.state,
        votes: member.votes.unwrap_or(0),
        lag_seconds: member.lag_seconds.and_then(shown_lag),
        pod: member.pod,
    });
    let recorded = previous.and_then(|mongodb| mongodb.forced_reconfiguration.clone());
    MongoDbStatus {
        initiated: initiated_before || topology.configured().next().is_some(),
        primary: topology.primary().map(|(observed, _)| observed.pod.clone()),
        members: members.collect(),
        storage: storage::status(pass),
        replacement: pass.driven.replacement.current.clone(),
        replaced: pass.driven.replacement.done.clone(),
        users: users::list(pass),
        forced_reconfiguration: match &pass.driven.forced {
            Verdict::Record(record) | Verdict::Close(record) => Some(record.clone()),
            _ => recorded,
        },
        ..upkeep::numbers(pass)
    }
}

/// A member that keeps up is now and then some seconds behind; only what is more than that is shown,
/// in steps, so that a settled cluster has nothing to write.
fn shown_lag(seconds: u64) -> Option<i64> {
    const STEP: u64 = 10;
    let shown = (seconds > CAUGHT_UP_SECONDS).then_some(seconds / STEP * STEP)?;
    i64::try_from(shown).ok()
}

fn redis(pass: &Pass<'_>) -> RedisStatus {
    let summary = pass.snapshot.redis.summary(&drive::redis_wanted(pass.plan));
    let shards = summary.shards.into_iter().map(|shard| RedisShardStatus {
        name: shard.name,
        primary: shard.primary,
        replicas: shard.replicas,
        slots: i32::from(shard.slots),
    });
    RedisStatus { slots_assigned: i32::from(summary.slots_assigned), shards: shards.collect() }
}

fn endpoints(pass: &Pass<'_>) -> Endpoints {
    let identity = &pass.plan.identity;
    let gateway = identity.tier(Tier::Gateway);
    Endpoints {
        gateway: format!(
            "http://{gateway}.{}.svc.{}:{SERVICE_PORT}",
            identity.namespace, pass.plan.cluster_domain
        ),
        mongodb_secret: identity.mongodb_connection(),
        redis_secret: identity.redis_connection(),
    }
}

/// Counts are far below the limit; a number beyond it is shown as the limit.
fn narrow<T: TryInto<i32>>(value: T) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}
