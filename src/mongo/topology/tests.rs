//! What follows from what the members said.

use super::*;
use crate::mongo::fixture::{host, topology};

#[test]
fn hosts_in_the_configuration_are_occupied_whether_or_not_they_vote() {
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote\n 3 new");
    assert_eq!(seen.occupied(), Some([0, 1, 2].map(host).into()));
}

#[test]
fn nothing_is_occupied_before_initiation() {
    assert_eq!(topology("0 new\n 1 new").occupied(), Some(BTreeSet::new()));
}

#[test]
fn occupation_is_unknown_while_nobody_with_a_configuration_answers() {
    assert_eq!(topology("0 unreachable vote\n 1 new").occupied(), None);
    assert_eq!(topology("0 REMOVED\n 1 unreachable vote").occupied(), None);
}

#[test]
fn what_a_removed_member_remembers_does_not_occupy_anything() {
    let mut seen = topology("0 PRIMARY vote\n 1 REMOVED");
    let View::Member(removed) = &mut seen.members[1].view else { panic!("no member") };
    removed.config = removed.config.with_member(&host(1), 1).unwrap();
    assert_eq!(seen.occupied(), Some([host(0)].into()));
}

#[test]
fn a_voter_the_primary_hears_and_we_do_not_counts_as_down() {
    let mut seen = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
    assert!(seen.voter_is_up(&host(1)));
    seen.members[1].view = View::Unreachable { reason: "no answer".into() };
    assert!(!seen.voter_is_up(&host(1)));
    seen.members.remove(2);
    assert!(!seen.voter_is_up(&host(2)), "its pod is gone");
}

#[test]
fn a_member_that_came_back_with_an_empty_disk_is_not_what_the_primary_last_heard() {
    let mut seen = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote");
    assert!(seen.voter_is_up(&host(1)) && seen.caught_up(&host(2)));
    for observed in &mut seen.members[1..] {
        let View::Member(member) = &mut observed.view else { panic!("no member") };
        member.state = MemberState::Startup2;
    }
    assert!(!seen.voter_is_up(&host(1)) && !seen.caught_up(&host(2)));
}

#[test]
fn lag_is_counted_from_the_primarys_own_position() {
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY vote lag=7\n 2 unreachable vote");
    assert_eq!(seen.lag_seconds(&host(1)), Some(7));
    assert_eq!(seen.lag_seconds(&host(2)), None);
}

#[test]
fn one_of_three_may_be_away_and_two_may_not() {
    let all = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
    assert_eq!(all.survives_loss_of(&host(1)), Ok(()));
    let one_down = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote");
    assert!(one_down.survives_loss_of(&host(1)).unwrap_err().contains("only 1 voting members are up"));
    assert!(one_down.survives_loss_of(&host(2)).is_ok(), "the one that is down costs nothing more");
}

#[test]
fn a_member_without_a_vote_may_always_be_away() {
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY no-vote");
    assert_eq!(seen.survives_loss_of(&host(1)), Ok(()));
}

#[test]
fn no_member_may_be_away_without_a_primary() {
    let seen = topology("0 SECONDARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
    assert!(seen.survives_loss_of(&host(0)).is_err());
}

#[test]
fn the_summary_has_a_line_for_every_pod_and_every_member_without_a_pod() {
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY no-vote lag=4\n 2 unreachable\n 3 DOWN vote no-pod");
    let lines: Vec<_> =
        seen.summary().into_iter().map(|line| (line.pod, line.state, line.votes, line.lag_seconds)).collect();
    let expected = [
        ("db-0".to_owned(), "PRIMARY".to_owned(), Some(1), Some(0)),
        ("db-1".to_owned(), "SECONDARY".to_owned(), Some(0), Some(4)),
        ("db-2".to_owned(), "UNREACHABLE".to_owned(), None, None),
        (host(3), "DOWN".to_owned(), Some(1), Some(0)),
    ];
    assert_eq!(lines, expected);
}
