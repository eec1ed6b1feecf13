//! Secrets with connection strings. Pure.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::rotation::{self, Rotation};
use super::tls;
use crate::desired::meta;
use crate::mongo::UserName;
use crate::names::{ANNOTATION_ROTATE_PASSWORD, Tier};
use crate::password::Password;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::credentials::{KEY_PASSWORD, KEY_USERNAME};

/// Key of the connection string in its Secret.
pub const KEY_URI: &str = "uri";
/// Key of the database in its Secret.
pub(super) const KEY_DATABASE: &str = "database";

/// Everything but RFC 3986's unreserved characters is encoded; drivers differ on the others.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Secret with the API's user, password and connection string, and the request for a new password that
/// it serves: one that was made before the Secret was is served by it.
pub(super) fn application(plan: &Plan, snapshot: &Snapshot, rotation: &Rotation) -> Secret {
    let credentials = &snapshot.credentials;
    let login = &credentials.mongodb_application;
    let (user, password, served) = match rotation {
        Rotation::Switching(next) => (next.user, &next.password, Some(next.request.clone())),
        _ if login.recorded => (login.user, &credentials.mongodb_password, login.served.clone()),
        _ => (login.user, &credentials.mongodb_password, rotation::request(snapshot)),
    };
    let name = plan.identity.mongodb_connection();
    serving(secret(plan, snapshot, name, &rotation::name(user), password), served)
}

/// Secret with the login that follows; it is there before the login is made.
pub(super) fn next(plan: &Plan, snapshot: &Snapshot, rotation: &Rotation) -> Option<Secret> {
    let next = rotation.next()?;
    let name = plan.identity.mongodb_next_login();
    let user = rotation::name(next.user);
    Some(serving(secret(plan, snapshot, name, &user, &next.password), Some(next.request.clone())))
}

fn serving(mut secret: Secret, request: Option<String>) -> Secret {
    if let Some(request) = request {
        let annotations = secret.metadata.annotations.get_or_insert_default();
        annotations.insert(ANNOTATION_ROTATE_PASSWORD.to_owned(), request);
    }
    secret
}

/// Secret with user, password and connection string.
pub(super) fn secret(
    plan: &Plan,
    snapshot: &Snapshot,
    name: String,
    user: &UserName,
    password: &Password,
) -> Secret {
    let data = [
        (KEY_USERNAME, user.name.clone()),
        (KEY_PASSWORD, password.expose().to_owned()),
        (KEY_DATABASE, user.database.clone()),
        (KEY_URI, uri(plan, snapshot, user, password)),
    ];
    Secret {
        metadata: meta::object(&plan.identity, Tier::MongoDb, name),
        type_: Some("Opaque".to_owned()),
        data: Some(
            data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).collect(),
        ),
        ..Secret::default()
    }
}

/// Connection string for a client that connects now.
pub fn uri(plan: &Plan, snapshot: &Snapshot, user: &UserName, password: &Password) -> String {
    tls::uri(plain(plan, user, password), tls::now(plan, snapshot))
}

/// Standard connection string: every wanted member, majority writes, retryable writes.
fn plain(plan: &Plan, user: &UserName, password: &Password) -> String {
    let identity = &plan.identity;
    let hosts: Vec<String> = (0..plan.mongodb.members)
        .map(|ordinal| identity.mongodb_host(&identity.mongodb_pod(ordinal), &plan.cluster_domain))
        .collect();
    let database = utf8_percent_encode(&user.database, RESERVED);
    format!(
        "mongodb://{}:{}@{}/{database}?replicaSet={}&authSource={database}&w=majority&retryWrites=true&maxPoolSize={}",
        utf8_percent_encode(&user.name, RESERVED),
        utf8_percent_encode(password.expose(), RESERVED),
        hosts.join(","),
        utf8_percent_encode(&identity.name, RESERVED),
        plan.api.mongodb_pool,
    )
}

#[cfg(test)]
mod tests {
    use mongodb::options::ConnectionString;
    use proptest::prelude::*;

    use super::*;
    use crate::names::Identity;
    use crate::settings::Settings;

    fn plan() -> Plan {
        let identity =
            Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: String::new() };
        let spec = "{capacity: {users: 1000}, api: {image: a}}";
        crate::plan::plan(identity, &serde_saphyr::from_str(spec).unwrap(), &Settings::default()).unwrap()
    }

    #[test]
    fn the_string_carries_what_the_plan_says() {
        let user = UserName { name: "reporting".to_owned(), database: "shop".to_owned() };
        let text = plain(&plan(), &user, &Password::new("p@ss"));
        let read = ConnectionString::parse(&text).unwrap();
        assert_eq!(read.default_database.as_deref(), Some("shop"));
        assert_eq!(read.credential.unwrap().source.as_deref(), Some("shop"));
        assert_eq!(read.replica_set.as_deref(), Some("eaiser"));
        assert_eq!(read.retry_writes, Some(true));
        assert_eq!(read.max_pool_size, u32::try_from(plan().api.mongodb_pool).ok());
        assert!(text.contains("w=majority"), "{text}");
        assert!(text.contains("eaiser-mongodb-2.eaiser-mongodb.shop.svc.cluster.local:27017"), "{text}");
    }

    #[test]
    fn the_apis_string_is_the_one_of_earlier_versions() {
        assert_eq!(
            plain(&plan(), &rotation::name("eaiser-app"), &Password::new("x")),
            "mongodb://eaiser-app:x@eaiser-mongodb-0.eaiser-mongodb.shop.svc.cluster.local:27017,eaiser-mongodb-1.eaiser-mongodb.shop.svc.cluster.local:27017,eaiser-mongodb-2.eaiser-mongodb.shop.svc.cluster.local:27017/eaiser?replicaSet=eaiser&authSource=eaiser&w=majority&retryWrites=true&maxPoolSize=100"
        );
    }

    proptest! {
        /// The driver's own parser reads back what went in, whatever it is.
        #[test]
        fn whatever_user_and_password_hold_is_read_back(name in "[^\\x00]{1,40}", password in "[^\\x00]{1,60}") {
            let user = UserName { name, database: "eaiser".to_owned() };
            let text = plain(&plan(), &user, &Password::new(password.clone()));
            prop_assert!(text.is_ascii());
            let credential = ConnectionString::parse(&text).unwrap().credential.unwrap();
            prop_assert_eq!(credential.username, Some(user.name));
            prop_assert_eq!(credential.password, Some(password));
        }
    }
}
