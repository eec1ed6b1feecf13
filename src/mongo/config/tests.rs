//! The edits of a configuration, one rule each.

use mongodb::bson::{doc, oid::ObjectId};

use super::*;

fn document() -> Document {
    doc! {
        "_id": "shop", "version": 7, "term": 3_i64,
        "members": [
            { "_id": 0, "host": "a:27017", "votes": 1, "priority": 2.0, "tags": { "zone": "z1" } },
            { "_id": 2, "host": "b:27017", "votes": 0, "priority": 0.0, "futureField": true },
        ],
        "settings": { "replicaSetId": ObjectId::parse_str("64b0c0ffee00000000000001").unwrap(), "heartbeatIntervalMillis": 2000 },
    }
}

fn config() -> ReplicaSetConfig {
    ReplicaSetConfig::parse(document()).unwrap()
}

#[test]
fn a_configuration_is_read_from_the_servers_document() {
    let config = config();
    assert_eq!((config.name.as_str(), config.version, config.term), ("shop", 7, 3));
    assert_eq!(config.replica_set_id.as_deref(), Some("64b0c0ffee00000000000001"));
    assert_eq!(config.member("b:27017").unwrap().id, 2);
    assert_eq!(config.majority(), 1);
}

#[test]
fn votes_and_priority_default_to_one() {
    let mut document = document();
    document.insert("members", vec![Bson::Document(doc! { "_id": 0, "host": "a:27017" })]);
    let config = ReplicaSetConfig::parse(document).unwrap();
    assert_eq!(config.members[0].votes, 1);
    assert!((config.members[0].priority - 1.0).abs() < f64::EPSILON);
}

#[test]
fn every_edit_raises_the_version_by_exactly_one_and_keeps_its_type() {
    let config = config();
    let edits = [
        config.with_member("c:27017", 1),
        config.with_vote("b:27017"),
        config.without_vote("a:27017"),
        config.without_member("b:27017"),
    ];
    for edit in edits {
        let edit = edit.unwrap();
        assert_eq!(edit.version, 8);
        assert_eq!(edit.document().get("version"), Some(&Bson::Int32(8)));
    }
}

#[test]
fn unknown_fields_of_members_and_settings_survive_every_edit() {
    let edited = config().with_vote("b:27017").unwrap().with_member("c:27017", 1).unwrap();
    let document = edited.document();
    assert_eq!(document.get("settings"), self::document().get("settings"));
    let members = document.get_array("members").unwrap();
    assert_eq!(members[0], self::document().get_array("members").unwrap()[0]);
    assert!(members[1].as_document().unwrap().get_bool("futureField").unwrap());
}

#[test]
fn a_new_member_neither_votes_nor_stands_for_election() {
    let edited = config().with_member("c:27017", 1).unwrap();
    let member = edited.member("c:27017").unwrap();
    assert_eq!((member.id, member.votes), (1, 0));
    assert!(member.priority.abs() < f64::EPSILON);
}

#[test]
fn a_vote_taken_takes_the_priority_with_it() {
    let edited = config().without_vote("a:27017").unwrap();
    assert_eq!(edited.member("a:27017").unwrap().votes, 0);
    assert!(edited.member("a:27017").unwrap().priority.abs() < f64::EPSILON);
}

#[test]
fn a_removed_member_is_gone_and_the_others_keep_their_ids() {
    let edited = config().without_member("a:27017").unwrap();
    assert_eq!(edited.members.len(), 1);
    assert_eq!(edited.member("b:27017").unwrap().id, 2);
}

#[test]
fn the_lowest_free_id_fills_gaps_and_never_repeats_one_in_use() {
    assert_eq!(config().lowest_free_id(), 1);
    assert_eq!(config().with_member("c:27017", 1).unwrap().lowest_free_id(), 3);
}

#[test]
fn documents_that_are_no_configuration_name_the_field() {
    let missing = |key: &str| {
        let mut document = document();
        document.remove(key);
        ReplicaSetConfig::parse(document).unwrap_err().field
    };
    assert_eq!(missing("_id"), "_id");
    assert_eq!(missing("version"), "version");
    assert_eq!(missing("members"), "members");
    let with_member = |member: Bson| {
        let mut document = document();
        document.insert("members", vec![member]);
        ReplicaSetConfig::parse(document).unwrap_err().field
    };
    assert_eq!(with_member(Bson::Int32(1)), "members[]");
    assert_eq!(with_member(Bson::Document(doc! { "host": "a" })), "members[]._id");
    assert_eq!(with_member(Bson::Document(doc! { "_id": 0, "host": 3 })), "members[].host");
}
