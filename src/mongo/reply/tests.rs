//! Replies of servers into plain data, odd ones too.

use mongodb::bson::{Timestamp, doc};

use super::*;

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

fn app() -> UserName {
    UserName { name: "app".to_owned(), database: "shop".to_owned() }
}

/// The one user of a reply.
fn info(user: Document) -> UserInfo {
    users(&doc! { "users": [user] }).unwrap().remove(&app()).unwrap()
}

#[test]
fn an_empty_list_of_users_means_there_is_none() {
    assert_eq!(users(&doc! { "users": [] }), Ok(BTreeMap::new()));
}

#[test]
fn a_user_is_known_by_name_and_database_and_has_the_roles_of_the_reply() {
    let roles = vec![doc! { "role": "readWrite", "db": "shop" }, doc! { "role": "read", "db": "bank" }];
    let roles = info(doc! { "user": "app", "db": "shop", "roles": roles }).roles.unwrap();
    let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    assert_eq!(roles, ["read on bank", "readWrite on shop"]);
}

#[test]
fn a_reply_that_names_no_roles_is_no_reason_to_change_them() {
    let info = info(doc! { "user": "app", "db": "shop" });
    assert_eq!((info.roles, info.credentials), (None, None));
}

#[test]
fn only_custom_data_of_ours_alone_may_be_written_and_only_our_mark_counts() {
    for (custom, marked, may_be_marked) in [
        (None, false, true),
        (Some(doc! {}), false, true),
        (Some(doc! { "managedBy": "eaiser-operator" }), true, true),
        (Some(doc! { "managedBy": "eaiser-operator", "team": "billing" }), true, false),
        (Some(doc! { "managedBy": "somebody" }), false, false),
    ] {
        let mut user = doc! { "user": "app", "db": "shop" };
        let shown = format!("{custom:?}");
        if let Some(custom) = custom {
            user.insert("customData", custom);
        }
        let info = info(user);
        assert_eq!((info.marked, info.may_be_marked), (marked, may_be_marked), "{shown}");
    }
}

#[test]
fn odd_user_replies_are_named() {
    let field = |reply: Document| users(&reply).unwrap_err().field;
    assert_eq!(field(doc! {}), "users");
    assert_eq!(field(doc! { "users": [1] }), "users[]");
    assert_eq!(field(doc! { "users": [{ "db": "shop" }] }), "users[].user");
    assert_eq!(field(doc! { "users": [{ "user": "app" }] }), "users[].db");
    assert_eq!(
        field(doc! { "users": [{ "user": "app", "db": "shop", "roles": ["read"] }] }),
        "users[].roles[]"
    );
}
