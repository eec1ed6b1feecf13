//! The condition and the list as a table of situations.

use super::*;
use crate::apply::Applied;
use crate::drive::{Driven, Replacement, Roll, Rolls};
use crate::mongo::fixture::topology;
use crate::mongo::forced;
use crate::mongo::upkeep::Upkeep;
use crate::mongo::{self, SeenUsers, Step};
use crate::names::Identity;
use crate::password::Password;
use crate::plan::Plan;
use crate::redis_cluster;
use crate::settings::Settings;
use crate::snapshot::{Credentials, ServedKinds, Snapshot};

const SET: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";

fn plan(users: &str) -> Plan {
    let identity = Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u".to_owned() };
    let spec = format!("{{capacity: {{users: 1000}}, api: {{image: a}}, mongodb: {{users: {users}}}}}");
    crate::plan::plan(identity, &serde_saphyr::from_str(&spec).unwrap(), &Settings::default()).unwrap()
}

fn name(user: &str) -> UserName {
    UserName { name: user.to_owned(), database: "eaiser".to_owned() }
}

/// One state per user of the plan.
fn snapshot(plan: &Plan, states: &[UserState]) -> Snapshot {
    let mut snapshot = Snapshot::offline(ServedKinds::default());
    let passwords = plan.mongodb.users.iter().map(|user| (user.name.name.clone(), Ok(Password::new("x"))));
    snapshot.credentials = Credentials { mongodb_users: passwords.collect(), ..Credentials::placeholder() };
    let seen = |state: &UserState| SeenUser { state: *state, may_be_marked: true, refusal: None };
    let wanted =
        plan.mongodb.users.iter().map(|user| user.name.clone()).zip(states.iter().map(seen)).collect();
    snapshot.mongodb = topology(SET);
    snapshot.mongodb.users = Some(SeenUsers { wanted, ..SeenUsers::default() });
    snapshot
}

fn seen_of<'a>(snapshot: &'a mut Snapshot, user: &str) -> &'a mut SeenUser {
    snapshot.mongodb.users.as_mut().unwrap().wanted.get_mut(&name(user)).unwrap()
}

fn driven(step: Option<Step>, failed: &[&str]) -> Driven {
    let rolls = Rolls { mongodb: Roll::Done, redis: Roll::Done };
    Driven {
        mongodb: mongo::Next::Settled,
        mongodb_user: step,
        redis: redis_cluster::Next::Settled,
        rolls,
        forced: forced::Verdict::Unasked { token: "uid".to_owned() },
        done: Vec::new(),
        failed: failed.iter().map(|message| ("MemberDidNotAnswer", (*message).to_owned())).collect(),
        upkeep: Upkeep::default(),
        took: Vec::new(),
        replacement: Replacement::default(),
        refused: None,
    }
}

/// The condition, and the states of the users.
fn told(plan: &Plan, snapshot: &Snapshot, driven: &Driven) -> (Option<Verdict>, Vec<String>) {
    let applied = Applied::default();
    let pass = Pass { plan, snapshot, applied: Ok(&applied), driven };
    let states = list(&pass).into_iter().map(|user| format!("{} {}", user.name, user.state)).collect();
    (verdict(&pass), states)
}

fn settled(plan: &Plan, snapshot: &Snapshot) -> (Verdict, Vec<String>) {
    let (verdict, states) = told(plan, snapshot, &driven(None, &[]));
    (verdict.unwrap(), states)
}

#[test]
fn a_cluster_without_further_users_has_no_such_condition() {
    let plan = plan("[]");
    assert_eq!(told(&plan, &snapshot(&plan, &[]), &driven(None, &[])), (None, Vec::new()));
}

#[test]
fn users_that_are_as_specified_are_counted() {
    let plan = plan("[{name: a}, {name: b}]");
    let (verdict, states) = settled(&plan, &snapshot(&plan, &[UserState::Matches; 2]));
    assert_eq!((verdict.holds, verdict.reason), (true, reason::USERS_READY));
    assert_eq!(verdict.message, "2 of 2 users are as specified");
    assert_eq!(states, ["a Ready", "b Ready"]);
}

