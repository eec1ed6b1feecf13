//! `spec.capacity`: the load to carry, the objectives to meet, and what one instance can do.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// The load the cluster is sized for.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacitySpec {
    /// Peak number of concurrent users. Sets the autoscaler's maximum. Example: 100000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub users: i64,
    /// Users present at a quiet hour; sets the autoscaler's minimum. Default: a tenth of `users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub baseline_users: Option<i64>,
    /// Number of zones the nodes span. Above 1 the plan survives the loss of any one zone. Default: 1.
    #[serde(default = "default_zones")]
    #[schemars(range(min = 1, max = 10))]
    pub zones: i32,
    /// Service level the alerts watch and the plan must reach.
    #[serde(default)]
    pub objectives: Objectives,
    /// What one API instance was measured to do. Defaults: the performance report's figures.
    #[serde(default)]
    pub instance: InstanceProfile,
}

fn default_zones() -> i32 {
    1
}

/// Service level objectives.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Objectives {
    /// 95 % of requests are answered within this time. Milliseconds or seconds. Default: "500ms".
    #[schemars(extend("x-kubernetes-validations" = rules::latency()), length(max = 8))]
    pub latency_p95: String,
    /// Percent of requests that must succeed over 30 days. Default: 99.9.
    #[schemars(range(min = 50.0, max = 99.999))]
    pub availability: f64,
    /// Percent of requests that may fail before an alert fires. Default: 0.1.
    #[schemars(range(min = 0.001, max = 50.0))]
    pub error_rate: f64,
    /// Requests per second the cluster must serve, when stated apart from the users. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests_per_second: Option<i64>,
}

impl Default for Objectives {
    fn default() -> Self {
        Self {
            latency_p95: "500ms".to_owned(),
            availability: 99.9,
            error_rate: 0.1,
            requests_per_second: None,
        }
    }
}

/// Measured capability of one API instance (one pod). The defaults come from the performance
/// report: throughput peaks near 1,750 requests/s at 1,912 users and falls beyond that knee.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "self.kneeInFlight <= self.maxInFlight", "message": "kneeInFlight must not exceed maxInFlight", "fieldPath": ".kneeInFlight"}]))]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceProfile {
    /// Client connections one instance is planned for. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: i64,
    /// Requests per second at the knee. Default: 1750.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_second: i64,
    /// Concurrent users at the knee of the throughput curve. Default: 1912.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub knee_users: i64,
    /// Requests in flight at the last good measured point. Default: 94.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub knee_in_flight: i64,
    /// Requests in flight the gateway lets through to one instance at most. Default: 238.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_in_flight: i64,
    /// Requests per second that one user causes. Default: 0.918.
    #[schemars(range(min = 0.000_1, max = 10_000.0))]
    pub requests_per_user: f64,
    /// Share of the knee's throughput the plan uses, 0.1 to 0.95. Default: 0.7.
    #[schemars(range(min = 0.1, max = 0.95))]
    pub max_utilization: f64,
}

impl Default for InstanceProfile {
    fn default() -> Self {
        Self {
            connections: 1000,
            requests_per_second: 1750,
            knee_users: 1912,
            knee_in_flight: 94,
            max_in_flight: 238,
            requests_per_user: 0.918,
            max_utilization: 0.7,
        }
    }
}
