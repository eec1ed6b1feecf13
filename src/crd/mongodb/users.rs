//! `spec.mongodb.users`: users of the database besides the API's own.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::{KeyReference, rules};

/// A database user, for example of a reporting job. What is changed here or in the Secret it refers to
/// is changed in the database; what is changed in the database by hand is changed back.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseUser {
    /// Name to log in with. Example: `reporting`.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::database_user()))]
    pub name: String,
    /// Database it logs in at (`authSource`), and of roles that name none. Default: `eaiser`, the
    /// API's. Another database makes another user, and the one before is treated as taken off the list.
    #[serde(default = "application_database")]
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::user_database()))]
    pub database: String,
    /// What it may do: built-in roles, or roles that were made in the database. Default: `readWrite` on
    /// its database.
    #[serde(default = "read_write")]
    #[schemars(length(min = 1, max = 16))]
    pub roles: Vec<DatabaseRole>,
    /// Key of a Secret with the password. The Secret is watched, never changed and never owned.
    /// Default: a password is drawn once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<KeyReference>,
}

/// A role on a database.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseRole {
    /// Name of the role. Example: `read`.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::role()))]
    pub role: String,
    /// Database it applies to. Default: the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = rules::role_database()))]
    pub database: Option<String>,
}

fn application_database() -> String {
    "eaiser".to_owned()
}

fn read_write() -> Vec<DatabaseRole> {
    vec![DatabaseRole { role: "readWrite".to_owned(), database: None }]
}
