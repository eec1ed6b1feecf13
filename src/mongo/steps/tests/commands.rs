//! The command of each step.

use mongodb::bson::doc;

use super::*;
use crate::mongo::config::ReplicaSetConfig;

fn command_for(step: &Step, lines: &str) -> Command {
    command(step, &wanted(3), &topology(lines)).unwrap().unwrap()
}

#[test]
fn initiation_names_one_member_and_goes_to_it() {
    let command = command_for(&Step::Initiate { host: host(0) }, "0 new\n 1 new\n 2 new");
    assert_eq!((command.host, command.database.as_str()), (host(0), "admin"));
    let config = doc! {
        "_id": "db", "version": 1, "members": [{ "_id": 0, "host": host(0) }],
        "settings": { "electionTimeoutMillis": 5_000 },
    };
    assert_eq!(command.document, doc! { "replSetInitiate": config });
}

#[test]
fn reconfigurations_go_to_the_primary_with_the_next_version_and_without_force() {
    let lines = "0 SECONDARY vote\n 1 PRIMARY vote\n 2 SECONDARY vote\n 3 SECONDARY no-vote";
    for step in [
        Step::AddMember { host: host(4), id: 4 },
        Step::FixHost { from: host(3), to: host(5) },
        Step::GrantVote { host: host(3) },
        Step::RevokeVote { host: host(2) },
        Step::RemoveMember { host: host(3) },
    ] {
        let command = command_for(&step, lines);
        assert_eq!(command.host, host(1));
        assert!(!command.document.contains_key("force"));
        let config = command.document.get_document("replSetReconfig").unwrap().clone();
        assert_eq!(ReplicaSetConfig::parse(config).unwrap().version, 6, "{step}");
    }
}

#[test]
fn stepping_down_is_never_forced() {
    let command = command_for(&Step::StepDown { host: host(0) }, THREE);
    assert_eq!(command.document, doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5 });
}

#[test]
fn the_user_gets_one_role_on_its_own_database_and_a_majority_write() {
    for (step, name) in [(create_user(), "createUser"), (update_user(), "updateUser")] {
        let command = command_for(&step, THREE);
        assert_eq!((command.host.as_str(), command.database.as_str()), (host(0).as_str(), "shop"));
        assert_eq!(command.document.get_str(name).unwrap(), "app");
        let roles = command.document.get_array("roles").unwrap();
        assert_eq!(roles, &vec![doc! { "role": "readWrite", "db": "shop" }.into()]);
        let concern = command.document.get_document("writeConcern").unwrap();
        assert_eq!(concern.get_str("w").unwrap(), "majority");
    }
}

#[test]
fn printing_a_command_does_not_show_the_password() {
    let printed = format!("{:?}", command_for(&create_user(), THREE));
    assert!(!printed.contains("wanted-password"), "{printed}");
    assert!(printed.contains("createUser"), "{printed}");
}

#[test]
fn without_a_primary_there_is_no_command() {
    let seen = topology("0 SECONDARY vote\n 1 SECONDARY vote");
    assert_eq!(command(&create_user(), &wanted(3), &seen), Ok(None));
}
