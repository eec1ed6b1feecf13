//! `spec.operation`: holding still, standing down and going away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the operator treats the cluster as a whole.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OperationSpec {
    /// Touch nothing: no object is written and no database is driven; the status is still reported.
    /// Wins over `stopped`. Default: false.
    pub paused: bool,
    /// Take every tier to zero pods, the API first, then Redis, then MongoDB. Volumes, Secrets and
    /// Services stay; setting it back starts the tiers in the reverse order. Default: false.
    pub stopped: bool,
    /// What becomes of the volumes when the cluster is deleted. `Retain` keeps them: a cluster of
    /// the same name finds its data again. `Delete` removes them for good. Default: `Retain`.
    pub deletion_policy: DeletionPolicy,
    /// Refuse to delete this cluster until the field is set back. Enforced by the
    /// ValidatingAdmissionPolicy of the chart. Default: false.
    pub deletion_protection: bool,
}

/// What becomes of the data of a deleted cluster.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// Volumes outlive the cluster.
    #[default]
    Retain,
    /// Volumes are deleted with the cluster.
    Delete,
}
