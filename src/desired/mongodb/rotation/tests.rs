//! A change of the API's password from the request to the end, and with a crash at every point.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use k8s_openapi::ByteString;

use super::*;
use crate::names::{ANNOTATION_ROTATE_PASSWORD, APPLICATION_USER, APPLICATION_USER_B};
use world::*;

#[test]
fn a_cluster_that_is_asked_for_nothing_has_the_secret_of_earlier_versions() {
    let world = running();
    assert_eq!(world.secrets["eaiser-mongodb-connection"].metadata.annotations, None);
    assert_eq!(world.login().unwrap().0, APPLICATION_USER);
    assert_eq!(world.switches, 0);
}

#[test]
fn a_request_leads_to_another_user_with_another_password_and_ends_the_one_before() {
    let mut world = running();
    let before = world.login().unwrap();
    world.request = Some("1");
    world.settle(&mut Memory::default());
    let after = world.login().unwrap();
    assert_eq!(after.0, APPLICATION_USER_B);
    assert_ne!(after.1, before.1);
    assert_eq!(world.users, BTreeMap::from([after]), "the earlier user is gone");
    assert!(!world.secrets.contains_key("eaiser-mongodb-next-login"), "{:?}", world.secrets.keys());
    assert_eq!(world.switches, 1);
}

#[test]
fn the_same_request_again_and_one_that_is_taken_back_change_nothing() {
    let mut world = running();
    world.request = Some("1");
    world.settle(&mut Memory::default());
    let login = world.login();
    for request in [Some("1"), None, Some("1")] {
        world.request = request;
        world.settle(&mut Memory::default());
        assert_eq!((world.login(), world.switches), (login.clone(), 1), "{request:?}");
    }
}

#[test]
fn the_next_request_leads_back_to_the_first_user_with_a_third_password() {
    let mut world = running();
    // One operator through all of it: what it drew before must not come back.
    let mut memory = Memory::default();
    let mut passwords = BTreeSet::from([world.login().unwrap().1]);
    for (request, user) in [("1", APPLICATION_USER_B), ("2", APPLICATION_USER), ("3", APPLICATION_USER_B)] {
        world.request = Some(request);
        world.settle(&mut memory);
        let (found, password) = world.login().unwrap();
        assert_eq!(found, user);
        assert!(passwords.insert(password), "a password came back");
    }
}

#[test]
fn a_request_that_is_older_than_the_cluster_is_served_by_its_first_password() {
    let mut world = World { request: Some("from the start"), ..World::default() };
    for _ in 0..3 {
        world.pass(&mut Memory::default(), usize::MAX);
    }
    world.settle(&mut Memory::default());
    assert_eq!((world.login().unwrap().0.as_str(), world.switches), (APPLICATION_USER, 0));
}

#[test]
fn a_second_request_during_the_first_is_served_after_it() {
    for passes in 0..12 {
        let mut world = running();
        let mut memory = Memory::default();
        world.request = Some("1");
        for _ in 0..passes {
            world.pass(&mut memory, usize::MAX);
            world.roll();
        }
        world.request = Some("2");
        world.settle(&mut memory);
        assert!((1..=2).contains(&world.switches), "after {passes} passes: {}", world.switches);
        let served = &world.secrets["eaiser-mongodb-connection"].metadata.annotations.as_ref().unwrap()
            [ANNOTATION_ROTATE_PASSWORD];
        assert_eq!(served, "2", "after {passes} passes");
        assert_eq!(world.users.len(), 1);
    }
}

#[test]
fn an_operator_may_die_at_every_write_and_another_goes_on() {
    let mut deaths = 0;
    for pass in 0..14 {
        for writes in 0..7 {
            let mut world = running();
            let before = world.login().unwrap();
            world.request = Some("1");
            let mut memory = Memory::default();
            for _ in 0..pass {
                world.pass(&mut memory, usize::MAX);
                world.roll();
            }
            world.pass(&mut memory, writes);
            deaths += 1;
            world.settle(&mut Memory::default());
            let after = world.login().unwrap();
            assert_eq!((after.0.as_str(), world.switches), (APPLICATION_USER_B, 1), "{pass}/{writes}");
            assert_ne!(after.1, before.1);
            assert_eq!(world.users, BTreeMap::from([after]), "{pass}/{writes}");
        }
    }
    println!("{deaths} deaths of the operator during a change of password; every pod could always log in");
}

#[test]
fn without_a_primary_nothing_begins_and_nothing_goes_back() {
    let mut world = running();
    world.request = Some("1");
    let dead = "0 SECONDARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
    let rotation = Rotation::of(&PLAN, &world.snapshot(&mut Memory::default(), dead));
    assert!(matches!(rotation, Rotation::Waits(_)), "{rotation:?}");
    // Once the login to come is written down it stays written down.
    world.pass(&mut Memory::default(), usize::MAX);
    let rotation = Rotation::of(&PLAN, &world.snapshot(&mut Memory::default(), dead));
    assert!(matches!(rotation, Rotation::Preparing(_)), "{rotation:?}");
}

#[test]
fn the_earlier_user_stays_while_a_pod_that_knows_no_other_is_there_and_the_reason_names_it() {
    let mut world = running();
    let mut memory = Memory::default();
    world.request = Some("1");
    let mut reasons = Vec::new();
    for _ in 0..30 {
        if let Rotation::Retiring { used_by: Some(reason), .. } =
            Rotation::of(&PLAN, &world.snapshot(&mut memory, SET))
        {
            reasons.push(reason);
        }
        world.pass(&mut memory, usize::MAX);
        world.roll();
    }
    assert!(reasons.iter().any(|reason| reason.contains("of 2 API pods are ready")), "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("pod eaiser-api-0 still runs with it")),
        "{reasons:?}"
    );
    assert_eq!(world.users.len(), 1);
}

#[test]
fn an_empty_value_asks_for_nothing_and_a_long_one_is_served_once() {
    static LONG: LazyLock<String> = LazyLock::new(|| "x".repeat(100_000));
    let mut world = running();
    for (value, switches) in [("", 0), (LONG.as_str(), 1), (LONG.as_str(), 1)] {
        world.request = Some(value);
        world.settle(&mut Memory::default());
        assert_eq!(world.switches, switches);
    }
    let served = &world.secrets["eaiser-mongodb-connection"].metadata.annotations.as_ref().unwrap();
    assert!(served[ANNOTATION_ROTATE_PASSWORD].len() <= LONGEST);
}

#[test]
fn a_damaged_value_of_the_secret_is_no_way_to_another_user() {
    let mut world = running();
    let secret = world.secrets.get_mut("eaiser-mongodb-connection").unwrap();
    secret.data.as_mut().unwrap().insert("username".to_owned(), ByteString(b"root".to_vec()));
    let snapshot = world.snapshot(&mut Memory::default(), SET);
    assert_eq!(snapshot.credentials.mongodb_application.user, APPLICATION_USER);
}
