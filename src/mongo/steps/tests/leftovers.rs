//! Sets of sizes that no spec asks for: what a change left half-way, or somebody made by hand.

use super::*;

#[test]
fn two_members_become_three_or_one() {
    let two = "0 PRIMARY vote\n 1 SECONDARY vote";
    assert_eq!(step(3, &format!("{two}\n 2 new")), Step::AddMember { host: host(2), id: 2 });
    assert_eq!(step(3, &format!("{two}\n 2 SECONDARY no-vote")), Step::GrantVote { host: host(2) });
    assert_eq!(step(1, two), Step::RevokeVote { host: host(1) });
}

#[test]
fn a_lone_secondary_of_two_waits_for_the_other_by_name() {
    let reason = wait(1, "0 SECONDARY vote\n 1 unreachable vote");
    assert!(reason.ends_with("bring back db-1"), "{reason}");
}

#[test]
fn a_lone_secondary_that_is_the_only_voter_is_about_to_be_elected() {
    assert!(wait(1, "0 SECONDARY vote").contains("an election is under way"));
}

#[test]
fn four_voters_become_three_before_the_fourth_leaves() {
    let four = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote\n 3 SECONDARY vote";
    assert_eq!(step(3, four), Step::RevokeVote { host: host(3) });
    assert_eq!(step(5, &format!("{four}\n 4 new")), Step::AddMember { host: host(4), id: 4 });
}

#[test]
fn seven_become_five_three_and_one_by_one_vote_at_a_time() {
    let mut votes = [true; 7];
    let mut members = [true; 7];
    for target in [5, 3, 1] {
        let mut steps = 0;
        loop {
            let line = |pod: usize| {
                let state = if pod == 0 { "PRIMARY" } else { "SECONDARY" };
                let vote = if votes[pod] { "vote" } else { "no-vote" };
                if members[pod] { format!("{pod} {state} {vote}\n") } else { String::new() }
            };
            let lines: String = (0..7).map(line).collect();
            let pod = |wanted: &str| (0..7).find(|pod| host(*pod) == wanted).unwrap();
            match next(&wanted(target), &topology(&lines)) {
                Next::Do(Step::RevokeVote { host }) => votes[pod(&host)] = false,
                Next::Do(Step::RemoveMember { host }) => members[pod(&host)] = false,
                Next::Settled => break,
                other => panic!("{other:?} for {lines}"),
            }
            steps += 1;
        }
        assert_eq!(steps, 4, "two votes and two members on the way to {target}");
        let left: Vec<usize> = (0..7).filter(|pod| members[*pod]).collect();
        assert_eq!(left, (0..target).collect::<Vec<_>>());
    }
}
