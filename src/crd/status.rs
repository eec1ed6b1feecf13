//! `status`: what the operator observed and derived. Recomputed from scratch on every pass.

mod forced;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use forced::{ForcedOutcome, ForcedReconfiguration};

/// Observed state of the cluster.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EaiserClusterStatus {
    /// Generation of the spec this status speaks about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word: `Forming`, `Ready`, `Degraded`, `Invalid`, `Paused`, `Stopping`, `Stopped`,
    /// `Starting` or `Deleting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// One sentence on what is happening and what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Conditions by type; each message names the object that blocks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The API tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiStatus>,
    /// Derived numbers with their arithmetic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityStatus>,
    /// The replica set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mongodb: Option<MongoDbStatus>,
    /// The Redis Cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisStatus>,
    /// Where the parts are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
}

/// State of the API tier.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiStatus {
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// `ready/desired`, as printed by `kubectl get`.
    pub summary: String,
    /// Label selector of the API pods, for the scale subresource.
    pub selector: String,
}

/// Numbers derived from `spec.capacity`.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CapacityStatus {
    /// Fewest API pods the autoscaler may run.
    pub min_replicas: i32,
    /// Most API pods the autoscaler may run.
    pub max_replicas: i32,
    /// Constraint that decides `maxReplicas`.
    pub binding: String,
    /// Every constraint with its number and arithmetic.
    pub constraints: Vec<ConstraintStatus>,
    /// Percent by which the throughput of `maxReplicas` at the knee exceeds the demand of the peak
    /// users; below zero when the peak cannot be served.
    pub headroom_percent: i32,
    /// Connections to MongoDB each API worker may pool.
    pub mongodb_max_pool_size: i32,
}

/// One constraint of the capacity plan.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConstraintStatus {
    /// Name of the constraint.
    pub name: String,
    /// API pods it asks for at peak.
    pub replicas: i32,
    /// The calculation in full.
    pub arithmetic: String,
}

/// State of the replica set.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MongoDbStatus {
    /// The replica set was initiated once. From then on, members that all claim to be empty are a
    /// loss of data to report and never a reason to initiate a second, empty set.
    pub initiated: bool,
    /// Pod that is the primary; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Members by pod name.
    pub members: Vec<MongoDbMemberStatus>,
    /// Users of `spec.mongodb.users`, and those that were on the list once and are still there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<MongoDbUserStatus>,
    /// The last reconfiguration by force that somebody asked for; it outlives the annotation, so that
    /// putting that back does nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced_reconfiguration: Option<ForcedReconfiguration>,
    /// Version the members run; while they are being replaced, the lowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Feature compatibility version: what the data may be used with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_compatibility_version: Option<String>,
    /// Indexes of the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<MongoDbIndexStatus>,
}

/// One index of the spec.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MongoDbIndexStatus {
    /// Name of the index.
    pub name: String,
    /// Database and collection, with a dot between them.
    pub collection: String,
    /// `Ready`, `Building`, `Waiting` or `Failed`.
    pub state: String,
    /// What it waits for, or why it cannot be built.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// One database user.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MongoDbUserStatus {
    /// Name of the user.
    pub name: String,
    /// Database it logs in at.
    pub database: String,
    /// `Ready`; `Pending` while it is made or changed; `Blocked` when that cannot be done, see the
    /// condition `MongoDBUsersReady`; `Left` when the spec names it no more; `Unknown` while there is
    /// no primary to ask.
    pub state: String,
    /// Secret with its password and connection string, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// One member of the replica set.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MongoDbMemberStatus {
    /// Pod name.
    pub pod: String,
    /// Member state as MongoDB names it, `Unreachable` or `NotInitialized`.
    pub state: String,
    /// Votes in the replica set configuration.
    pub votes: i64,
    /// Seconds behind the primary, in tens; absent while it is close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// Node the pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// State of the Redis Cluster.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisStatus {
    /// Slots that have an owner, of 16384.
    pub slots_assigned: i32,
    /// Shards by name.
    pub shards: Vec<RedisShardStatus>,
}

/// One shard of the Redis Cluster.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedisShardStatus {
    /// Name of the shard, which is its StatefulSet's name.
    pub name: String,
    /// Pod that owns the slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Pods that replicate it.
    pub replicas: Vec<String>,
    /// Slots owned, of 16384.
    pub slots: i32,
}

/// Addresses inside the cluster.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoints {
    /// URL of the gateway.
    pub gateway: String,
    /// Secret with the application's MongoDB connection string, key `uri`.
    pub mongodb_secret: String,
    /// Secret with the application's Redis connection string, key `url`.
    pub redis_secret: String,
}
