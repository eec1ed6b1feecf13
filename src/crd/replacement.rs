//! Status of a member of the replica set that is emptied and filled anew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the annotation `mongodb.eaiser.io/replace` asks for, and how far it is.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplacementStatus {
    /// Value of the annotation.
    pub request: String,
    /// One word: `Refused`, `Waiting`, `Accepted`, `Syncing`, `Done` or `Served`.
    pub phase: String,
    /// One sentence on what is done, or on why not.
    pub message: String,
    /// Identity of the volume claim that is deleted with its data; its successor has another. Set once
    /// the request is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_uid: Option<String>,
}

/// A member that was replaced.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplacedMember {
    /// Pod name.
    pub pod: String,
    /// Identity of the volume claim that was deleted last.
    pub claim_uid: String,
}
