//! Pods that the set knows by another name, and members that are no pods.

use super::*;
use crate::mongo::fixture::alias;

fn fixed(pod: usize) -> Step {
    Step::FixHost { from: alias(pod), to: host(pod) }
}

#[test]
fn a_secondary_listed_in_another_domain_gets_its_right_name_before_the_primary() {
    assert_eq!(step(3, "0 PRIMARY vote alias\n 1 SECONDARY vote alias\n 2 SECONDARY vote alias"), fixed(1));
    assert_eq!(step(3, "0 PRIMARY vote alias\n 1 SECONDARY vote\n 2 SECONDARY vote alias"), fixed(2));
}

#[test]
fn a_primary_hands_over_before_its_own_name_changes() {
    let lines = "0 PRIMARY vote alias\n 1 SECONDARY vote\n 2 SECONDARY vote";
    assert_eq!(step(3, lines), Step::StepDown { host: host(0) });
    let lines = "0 SECONDARY vote alias\n 1 PRIMARY vote\n 2 SECONDARY vote";
    assert_eq!(step(3, lines), fixed(0));
}

/// Found by the model: each of the two handed over to the other, for ever.
#[test]
fn a_primary_does_not_hand_over_to_a_member_that_is_to_leave() {
    assert_eq!(step(1, "0 PRIMARY vote alias\n 1 SECONDARY vote alias"), Step::RevokeVote { host: alias(1) });
    assert_eq!(step(1, "0 PRIMARY vote alias\n 1 SECONDARY vote"), Step::RevokeVote { host: host(1) });
}

#[test]
fn the_only_member_has_nobody_to_hand_over_to() {
    assert_eq!(step(1, "0 PRIMARY vote alias"), fixed(0));
}

#[test]
fn a_pod_under_another_name_is_neither_added_again_nor_removed() {
    let reason = wait(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote alias lag=60");
    assert!(reason.contains("db-2 is listed as"), "{reason}");
    assert!(reason.contains("until it has caught up"), "{reason}");
}

#[test]
fn a_name_waits_while_a_majority_would_not_survive_the_change() {
    let reason = wait(3, "0 PRIMARY vote\n 1 unreachable vote\n 2 SECONDARY vote alias");
    assert!(reason.contains("only 1 voting members are up and a majority is 2"), "{reason}");
}

#[test]
fn a_pod_that_does_not_go_by_the_listed_name_keeps_it() {
    for (lines, why) in [
        ("0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote alias", "db-2 is listed as"),
        (
            "0 PRIMARY vote\n 1 SECONDARY vote\n 2 new vote alias",
            "does not say so itself: it is NOT_INITIALIZED",
        ),
        ("0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote alias terminating", "is being deleted"),
    ] {
        let reason = wait(3, lines);
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn a_pod_listed_twice_is_left_to_a_person() {
    let reason = wait(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote twice");
    assert!(reason.contains("db-2 is listed more than once"), "{reason}");
}

#[test]
fn votes_and_scale_in_work_under_another_name_too() {
    let revoked = step(1, "0 PRIMARY vote\n 1 SECONDARY vote alias\n 2 SECONDARY vote alias");
    assert_eq!(revoked, Step::RevokeVote { host: alias(2) });
    let removed = step(1, "0 PRIMARY vote\n 1 SECONDARY no-vote alias");
    assert_eq!(removed, Step::RemoveMember { host: alias(1) });
}

#[test]
fn a_pod_listed_under_another_name_stays_occupied() {
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY vote alias");
    assert!(seen.occupied().unwrap().contains(&host(1)));
}

/// The set of three with one more member, which is no pod.
fn with_stranger(lines: &str, host: &str, votes: i32) -> Topology {
    let mut seen = topology(lines);
    for observed in &mut seen.members {
        let View::Member(member) = &mut observed.view else { continue };
        let mut config = member.config.with_member(host, 77).unwrap();
        if votes > 0 {
            config = config.with_vote(host).unwrap();
        }
        member.config = config;
        let peer = member.peers.values().next().copied().unwrap();
        member.peers.insert(host.to_owned(), peer);
    }
    seen
}

#[test]
fn a_member_added_by_hand_is_never_removed_and_holds_nothing_up() {
    for votes in [0, 1] {
        let seen = with_stranger(THREE, "reports.example.com:27017", votes);
        assert_eq!(next(&wanted(3), &seen), Next::Settled, "{votes} votes");
        let Next::Do(Step::RevokeVote { host: revoked }) = next(&wanted(1), &seen) else {
            panic!("no revocation")
        };
        assert_eq!(revoked, host(2), "scale-in takes pods alone");
    }
}

#[test]
fn a_member_added_by_hand_counts_towards_the_majority() {
    let lines = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote";
    let seen = with_stranger(lines, "reports.example.com:27017", 1);
    let Next::Wait(reason) = next(&wanted(3), &seen) else { panic!("acted") };
    assert_eq!(reason, "db-2 is UNREACHABLE: connection refused", "3 of 4 votes are up");
}

#[test]
fn a_member_kept_back_by_hand_gets_its_vote_and_no_priority() {
    use mongodb::bson::doc;
    for key in ["hidden", "secondaryDelaySecs", "slaveDelay"] {
        let value = if key == "hidden" { mongodb::bson::Bson::Boolean(true) } else { 3600.into() };
        let member = doc! { "_id": 0, "host": "a:27017", "votes": 0, "priority": 0.0, key: value };
        let config = doc! { "_id": "db", "version": 1, "members": [member] };
        let config = crate::mongo::ReplicaSetConfig::parse(config).unwrap().with_vote("a:27017").unwrap();
        assert_eq!((config.members[0].votes, config.members[0].priority), (1, 0.0), "{key}");
    }
}
