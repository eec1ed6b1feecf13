//! The `EaiserCluster` custom resource: types only. Doc comments become `kubectl explain` text.

mod api;
mod capacity;
mod gateway;
mod mongodb;
mod monitoring;
mod operation;
mod pods;
mod redis;
mod replacement;
mod resources;
mod rules;
mod status;
mod storage;

pub use api::{
    ApiSpec, AutoscalingSpec, EnvironmentSource, EnvironmentVariable, KeyReference, ObjectReference,
    ProbePaths, ValueSource,
};
pub use capacity::{CapacitySpec, InstanceProfile, Objectives};
pub use gateway::{GatewayServiceSpec, GatewaySpec, ServiceType};
pub use mongodb::{
    DatabaseRole, DatabaseUser, IndexKey, IndexOrder, IndexSpec, MongoDbSpec, MongoDbTls, TlsMode,
};
pub use monitoring::{MonitoringMode, MonitoringSpec};
pub use operation::{DeletionPolicy, OperationSpec};
pub use pods::{ImagePullSecret, PodSettings, TaintEffect, Toleration, TolerationOperator};
pub use redis::{MaxmemoryPolicy, Persistence, RedisSpec};
pub use replacement::{ReplacedMember, ReplacementStatus};
pub use resources::{ResourceAmounts, Resources, Storage};
pub use status::{
    ApiStatus, CapacityStatus, ConstraintStatus, EaiserClusterStatus, Endpoints, ForcedOutcome,
    ForcedReconfiguration, MongoDbIndexStatus, MongoDbMemberStatus, MongoDbStatus, MongoDbUserStatus,
    RedisShardStatus, RedisStatus,
};
pub use storage::StorageStatus;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Desired state of a scaled backend. Only `capacity.users` and `api.image` are required: every
/// other field has a default fit for production. The operator never writes this part; derived
/// numbers appear in `status.capacity`.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "eaiser.io",
    version = "v1alpha1",
    kind = "EaiserCluster",
    plural = "eaiserclusters",
    shortname = "eac",
    category = "all",
    category = "eaiser",
    namespaced,
    cel,
    derive = "PartialEq",
    status = "EaiserClusterStatus",
    doc = "A scaled backend: FastAPI instances behind Nginx, a MongoDB replica set, a Redis Cluster, monitoring rules and autoscaling, all derived from the number of users it must carry.",
    scale(
        spec_replicas_path = ".spec.api.replicas",
        status_replicas_path = ".status.api.replicas",
        label_selector_path = ".status.api.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Users", type_ = "integer", json_path = ".spec.capacity.users", description = "Peak concurrent users the cluster is sized for."),
    printcolumn(name = "API", type_ = "string", json_path = ".status.api.summary", description = "API instances, ready of desired."),
    printcolumn(name = "Headroom", type_ = "integer", json_path = ".status.capacity.headroomPercent", description = "Percent of ready API capacity above the planned peak."),
    printcolumn(name = "Mongo", type_ = "string", json_path = ".status.mongodb.primary", description = "Pod that is the MongoDB primary."),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 40").message("metadata.name must be at most 40 characters: names of pods and Services are derived from it").reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must start with a letter and hold only lower-case letters, digits and '-': Services are named after it"),
    validation = Rule::new("!isQuantity(self.spec.mongodb.storage.size) || quantity(self.spec.mongodb.storage.size).compareTo(quantity(oldSelf.spec.mongodb.storage.size)) >= 0 || (has(oldSelf.status) && has(oldSelf.status.mongodb) && has(oldSelf.status.mongodb.storage) && has(oldSelf.status.mongodb.storage.minimumSize) && isQuantity(oldSelf.status.mongodb.storage.minimumSize) && quantity(self.spec.mongodb.storage.size).compareTo(quantity(oldSelf.status.mongodb.storage.minimumSize)) >= 0)").message("mongodb.storage.size cannot shrink: no volume does; a growth that no volume has taken up may be taken back, down to status.mongodb.storage.minimumSize").field_path(".spec.mongodb.storage.size")
)]
#[x_kube(
    validation = Rule::new("!has(self.capacity.baselineUsers) || self.capacity.baselineUsers <= self.capacity.users").message("capacity.baselineUsers must not exceed capacity.users").field_path(".capacity.baselineUsers"),
    validation = Rule::new("!has(self.api.maxReplicas) || self.api.maxReplicas >= self.api.replicas").message("api.maxReplicas must be at least api.replicas").field_path(".api.maxReplicas")
)]
#[serde(rename_all = "camelCase")]
pub struct EaiserClusterSpec {
    /// What the cluster must carry. Replica counts, limits and the autoscaler follow from it.
    pub capacity: CapacitySpec,
    /// The FastAPI instances.
    pub api: ApiSpec,
    /// The Nginx pair in front of the API.
    #[serde(default)]
    pub gateway: GatewaySpec,
    /// The MongoDB replica set.
    #[serde(default)]
    pub mongodb: MongoDbSpec,
    /// The Redis Cluster.
    #[serde(default)]
    pub redis: RedisSpec,
    /// Prometheus rules and scrape configuration.
    #[serde(default)]
    pub monitoring: MonitoringSpec,
    /// Pausing, stopping and deleting.
    #[serde(default)]
    pub operation: OperationSpec,
}

/// The CustomResourceDefinition, as it is committed under `crds/`.
///
/// # Errors
/// Never in practice: the definition is built from types.
pub fn definition_yaml() -> Result<String, serde_saphyr::ser::Error> {
    use kube::CustomResourceExt;
    serde_saphyr::to_string(&EaiserCluster::crd())
}
