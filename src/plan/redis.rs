//! Derived settings of the Redis Cluster.

use super::Problem;
use super::budget::StoreBudget;
use super::quantity::Bytes;
use super::resources::{self, ContainerResources};
use crate::crd::{MaxmemoryPolicy, Persistence, RedisSpec, Storage};
use crate::settings::Settings;

/// Memory one client connection is reckoned at: 16 KiB query buffer and its output buffers.
const KIBIBYTES_PER_CONNECTION: i64 = 64;
/// Each client is a file descriptor; container runtimes commonly allow a process 65,536.
const MOST_CLIENTS: i64 = 65_000;
/// Connections kept for replication, the operator and humans.
const RESERVED_CLIENTS: i64 = 32;

/// The Redis Cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisPlan {
    /// Primaries.
    pub shards: i32,
    /// Replicas of each primary.
    pub replicas_per_shard: i32,
    /// Image.
    pub image: String,
    /// Volume of each pod.
    pub storage: Storage,
    /// CPU and memory of each pod.
    pub resources: ContainerResources,
    /// `maxmemory`: 70 % of the memory limit; the rest is for buffers and copy-on-write.
    pub maxmemory: Bytes,
    /// `maxmemory-policy`.
    pub maxmemory_policy: MaxmemoryPolicy,
    /// `maxclients`.
    pub maxclients: i64,
    /// Connections the API may hold on one node: 80 % of what a quarter of its memory carries.
    pub api_connections: i64,
    /// What survives a restart.
    pub persistence: Persistence,
}

impl RedisPlan {
    /// Pods in one shard.
    pub fn pods_per_shard(&self) -> i32 {
        self.replicas_per_shard + 1
    }

    /// This store's side of the connection budget. One more connection per worker for topology.
    pub fn budget(&self) -> StoreBudget {
        StoreBudget {
            store: "Redis",
            field: "spec.redis.resources.limits.memory",
            connections: self.api_connections,
            overhead: 1,
            largest_pool: 50,
            kibibytes_per_connection: KIBIBYTES_PER_CONNECTION,
        }
    }
}

/// Plans the Redis Cluster.
pub fn plan(spec: &RedisSpec, settings: &Settings, problems: &mut Vec<Problem>) -> RedisPlan {
    if spec.shards < 3 {
        problems.push(Problem::new(
            "spec.redis.shards",
            format!("{} primaries cannot elect a failover; use at least 3", spec.shards),
        ));
    }
    let resources = resources::plan(&spec.resources, "500m", "2Gi", "spec.redis.resources", problems);
    let carried = resources.memory.share(1, 4).0 / (KIBIBYTES_PER_CONNECTION * 1024);
    let maxclients = (carried + RESERVED_CLIENTS).min(MOST_CLIENTS);
    RedisPlan {
        shards: spec.shards,
        replicas_per_shard: spec.replicas_per_shard,
        image: spec.image.as_ref().unwrap_or(&settings.redis_image).clone(),
        storage: spec.storage.clone(),
        maxmemory: resources.memory.share(7, 10),
        resources,
        maxmemory_policy: spec.maxmemory_policy,
        maxclients,
        api_connections: (maxclients - RESERVED_CLIENTS) * 4 / 5,
        persistence: spec.persistence,
    }
}
