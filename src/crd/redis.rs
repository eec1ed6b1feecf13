//! `spec.redis`: the Redis Cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PodSettings, Resources, Storage, rules};

/// The Redis Cluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "self.storage.size == oldSelf.storage.size", "message": "redis.storage.size cannot be changed: this version neither grows nor shrinks the volumes of Redis", "fieldPath": ".storage.size"}]))]
#[serde(rename_all = "camelCase", default)]
pub struct RedisSpec {
    /// Number of primaries that share the 16384 slots, at least 3. It cannot be changed yet:
    /// resharding comes with a later release. Default: 3.
    #[schemars(range(min = 3, max = 100))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "redis.shards cannot be changed: this version does not move slots between shards"}]))]
    pub shards: i32,
    /// Replicas of each primary. It cannot be changed yet. Default: 1.
    #[schemars(range(min = 0, max = 5))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "redis.replicasPerShard cannot be changed by this version"}]))]
    pub replicas_per_shard: i32,
    /// Redis 7 or Valkey 8, or newer. Default: the operator's `--redis-image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::image()), length(min = 1, max = 512))]
    pub image: Option<String>,
    /// The volume of each pod. Default: 20Gi of the default class.
    pub storage: Storage,
    /// CPU and memory of each pod. Default: requests of 500m CPU and 2Gi. `maxmemory` is 70 % of
    /// the memory limit.
    pub resources: Resources,
    /// Where the pods run and what they carry besides.
    pub pods: PodSettings,
    /// What Redis evicts when `maxmemory` is reached. Default: `volatile-lru`, so that only keys
    /// with a time to live (cache entries, sessions) are dropped.
    pub maxmemory_policy: MaxmemoryPolicy,
    /// What survives a restart. Default: `AppendOnly`.
    pub persistence: Persistence,
}

impl Default for RedisSpec {
    fn default() -> Self {
        Self {
            shards: 3,
            replicas_per_shard: 1,
            image: None,
            storage: Storage::default(),
            resources: Resources::default(),
            pods: PodSettings::default(),
            maxmemory_policy: MaxmemoryPolicy::default(),
            persistence: Persistence::default(),
        }
    }
}

/// Redis eviction policy.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaxmemoryPolicy {
    /// Refuse writes instead of evicting.
    Noeviction,
    /// Evict the least recently used key.
    AllkeysLru,
    /// Evict the least frequently used key.
    AllkeysLfu,
    /// Evict any key.
    AllkeysRandom,
    /// Evict the least recently used key that has a time to live.
    #[default]
    VolatileLru,
    /// Evict the least frequently used key that has a time to live.
    VolatileLfu,
    /// Evict any key that has a time to live.
    VolatileRandom,
    /// Evict the key that expires soonest.
    VolatileTtl,
}

impl MaxmemoryPolicy {
    /// The value of `maxmemory-policy` in redis.conf.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Noeviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }
}

/// How Redis writes to its volume.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persistence {
    /// Append-only file, synced every second.
    #[default]
    AppendOnly,
    /// Periodic snapshots; a crash loses what came after the last one.
    Snapshot,
}
