//! `spec.api`: the FastAPI instances and their autoscaling.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PodSettings, Resources, rules};

/// The API tier.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiSpec {
    /// The backend's image. Example: `registry.example.com/backend:1.4.2`.
    #[schemars(extend("x-kubernetes-validations" = rules::image()), length(min = 1, max = 512))]
    pub image: String,
    /// Port the backend listens on. Default: 8000.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1024, max = 65535))]
    pub port: i32,
    /// Uvicorn worker processes per pod; given to the backend as `WEB_CONCURRENCY`. Each has its
    /// own connection pool. Default: 1.
    #[serde(default = "default_workers")]
    #[schemars(range(min = 1, max = 64))]
    pub workers: i32,
    /// Number of pods: the floor while autoscaling is on, the exact count when it is off. Moved by
    /// `kubectl scale`. Default: 2.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 10_000))]
    pub replicas: i32,
    /// Most pods the autoscaler may start. Default: what `capacity.users` needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_replicas: Option<i32>,
    /// CPU and memory of each pod. Default: requests of 2 CPU and 4Gi, as in the performance report.
    #[serde(default)]
    pub resources: Resources,
    /// Where the pods run and what they carry besides, registry logins included.
    #[serde(default)]
    pub pods: PodSettings,
    /// Further environment variables. Names the operator sets itself are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvironmentVariable>,
    /// ConfigMaps and Secrets whose keys all become environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvironmentSource>,
    /// Paths of the health checks.
    #[serde(default)]
    pub probes: ProbePaths,
    /// How the number of pods follows the load.
    #[serde(default)]
    pub autoscaling: AutoscalingSpec,
}

fn default_port() -> i32 {
    8000
}

fn default_workers() -> i32 {
    1
}

fn default_replicas() -> i32 {
    2
}

/// One environment variable.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!(has(self.value) && has(self.valueFrom))").message("set either value or valueFrom, not both"),
    validation = Rule::new("!(self.name in ['MONGODB_URI', 'MONGODB_DATABASE', 'MONGODB_MAX_POOL_SIZE', 'MONGODB_TLS_CA_FILE', 'REDIS_URL', 'REDIS_NODES', 'REDIS_MAX_CONNECTIONS', 'MAX_IN_FLIGHT', 'WEB_CONCURRENCY'])").message("this variable is set by the operator; change the field it derives from instead").field_path(".name")
)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// Name of the variable.
    #[schemars(extend("x-kubernetes-validations" = rules::variable()), length(min = 1, max = 128))]
    pub name: String,
    /// Literal value. Put secrets into a Secret and use `valueFrom` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// Value taken from a ConfigMap or Secret of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueSource>,
}

/// Where a variable's value comes from: exactly one of the two.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.secretKeyRef) != has(self.configMapKeyRef)").message("set exactly one of secretKeyRef and configMapKeyRef"))]
#[serde(rename_all = "camelCase")]
pub struct ValueSource {
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyReference>,
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyReference>,
}

/// A key of an object in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyReference {
    /// Name of the object.
    #[schemars(extend("x-kubernetes-validations" = rules::reference()), length(min = 1, max = 253))]
    pub name: String,
    /// Key in its data.
    #[schemars(extend("x-kubernetes-validations" = rules::key()), length(min = 1, max = 253))]
    pub key: String,
}

/// A ConfigMap or Secret of the same namespace: exactly one of the two.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.configMapRef)").message("set exactly one of secretRef and configMapRef"))]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSource {
    /// A Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ObjectReference>,
    /// A ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ObjectReference>,
}

/// An object in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// Name of the object.
    #[schemars(extend("x-kubernetes-validations" = rules::reference()), length(min = 1, max = 253))]
    pub name: String,
}

/// Paths the kubelet asks.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbePaths {
    /// Liveness: failing restarts the pod. Default: `/healthz/live`.
    #[schemars(extend("x-kubernetes-validations" = rules::path()), length(min = 1, max = 256))]
    pub liveness: String,
    /// Readiness: failing takes the pod out of the gateway. Default: `/healthz/ready`.
    #[schemars(extend("x-kubernetes-validations" = rules::path()), length(min = 1, max = 256))]
    pub readiness: String,
}

impl Default for ProbePaths {
    fn default() -> Self {
        Self { liveness: "/healthz/live".to_owned(), readiness: "/healthz/ready".to_owned() }
    }
}

/// Horizontal autoscaling of the API.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalingSpec {
    /// Whether a HorizontalPodAutoscaler decides the number of pods. While it does, the operator
    /// never touches the Deployment's replicas. Default: true.
    pub enabled: bool,
    /// Seconds a lower need must last before pods are removed. Default: 300.
    #[schemars(range(min = 0, max = 3600))]
    pub scale_down_stabilization_seconds: i32,
    /// Percent of the pods that may be removed per minute. Default: 10.
    #[schemars(range(min = 1, max = 100))]
    pub scale_down_percent_per_minute: i32,
}

impl Default for AutoscalingSpec {
    fn default() -> Self {
        Self { enabled: true, scale_down_stabilization_seconds: 300, scale_down_percent_per_minute: 10 }
    }
}