#[test]
fn a_missing_secret_is_named_with_its_user_and_counts_as_failing() {
    let plan = plan("[{name: a, passwordSecretRef: {name: login, key: pw}}, {name: b}]");
    let mut snapshot = snapshot(&plan, &[UserState::Missing, UserState::Matches]);
    let missing = Unusable::NoSecret { secret: "login".to_owned(), key: "pw".to_owned() };
    snapshot.credentials.mongodb_users.insert("a".to_owned(), Err(missing));
    let (verdict, states) = settled(&plan, &snapshot);
    assert_eq!(
        (verdict.holds, verdict.failing, verdict.reason),
        (false, true, reason::CONFIGURATION_MISSING)
    );
    assert_eq!(verdict.message, "user a: Secret login does not exist: create it with the key pw");
    assert_eq!(states, ["a Blocked", "b Ready"]);
}

#[test]
fn what_the_server_refuses_is_told_in_its_words_beside_every_other_trouble() {
    let plan = plan("[{name: a}, {name: b, passwordSecretRef: {name: login, key: pw}}]");
    let mut snapshot = snapshot(&plan, &[UserState::Missing; 2]);
    seen_of(&mut snapshot, "a").refusal = Some("RoleNotFound (31): Could not find role: x@y".to_owned());
    let empty = Unusable::Empty { secret: "login".to_owned(), key: "pw".to_owned() };
    snapshot.credentials.mongodb_users.insert("b".to_owned(), Err(empty));
    let (verdict, states) = settled(&plan, &snapshot);
    assert_eq!((verdict.failing, verdict.reason), (true, reason::USER_REFUSED));
    assert_eq!(
        verdict.message,
        "user a: MongoDB refuses to make it as specified: RoleNotFound (31): Could not find role: x@y; user b: key pw of Secret login is empty: a password has at least one character"
    );
    assert_eq!(states, ["a Blocked", "b Blocked"]);
}

#[test]
fn a_step_under_way_is_told_and_one_that_failed_with_its_reason() {
    let plan = plan("[{name: a}]");
    let snapshot = snapshot(&plan, &[UserState::Missing]);
    let step = Step::CreateUser { user: name("a") };
    let (verdict, states) = told(&plan, &snapshot, &driven(Some(step.clone()), &[]));
    assert_eq!(verdict.unwrap(), Verdict::off(reason::FORMING, "MongoDB: create user a@eaiser"));
    assert_eq!(states, ["a Pending"]);
    let failed = "could not create user a@eaiser: no answer from db-0: reset";
    let (verdict, _) = told(&plan, &snapshot, &driven(Some(step), &[failed]));
    assert_eq!(verdict.unwrap(), Verdict::off(reason::STEP_FAILED, failed));
}

#[test]
fn without_a_primary_nothing_is_claimed() {
    let plan = plan("[{name: a}]");
    let mut snapshot = snapshot(&plan, &[UserState::Matches]);
    snapshot.mongodb.users = None;
    let (verdict, states) = settled(&plan, &snapshot);
    assert_eq!((verdict.holds, verdict.failing, verdict.reason), (false, false, reason::WAITING));
    assert_eq!(states, ["a Unknown"]);
}

#[test]
fn a_user_that_left_the_spec_is_listed_with_the_way_to_drop_it() {
    let plan = plan("[{name: a}]");
    let mut snapshot = snapshot(&plan, &[UserState::Matches]);
    snapshot.mongodb.users.as_mut().unwrap().others = [name("old"), name("eaiser-app-b")].into();
    let (verdict, states) = settled(&plan, &snapshot);
    // The other one is the API's, and about to go by itself.
    assert_eq!(verdict.reason, reason::ROTATING);
    assert_eq!(states, ["a Ready", "old Left"]);
    snapshot.mongodb.users.as_mut().unwrap().others = [name("old")].into();
    let (verdict, _) = settled(&plan, &snapshot);
    assert!(verdict.holds);
    assert!(verdict.message.contains("old@eaiser left the spec and can still log in"), "{}", verdict.message);
    assert!(verdict.message.contains("pruneUsers"), "{}", verdict.message);
}
