//! The connection string the application gets. Pure.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::tls;
use crate::desired::meta;
use crate::names::{APPLICATION_DATABASE, APPLICATION_USER, Tier};
use crate::password::Password;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::credentials::KEY_PASSWORD;

/// Key of the connection string in its Secret.
pub const KEY_URI: &str = "uri";

/// Everything but RFC 3986's unreserved characters is encoded; drivers differ on the others.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Secret with user, password and connection string.
pub fn secret(plan: &Plan, snapshot: &Snapshot) -> Secret {
    let identity = &plan.identity;
    let password = &snapshot.credentials.mongodb_password;
    let uri = tls::uri(uri(plan, APPLICATION_USER, password), tls::now(plan, snapshot));
    let data = [
        ("username", APPLICATION_USER.to_owned()),
        (KEY_PASSWORD, password.expose().to_owned()),
        ("database", APPLICATION_DATABASE.to_owned()),
        (KEY_URI, uri),
    ];
    Secret {
        metadata: meta::object(identity, Tier::MongoDb, identity.mongodb_connection()),
        type_: Some("Opaque".to_owned()),
        data: Some(
            data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).collect(),
        ),
        ..Secret::default()
    }
}

/// Standard connection string: every wanted member, majority writes, retryable writes.
pub fn uri(plan: &Plan, user: &str, password: &Password) -> String {
    let identity = &plan.identity;
    let hosts: Vec<String> = (0..plan.mongodb.members)
        .map(|ordinal| identity.mongodb_host(&identity.mongodb_pod(ordinal), &plan.cluster_domain))
        .collect();
    format!(
        "mongodb://{}:{}@{}/{APPLICATION_DATABASE}?replicaSet={}&authSource={APPLICATION_DATABASE}&w=majority&retryWrites=true&maxPoolSize={}",
        utf8_percent_encode(user, RESERVED),
        utf8_percent_encode(password.expose(), RESERVED),
        hosts.join(","),
        utf8_percent_encode(&identity.name, RESERVED),
        plan.api.mongodb_pool,
    )
}
