//! `status.mongodb.forcedReconfiguration`: what was done, or is about to be, by force.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reconfiguration of the replica set by force, which the annotation
/// `mongodb.eaiser.io/force-reconfigure` asked for. It is written here before it is carried out.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ForcedReconfiguration {
    /// Value of the annotation. The same value never counts again.
    pub request: String,
    /// How far it is.
    pub outcome: ForcedOutcome,
    /// Version of the newest configuration of the members that were left.
    pub config_version: i64,
    /// Pod that was to lead, since of those left it held the newest operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// Members that were to be dropped: pods, or hosts where no pod is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// What was known when it was decided.
    pub evidence: String,
}

/// How far a forced reconfiguration is.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForcedOutcome {
    /// Written down, and carried out next.
    #[default]
    Recorded,
    /// Carried out: a member runs with the forced configuration.
    Served,
    /// Not carried out and not needed any more, because the set has a primary or nobody asks for it.
    Void,
}
