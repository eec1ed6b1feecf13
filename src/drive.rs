//! Step 5 of a pass: at most one step per database. [`next`] decides and is pure; [`run`] acts.

pub mod forced;
pub mod roll;
mod run;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub use roll::{Roll, Rolls};
pub use run::{Hands, run};

use crate::desired::mongodb::rotation::{self, Rotation};
use crate::desired::mongodb::users;
use crate::desired::stage::{Progress, Stage};
use crate::mongo::forced::Verdict;
use crate::mongo::upkeep::{self, Upkeep};
use crate::mongo::{self, ApplicationUser, User, UserName, WantedMember};
use crate::names::{APPLICATION_DATABASE, APPLICATION_USER, APPLICATION_USER_B, Identity};
use crate::plan::{Mode, Plan};
use crate::redis_cluster::{self, WaitReason, Waiting, WantedShard};
use crate::snapshot::{Credentials, Snapshot};

/// What each database needs now.
#[derive(Clone, Debug)]
pub struct Steps {
    /// The replica set's verdict.
    pub mongodb: mongo::Next,
    /// What a database user needs, while the replica set itself needs nothing.
    pub mongodb_user: Option<mongo::Step>,
    /// The Redis Cluster's verdict.
    pub redis: redis_cluster::Next,
    /// Pods to replace, in either tier.
    pub rolls: Rolls,
    /// What somebody asks for by force.
    pub forced: Verdict,
    /// Versions and indexes of the replica set.
    pub upkeep: Upkeep,
}

/// What became of the steps.
#[derive(Debug)]
pub struct Driven {
    /// The replica set's verdict.
    pub mongodb: mongo::Next,
    /// What a database user needed.
    pub mongodb_user: Option<mongo::Step>,
    /// The Redis Cluster's verdict.
    pub redis: redis_cluster::Next,
    /// How far the rolls are.
    pub rolls: Rolls,
    /// What somebody asks for by force.
    pub forced: Verdict,
    /// Versions and indexes of the replica set.
    pub upkeep: Upkeep,
    /// Steps carried out: (reason, sentence).
    pub done: Vec<(&'static str, String)>,
    /// Steps that failed: (reason, sentence).
    pub failed: Vec<(&'static str, String)>,
    /// How long each step that was carried out took.
    pub took: Vec<Took>,
}

/// A step that was carried out, and when.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Database it was for.
    pub database: Database,
    /// Its stable word.
    pub step: &'static str,
    /// When its command was sent.
    pub begin: Instant,
    /// Until it was answered.
    pub duration: Duration,
}

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// The replica set.
    MongoDb,
    /// The Redis Cluster.
    Redis,
}

impl Database {
    /// Its word in labels of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MongoDb => "mongodb",
            Self::Redis => "redis",
        }
    }
}

impl Driven {
    /// Whether both databases are as wanted and no pod is to be replaced.
    pub fn is_settled(&self) -> bool {
        self.mongodb == mongo::Next::Settled
            && self.mongodb_user.is_none()
            && self.redis == redis_cluster::Next::Settled
            && self.rolls.are_done()
            && !self.upkeep.busy
    }
}

impl Driven {
    /// Whether the API server failed to replace a pod. Unlike a database, it is not asked again at the
    /// pace of a forming cluster.
    pub fn server_failed(&self) -> bool {
        self.failed.iter().any(|(reason, _)| *reason == run::ROLL_FAILED)
    }
}

/// Decides.
pub fn next(plan: &Plan, snapshot: &Snapshot, initiated_before: bool, forced: Verdict) -> Steps {
    let wanted = mongodb_wanted(plan, snapshot, initiated_before);
    let mongodb = mongo::steps::next(&wanted, &snapshot.mongodb);
    let busy = matches!(mongodb, mongo::Next::Do(_));
    let mongodb_user = if busy { None } else { mongo::steps::next_of_users(&wanted, &snapshot.mongodb) };
    let redis = redis_cluster::next(&redis_wanted(plan), &snapshot.redis);
    let rolls = roll::next(plan, snapshot, &mongodb, &redis);
    let upkeep = Upkeep::default();
    let steps = Steps { mongodb, mongodb_user, redis, rolls, forced, upkeep };
    let steps = steps.within(Stage::of(plan, snapshot));
    let hold = match plan.mode {
        Mode::Paused => Some("the cluster is paused".to_owned()),
        Mode::Running | Mode::Stopped => unrest(&steps.mongodb, &steps.rolls.mongodb),
    };
    let upkeep = upkeep::next(&plan.mongodb.requests, &snapshot.mongodb_facts, hold.as_deref());
    Steps { upkeep, ..steps }
}

