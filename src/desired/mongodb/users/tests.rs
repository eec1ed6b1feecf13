//! Which users have a Secret, and what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::mongo::SeenUsers;
use crate::password::Password;
use crate::settings::Settings;
use crate::snapshot::references::Unusable;
use crate::snapshot::{Credentials, ServedKinds};

fn plan(users: &str) -> Plan {
    let identity = Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u".to_owned() };
    let spec = format!("{{capacity: {{users: 1000}}, api: {{image: a}}, mongodb: {{users: {users}}}}}");
    crate::plan::plan(identity, &serde_saphyr::from_str(&spec).unwrap(), &Settings::default()).unwrap()
}

/// A Secret of ours that was written for a user of database eaiser.
fn live(user: &str, password: &str) -> Arc<Secret> {
    let plan = plan("[]");
    let name = UserName { name: user.to_owned(), database: "eaiser".to_owned() };
    let secret = plan.identity.mongodb_user(user);
    let snapshot = Snapshot::offline(ServedKinds::default());
    Arc::new(connection::secret(&plan, &snapshot, secret, &name, &Password::new(password)))
}

fn snapshot(passwords: &[(&str, Result<Password, Unusable>)], live: Vec<Arc<Secret>>) -> Snapshot {
    let mut snapshot = Snapshot::offline(ServedKinds::default());
    let users = passwords.iter().map(|(user, password)| ((*user).to_owned(), password.clone()));
    snapshot.credentials = Credentials { mongodb_users: users.collect(), ..Credentials::placeholder() };
    snapshot.children.secrets = live;
    snapshot
}

/// Name and password of each Secret.
fn rendered(plan: &Plan, snapshot: &Snapshot) -> BTreeMap<String, String> {
    let text =
        |secret: &Secret| String::from_utf8(secret.data.as_ref().unwrap()["password"].0.clone()).unwrap();
    secrets(plan, snapshot).iter().map(|secret| (secret.name_any(), text(secret))).collect()
}

fn one(user: &str, password: &str) -> BTreeMap<String, String> {
    [(format!("eaiser-mongodb-user-{user}"), password.to_owned())].into()
}

#[test]
fn a_users_secret_holds_all_that_a_program_needs_to_log_in() {
    let plan = plan("[{name: reporting, database: shop}]");
    let rendered = secrets(&plan, &snapshot(&[("reporting", Ok(Password::new("p@ss")))], Vec::new()));
    let data: BTreeMap<String, String> = rendered[0]
        .data
        .iter()
        .flatten()
        .map(|(key, ByteString(value))| (key.clone(), String::from_utf8(value.clone()).unwrap()))
        .collect();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["database", "password", "uri", "username"]);
    assert_eq!((data["username"].as_str(), data["database"].as_str()), ("reporting", "shop"));
    assert!(data["uri"].starts_with("mongodb://reporting:p%40ss@eaiser-mongodb-0."), "{}", data["uri"]);
    assert!(data["uri"].contains("/shop?replicaSet=eaiser&authSource=shop&"), "{}", data["uri"]);
}

#[test]
fn a_user_whose_password_is_not_known_keeps_the_secret_it_has_and_gets_none_otherwise() {
    let plan = plan("[{name: a, passwordSecretRef: {name: login, key: password}}]");
    let missing = || Err(Unusable::NoSecret { secret: "login".to_owned(), key: "password".to_owned() });
    assert_eq!(rendered(&plan, &snapshot(&[("a", missing())], Vec::new())), BTreeMap::new());
    let kept = rendered(&plan, &snapshot(&[("a", missing())], vec![live("a", "earlier")]));
    assert_eq!(kept, one("a", "earlier"));
}

#[test]
fn the_secret_of_a_user_that_left_the_spec_stays_until_the_user_is_known_to_be_gone() {
    let plan = plan("[]");
    let mut snapshot = snapshot(&[], vec![live("left", "earlier")]);
    assert_eq!(rendered(&plan, &snapshot), one("left", "earlier"), "no primary says anything");
    let left = UserName { name: "left".to_owned(), database: "eaiser".to_owned() };
    snapshot.mongodb.users = Some(SeenUsers { others: [left].into(), ..SeenUsers::default() });
    assert_eq!(rendered(&plan, &snapshot), one("left", "earlier"), "it can still log in");
    snapshot.mongodb.users = Some(SeenUsers::default());
    assert_eq!(rendered(&plan, &snapshot), BTreeMap::new(), "it is gone");
}

#[test]
fn a_secret_that_is_kept_is_kept_to_the_byte() {
    let plan = plan("[]");
    let live = live("left", "earlier");
    let kept = secrets(&plan, &snapshot(&[], vec![Arc::clone(&live)]));
    assert_eq!(kept, [Secret::clone(&live)]);
}

#[test]
fn no_other_secret_of_the_cluster_is_taken_for_a_users() {
    let plan = plan("[]");
    let mut other = Secret::clone(&live("eaiser-app", "x"));
    other.metadata.name = Some("eaiser-mongodb-connection".to_owned());
    assert_eq!(rendered(&plan, &snapshot(&[], vec![Arc::new(other)])), BTreeMap::new());
}
