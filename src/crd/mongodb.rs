//! `spec.mongodb`: the replica set.

mod indexes;
mod users;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PodSettings, Resources, Storage, rules};
pub use users::{DatabaseRole, DatabaseUser};

mod tls;

pub use indexes::{IndexKey, IndexOrder, IndexSpec};
pub use tls::{MongoDbTls, TlsMode};

/// The MongoDB replica set.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MongoDbSpec {
    /// Number of data-bearing, voting members: 1, 3, 5 or 7. Default: 3.
    #[schemars(range(min = 1, max = 7))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self % 2 == 1", "message": "mongodb.members must be odd (1, 3, 5 or 7): an even number of voters survives no more failures and can tie"}]))]
    pub members: i32,
    /// MongoDB 4.4 or newer. Default: the operator's `--mongodb-image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::image()), length(min = 1, max = 512))]
    pub image: Option<String>,
    /// The volume of each member. Default: 20Gi of the default class.
    pub storage: Storage,
    /// CPU and memory of each member. Default: requests of 2 CPU and 8Gi. Memory bounds the
    /// connections the API may open: a quarter of it at 1 MiB each.
    pub resources: Resources,
    /// Where the pods run and what they carry besides.
    pub pods: PodSettings,
    /// Database users besides the API's own. Each gets a Secret `NAME-mongodb-user-USER` with the
    /// keys `username`, `password`, `database` and `uri`. A user that is taken off the list stays in
    /// the database with its Secret, see `pruneUsers`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub users: Vec<DatabaseUser>,
    /// Drop users that `users` named once and names no more, with their Secrets. Others are never
    /// dropped. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prune_users: bool,
    /// Encryption of the connections to and between the members. Default: none.
    pub tls: MongoDbTls,
    /// MongoDB version the image holds, for an image whose tag does not say so. An image of another
    /// version is taken up only when it is at most one major version away. Example: `"7.0"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 16), extend("x-kubernetes-validations" = rules::version()))]
    pub version: Option<String>,
    /// Raise MongoDB's feature compatibility version to this one, once every member runs a binary of
    /// it. From then on the version before cannot be run any more. It is never lowered. Default: leave
    /// it as it is. Example: `"7.0"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 8), extend("x-kubernetes-validations" = rules::series()))]
    pub feature_compatibility_version: Option<String>,
    /// Indexes that shall exist. They are built one at a time and never dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub indexes: Vec<IndexSpec>,
}

impl Default for MongoDbSpec {
    fn default() -> Self {
        Self {
            members: 3,
            image: None,
            storage: Storage::default(),
            resources: Resources::default(),
            pods: PodSettings::default(),
            users: Vec::new(),
            prune_users: false,
            tls: MongoDbTls::default(),
            version: None,
            feature_compatibility_version: None,
            indexes: Vec::new(),
        }
    }
}
