//! Secrets of the users of the spec. Pure.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::{connection, tls};
use crate::desired::meta;
use crate::mongo::UserName;
use crate::names::{Identity, Tier};
use crate::plan::Plan;
use crate::snapshot::certificates::KEY_AUTHORITIES;
use crate::snapshot::children::find;
use crate::snapshot::credentials::KEY_USERNAME;
use crate::snapshot::{Children, Snapshot};

/// One Secret per user, and those of users that left the spec as long as they are in the database: what
/// uses them goes on.
pub(super) fn secrets(plan: &Plan, snapshot: &Snapshot) -> Vec<Secret> {
    let identity = &plan.identity;
    let mut secrets = Vec::new();
    for user in &plan.mongodb.users {
        let name = identity.mongodb_user(&user.name.name);
        match snapshot.credentials.mongodb_users.get(&user.name.name) {
            Some(Ok(password)) => {
                let mut secret = connection::secret(plan, snapshot, name, &user.name, password);
                // Of the API's pods alone the operator mounts the file that the string names.
                if let Some(authorities) = tls::api_authorities(plan, snapshot) {
                    let authorities = ByteString(authorities.into_bytes());
                    secret.data.get_or_insert_default().insert(KEY_AUTHORITIES.to_owned(), authorities);
                }
                secrets.push(secret);
            }
            // Its password is not known now; what was known stays.
            _ => secrets.extend(find(&snapshot.children.secrets, &name).map(|live| as_it_is(identity, live))),
        }
    }
    let left = snapshot.children.secrets.iter().filter(|live| {
        secrets.iter().all(|secret| secret.metadata.name != live.metadata.name)
            && is_left(identity, live, snapshot)
    });
    let left: Vec<Secret> = left.map(|live| as_it_is(identity, live)).collect();
    secrets.extend(left);
    secrets
}

/// Whether it is the Secret of a user that is not known to be gone from the database.
fn is_left(identity: &Identity, live: &Secret, snapshot: &Snapshot) -> bool {
    let Some(user) = user_of(identity, live) else { return false };
    snapshot.mongodb.users.as_ref().is_none_or(|users| users.others.contains(&user))
}

/// The user whose Secret this is.
fn user_of(identity: &Identity, live: &Secret) -> Option<UserName> {
    let text = |key: &str| String::from_utf8(live.data.as_ref()?.get(key)?.0.clone()).ok();
    let user = UserName { name: text(KEY_USERNAME)?, database: text(connection::KEY_DATABASE)? };
    (live.name_any() == identity.mongodb_user(&user.name)).then_some(user)
}

/// Users that had a Secret of ours once and have it still.
pub fn recorded(identity: &Identity, children: &Children) -> Vec<UserName> {
    children.secrets.iter().filter_map(|live| user_of(identity, live)).collect()
}

/// Rendered with what it holds.
fn as_it_is(identity: &Identity, live: &Secret) -> Secret {
    Secret {
        metadata: meta::object(identity, Tier::MongoDb, live.name_any()),
        type_: live.type_.clone(),
        data: live.data.clone(),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests;
