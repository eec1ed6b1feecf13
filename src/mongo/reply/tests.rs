//! Replies of servers into plain data, odd ones too.

use mongodb::bson::{Timestamp, doc};

use super::*;
use crate::password::Password;

fn config() -> Document {
    doc! { "config": { "_id": "db", "version": 2, "term": 4, "members": [{ "_id": 0, "host": "a:27017" }] }, "ok": 1.0 }
}

fn status() -> Document {
    doc! {
        "set": "db", "myState": 1, "term": 5_i64,
        "members": [
            { "_id": 0, "name": "a:27017", "health": 1.0, "state": 1, "self": true,
              "optime": { "ts": Timestamp { time: 1700, increment: 3 }, "t": 5_i64 } },
            { "_id": 1, "name": "b:27017", "health": 0.0, "state": 8,
              "optime": { "ts": Timestamp { time: 0, increment: 0 }, "t": -1_i64 } },
            { "_id": 2, "name": "c:27017", "health": 1, "state": 5_i64 },
        ],
    }
}

fn user_wanted() -> ApplicationUser {
    ApplicationUser { name: "app".into(), database: "shop".into(), password: Password::new("x") }
}

#[test]
fn states_health_and_optimes_are_read_whatever_numeric_type_they_come_in() {
    let member = member(&config(), Some(&status())).unwrap();
    assert_eq!((member.state, member.term), (MemberState::Primary, 5));
    assert_eq!(member.own_host.as_deref(), Some("a:27017"));
    let optime = Optime { term: 5, seconds: 1700, increment: 3 };
    assert_eq!(
        member.peers["a:27017"],
        Peer { state: MemberState::Primary, healthy: true, optime: Some(optime) }
    );
    assert_eq!(member.peers["b:27017"], Peer { state: MemberState::Down, healthy: false, optime: None });
    assert_eq!(member.peers["c:27017"], Peer { state: MemberState::Startup2, healthy: true, optime: None });
}

#[test]
fn a_member_that_gives_no_status_is_removed() {
    let member = member(&config(), None).unwrap();
    assert_eq!((member.state, member.term), (MemberState::Removed, 4));
}

#[test]
fn a_state_nobody_has_heard_of_is_unknown() {
    let mut status = status();
    status.insert("myState", 42);
    assert_eq!(member(&config(), Some(&status)).unwrap().state, MemberState::Unknown);
}

#[test]
fn missing_or_mistyped_fields_are_named() {
    let field = |config: &Document, status: &Document| member(config, Some(status)).unwrap_err().field;
    assert_eq!(field(&doc! {}, &status()), "config");
    assert_eq!(field(&doc! { "config": "text" }, &status()), "config");
    assert_eq!(field(&config(), &doc! {}), "myState");
    assert_eq!(field(&config(), &doc! { "myState": "one" }), "myState");
    assert_eq!(field(&config(), &doc! { "myState": 1 }), "members");
    assert_eq!(field(&config(), &doc! { "myState": 1, "members": [1] }), "members[]");
    assert_eq!(field(&config(), &doc! { "myState": 1, "members": [{ "state": 1 }] }), "members[].name");
    assert_eq!(field(&config(), &doc! { "myState": 1, "members": [{ "name": "a" }] }), "members[].state");
}

#[test]
fn an_empty_list_of_users_means_there_is_none() {
    assert_eq!(user(&doc! { "users": [] }, &user_wanted()), Ok(None));
}

#[test]
fn exactly_the_one_wanted_role_matches() {
    let matches = |roles: Vec<Document>| {
        let reply = doc! { "users": [{ "user": "app", "db": "shop", "roles": roles }] };
        user(&reply, &user_wanted()).unwrap().unwrap().roles_match
    };
    let wanted = || doc! { "role": "readWrite", "db": "shop" };
    assert!(matches(vec![wanted()]));
    assert!(!matches(vec![]));
    assert!(!matches(vec![wanted(), doc! { "role": "root", "db": "admin" }]));
    assert!(!matches(vec![doc! { "role": "readWrite", "db": "other" }]));
}

#[test]
fn a_reply_that_names_no_roles_is_no_reason_to_change_them() {
    let info = user(&doc! { "users": [{ "user": "app" }] }, &user_wanted()).unwrap().unwrap();
    assert!(info.roles_match);
    assert_eq!(info.credentials, None);
}

#[test]
fn odd_user_replies_are_named() {
    assert_eq!(user(&doc! {}, &user_wanted()).unwrap_err().field, "users");
    assert_eq!(user(&doc! { "users": [1] }, &user_wanted()).unwrap_err().field, "users[]");
}