/// Why the replica set may not be given something that takes long; none when it may.
fn unrest(mongodb: &mongo::Next, roll: &Roll) -> Option<String> {
    match (mongodb, roll) {
        (mongo::Next::Settled, Roll::Done) => None,
        (mongo::Next::Settled, Roll::Rolling { .. }) => Some("the members are being replaced".to_owned()),
        (mongo::Next::Do(step), _) => Some(format!("first: {step}")),
        (mongo::Next::Wait(why), _) => Some(why.clone()),
    }
}

impl Steps {
    /// Without what a tier at zero pods, or on its way there, has no use for.
    fn within(mut self, stage: Stage) -> Self {
        const STOPPED: &str = "it is stopped";
        if !stage.mongodb {
            self.mongodb = mongo::Next::Wait(STOPPED.to_owned());
            self.mongodb_user = None;
        }
        if !stage.redis {
            self.redis = redis_cluster::Next::Wait(Waiting {
                reason: WaitReason::PodsUnreachable,
                message: STOPPED.to_owned(),
            });
        }
        let stopping = matches!(stage.progress, Progress::Stopping | Progress::Stopped);
        if stopping || !stage.mongodb {
            self.rolls.mongodb = Roll::Done;
        }
        if stopping || !stage.redis {
            self.rolls.redis = Roll::Done;
        }
        self
    }

    /// Decided and not carried out, as while the cluster is paused.
    pub fn untaken(self) -> Driven {
        let Self { mongodb, mongodb_user, redis, rolls, forced, upkeep } = self;
        let (done, failed, took) = (Vec::new(), Vec::new(), Vec::new());
        Driven { mongodb, mongodb_user, redis, rolls, forced, upkeep, done, failed, took }
    }
}

/// The user the API logs in as.
pub fn application_user(credentials: &Credentials) -> ApplicationUser {
    ApplicationUser {
        name: credentials.mongodb_application.user.to_owned(),
        database: APPLICATION_DATABASE.to_owned(),
        password: credentials.mongodb_password.clone(),
    }
}

/// Users besides the one the API logs in as: the one it is to log in as next, once its Secret holds the
/// password, and those of the spec whose password is known.
pub fn database_users(plan: &Plan, credentials: &Credentials) -> Vec<User> {
    let application = &credentials.mongodb_application;
    let next = application.next.as_ref().filter(|next| next.user != application.user).map(|next| {
        let database = APPLICATION_DATABASE.to_owned();
        ApplicationUser { name: next.user.to_owned(), database, password: next.password.clone() }.user()
    });
    let users = plan.mongodb.users.iter().filter_map(|user| {
        let password = credentials.mongodb_users.get(&user.name.name)?.clone().ok()?;
        Some(User { name: user.name.clone(), roles: user.roles.clone(), password })
    });
    next.into_iter().chain(users).collect()
}

/// Users that are looked for by name: of the API's two the one that is not in use, and those that have
/// a Secret, be they in the spec or not any more.
pub fn users_asked_for(plan: &Plan, snapshot: &Snapshot) -> Vec<UserName> {
    let other = rotation::name(snapshot.credentials.mongodb_application.other());
    let recorded = users::recorded(&plan.identity, &snapshot.children);
    std::iter::once(other).chain(recorded).collect()
}

/// Users that the spec named once and names no more, and that are still there.
pub fn users_left(plan: &Plan, snapshot: &Snapshot) -> Vec<UserName> {
    let ours = [APPLICATION_USER, APPLICATION_USER_B].map(rotation::name);
    let is_left =
        |name: &&UserName| !ours.contains(name) && plan.mongodb.users.iter().all(|user| user.name != **name);
    let others = snapshot.mongodb.users.iter().flat_map(|users| &users.others);
    others.filter(is_left).cloned().collect()
}

fn unwanted_users(plan: &Plan, snapshot: &Snapshot) -> BTreeSet<UserName> {
    let retired = match Rotation::of(plan, snapshot) {
        Rotation::Retiring { user, used_by: None } => Some(user),
        _ => None,
    };
    let left = if plan.mongodb.prune_users { users_left(plan, snapshot) } else { Vec::new() };
    left.into_iter().chain(retired).collect()
}

/// The replica set as planned.
pub fn mongodb_wanted(plan: &Plan, snapshot: &Snapshot, initiated_before: bool) -> mongo::Wanted {
    let credentials = &snapshot.credentials;
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
        users: database_users(plan, credentials),
        unwanted_users: unwanted_users(plan, snapshot),
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
