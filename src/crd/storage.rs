//! Status of the database volumes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sizes of a database's volumes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageStatus {
    /// Volumes of at least the specified size, of all: `2/3`.
    pub summary: String,
    /// The least that `storage.size` may be set to: the size of the largest volume, since none can
    /// shrink. A growth that no volume has taken up may be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub minimum_size: Option<String>,
}
