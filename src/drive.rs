//! Step 5 of a pass: at most one step per database. [`next`] decides and is pure; [`run`] acts.

use crate::mongo::{self, ApplicationUser, WantedMember};
use crate::names::{APPLICATION_DATABASE, APPLICATION_USER, Identity};
use crate::plan::Plan;
use crate::redis_cluster::{self, WantedShard};
use crate::snapshot::take::Connections;
use crate::snapshot::{Credentials, Snapshot};

/// What each database needs now.
#[derive(Clone, Debug)]
pub struct Steps {
    /// The replica set's verdict.
    pub mongodb: mongo::Next,
    /// The Redis Cluster's verdict.
    pub redis: redis_cluster::Next,
}

/// What became of the steps.
#[derive(Debug)]
pub struct Driven {
    /// The replica set's verdict.
    pub mongodb: mongo::Next,
    /// The Redis Cluster's verdict.
    pub redis: redis_cluster::Next,
    /// Steps carried out: (reason, sentence).
    pub done: Vec<(&'static str, String)>,
    /// Steps that failed: (reason, sentence).
    pub failed: Vec<(&'static str, String)>,
}

impl Driven {
    /// Whether both databases are as wanted.
    pub fn is_settled(&self) -> bool {
        self.mongodb == mongo::Next::Settled && self.redis == redis_cluster::Next::Settled
    }
}

/// Decides.
pub fn next(plan: &Plan, snapshot: &Snapshot, initiated_before: bool) -> Steps {
    let wanted = mongodb_wanted(plan, &snapshot.credentials, initiated_before);
    Steps {
        mongodb: mongo::steps::next(&wanted, &snapshot.mongodb),
        redis: redis_cluster::next(&redis_wanted(plan), &snapshot.redis),
    }
}

/// Carries the steps out, both at once. A step that fails is reported, not returned: the other
/// database and the status go on.
pub async fn run(plan: &Plan, snapshot: &Snapshot, steps: Steps, connections: &Connections) -> Driven {
    let (mongodb, redis) = tokio::join!(
        run_mongodb(plan, snapshot, &steps.mongodb, connections),
        run_redis(&steps.redis, connections)
    );
    let mut driven =
        Driven { mongodb: steps.mongodb, redis: steps.redis, done: Vec::new(), failed: Vec::new() };
    for result in [mongodb, redis].into_iter().flatten() {
        match result {
            Ok(done) => driven.done.push(done),
            Err(failed) => driven.failed.push(failed),
        }
    }
    driven
}

type Report = Result<(&'static str, String), (&'static str, String)>;

async fn run_mongodb(
    plan: &Plan,
    snapshot: &Snapshot,
    next: &mongo::Next,
    connections: &Connections,
) -> Option<Report> {
    let mongo::Next::Do(step) = next else { return None };
    let wanted = mongodb_wanted(plan, &snapshot.credentials, false);
    match mongo::driver::run(step, &wanted, &snapshot.mongodb, &connections.mongodb).await {
        Ok(mongo::Outcome::Done) => Some(Ok((step.reason(), step.to_string()))),
        Ok(mongo::Outcome::Retry { reason }) => {
            tracing::debug!(%step, reason, "MongoDB is busy; looking again");
            None
        }
        Err(error) => Some(Err((error.reason(), error.to_string()))),
    }
}

async fn run_redis(next: &redis_cluster::Next, connections: &Connections) -> Option<Report> {
    let redis_cluster::Next::Do(step) = next else {
        return None;
    };
    let redis = connections.redis.as_ref()?;
    match redis_cluster::run(redis, step).await {
        Ok(()) => Some(Ok((step.reason(), step.describe()))),
        Err(error) => Some(Err((error.reason(), error.to_string()))),
    }
}

/// The user the API logs in as.
pub fn application_user(credentials: &Credentials) -> ApplicationUser {
    ApplicationUser {
        name: APPLICATION_USER.to_owned(),
        database: APPLICATION_DATABASE.to_owned(),
        password: credentials.mongodb_password.clone(),
    }
}

/// The replica set as planned.
pub fn mongodb_wanted(plan: &Plan, credentials: &Credentials, initiated_before: bool) -> mongo::Wanted {
    let identity = &plan.identity;
    let member = |ordinal| {
        let pod = identity.mongodb_pod(ordinal);
        WantedMember { host: identity.mongodb_host(&pod, &plan.cluster_domain), pod }
    };
    mongo::Wanted {
        replica_set: identity.name.clone(),
        members: (0..plan.mongodb.members).map(member).collect(),
        application_user: application_user(credentials),
        initiated_before,
    }
}

/// The Redis Cluster as planned.
pub fn redis_wanted(plan: &Plan) -> redis_cluster::Wanted {
    let identity = &plan.identity;
    let shards = (0..plan.redis.shards).map(|shard| WantedShard {
        name: identity.redis_shard(shard),
        pods: pods(identity, shard, plan.redis.pods_per_shard()),
    });
    redis_cluster::Wanted { shards: shards.collect() }
}

fn pods(identity: &Identity, shard: i32, count: i32) -> Vec<String> {
    (0..count).map(|ordinal| identity.redis_pod(shard, ordinal)).collect()
}
