//! CPU, memory and disk as used by every tier.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// Requests and limits of one container. An absent memory limit equals the memory request; an
/// absent CPU limit means none, so that bursts are not throttled.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.requests) || !has(self.requests.memory) || !has(self.limits) || !has(self.limits.memory) || !isQuantity(self.requests.memory) || !isQuantity(self.limits.memory) || quantity(self.requests.memory).compareTo(quantity(self.limits.memory)) <= 0").message("limits.memory must be at least requests.memory").field_path(".limits"),
    validation = Rule::new("!has(self.requests) || !has(self.requests.cpu) || !has(self.limits) || !has(self.limits.cpu) || !isQuantity(self.requests.cpu) || !isQuantity(self.limits.cpu) || quantity(self.requests.cpu).compareTo(quantity(self.limits.cpu)) <= 0").message("limits.cpu must be at least requests.cpu").field_path(".limits")
)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceAmounts>,
    /// What the container may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

/// An amount of CPU and of memory.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// CPU as a Kubernetes quantity. Example: "500m" or "2".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 12))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+([.][0-9]{1,3})?m?$') && isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("must be a CPU quantity above 0, for example 500m or 2"))]
    pub cpu: Option<String>,
    /// Memory as a Kubernetes quantity in bytes. Example: "512Mi" or "4Gi".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+([.][0-9]{1,3})?([KMGT]i|[kMGT])?$') && isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("must be a memory quantity above 0, for example 512Mi or 4Gi"))]
    pub memory: Option<String>,
}

/// The volume of one database pod.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
// A rule of the optional field itself is skipped when the field appears or disappears.
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.className) == has(oldSelf.className)", "message": "storage.className cannot be changed, added or removed: Kubernetes cannot move a volume to another class", "fieldPath": ".className"}]))]
#[serde(rename_all = "camelCase", default)]
pub struct Storage {
    /// Size of each volume. MongoDB's can grow while it serves, when the StorageClass allows it, and
    /// never shrink; Redis's cannot be changed yet.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-validations" = rules::size()))]
    pub size: String,
    /// StorageClass of each volume. Default: the cluster's default class. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = rules::storage_class()))]
    pub class_name: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: "20Gi".to_owned(), class_name: None }
    }
}
