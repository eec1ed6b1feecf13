//! One rule of the planner each.

mod commands;
mod leftovers;
mod names;

use super::*;
use crate::mongo::fixture::{host, topology, wanted};
use crate::mongo::topology::UserState;

/// The step for so many wanted members and this topology.
fn step(members: usize, lines: &str) -> Step {
    match next(&wanted(members), &topology(lines)) {
        Next::Do(step) => step,
        other => panic!("no step but {other:?}"),
    }
}

/// The reason for waiting.
fn wait(members: usize, lines: &str) -> String {
    match next(&wanted(members), &topology(lines)) {
        Next::Wait(reason) => reason,
        other => panic!("no waiting but {other:?}"),
    }
}

fn settled(members: usize, lines: &str) -> bool {
    next(&wanted(members), &topology(lines)) == Next::Settled
}

fn create_user() -> Step {
    Step::CreateUser { user: wanted(1).application_user.user().name }
}

fn update_user() -> Step {
    Step::UpdateUser { user: wanted(1).application_user.user().name }
}

const THREE: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";

mod initiation {
    use super::*;

    #[test]
    fn starts_with_the_lowest_ordinal_once_every_member_says_it_is_empty() {
        assert_eq!(step(3, "0 new\n 1 new\n 2 new"), Step::Initiate { host: host(0) });
    }

    #[test]
    fn does_not_depend_on_the_order_members_are_listed_in() {
        let mut wanted = wanted(3);
        wanted.members.reverse();
        let seen = topology("2 new\n 0 new\n 1 new");
        assert_eq!(next(&wanted, &seen), Next::Do(Step::Initiate { host: host(0) }));
    }

    #[test]
    fn waits_for_a_member_that_does_not_answer_and_names_it() {
        assert!(wait(3, "0 new\n 1 unreachable\n 2 new").contains("db-1 is UNREACHABLE: connection refused"));
    }

    #[test]
    fn waits_for_a_member_that_refuses_the_login() {
        assert!(wait(3, "0 new\n 1 refused\n 2 new").contains("db-1 is REFUSED: authentication failed"));
    }

    #[test]
    fn waits_for_a_pod_that_does_not_exist() {
        assert!(wait(3, "0 new\n 1 new").contains("db-2 does not exist yet"));
    }

    #[test]
    fn waits_for_a_silent_pod_beyond_the_wanted_ones_because_it_may_hold_data() {
        assert!(wait(1, "0 new\n 1 unreachable").contains("db-1"));
    }

    #[test]
    fn waits_while_the_first_member_is_being_deleted() {
        assert!(wait(1, "0 new terminating").contains("db-0 is being deleted"));
    }

    #[test]
    fn never_follows_an_earlier_one_even_when_every_disk_is_empty() {
        let mut wanted = wanted(3);
        wanted.initiated_before = true;
        let Next::Wait(reason) = next(&wanted, &topology("0 new\n 1 new\n 2 new")) else { panic!("acted") };
        assert!(reason.contains("initiated before"));
    }

    #[test]
    fn is_no_question_for_a_set_that_nobody_answers_for() {
        let mut wanted = wanted(3);
        wanted.initiated_before = true;
        for lines in ["0 unreachable\n 1 unreachable\n 2 unreachable", "0 new\n 1 unreachable\n 2 refused"] {
            let Next::Wait(reason) = next(&wanted, &topology(lines)) else { panic!("acted") };
            assert!(reason.contains("nothing is changed until one does"), "{reason}");
            assert!(reason.contains("db-1 is UNREACHABLE: connection refused"), "{reason}");
        }
    }

    #[test]
    fn is_not_repeated_for_a_member_that_lost_its_disk() {
        let reason = wait(3, "0 new vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
        assert!(reason.contains("no primary"), "{reason}");
        let reason = wait(3, "0 new vote\n 1 PRIMARY vote\n 2 SECONDARY vote");
        assert!(reason.contains("db-0 is NOT_INITIALIZED"), "{reason}");
    }
}

mod doubt {
    use super::*;

    #[test]
    fn two_sets_of_one_name_are_never_touched() {
        let reason = wait(3, "0 PRIMARY vote set=1\n 1 PRIMARY vote set=2\n 2 new");
        assert!(reason.contains("two replica sets named db: db-0 against db-1"), "{reason}");
    }

    #[test]
    fn a_set_of_another_name_is_never_touched() {
        let reason = wait(1, "0 PRIMARY vote name=other");
        assert!(reason.contains("db-0 belongs to replica set other"), "{reason}");
    }

    #[test]
    fn without_a_primary_the_wait_says_who_is_there() {
        let reason = wait(3, "0 unreachable vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
        assert!(reason.contains("db-1 and db-2 hold 2 of 3 votes"), "{reason}");
        assert!(reason.contains("db-0 is UNREACHABLE: connection refused"), "{reason}");
    }

    #[test]
    fn a_primary_without_a_majority_behind_it_is_not_asked_for_changes() {
        let reason = wait(5, "0 PRIMARY vote\n 1 unreachable vote\n 2 unreachable vote\n 3 new\n 4 new");
        assert!(reason.starts_with("only 1 of 3 voting members are up and a majority is 2"), "{reason}");
    }

    #[test]
    fn of_two_that_claim_to_be_primary_the_newer_term_counts() {
        let seen = topology("0 PRIMARY vote term=1\n 1 PRIMARY vote term=2\n 2 SECONDARY vote");
        assert_eq!(seen.primary().unwrap().0.pod, "db-1");
    }
}

mod growth {
    use super::*;

    #[test]
    fn a_missing_member_joins_with_the_lowest_free_id() {
        assert_eq!(step(3, "0 PRIMARY vote\n 1 new\n 2 new"), Step::AddMember { host: host(1), id: 1 });
    }

    #[test]
    fn the_next_member_joins_while_the_first_still_syncs() {
        let added = step(3, "0 PRIMARY vote\n 1 STARTUP2 no-vote\n 2 new");
        assert_eq!(added, Step::AddMember { host: host(2), id: 2 });
    }

    #[test]
    fn a_silent_pod_does_not_hold_up_the_one_behind_it() {
        assert_eq!(
            step(3, "0 PRIMARY vote\n 1 unreachable\n 2 new"),
            Step::AddMember { host: host(2), id: 1 }
        );
    }

    #[test]
    fn a_terminating_pod_does_not_join() {
        assert!(
            wait(1 + 2, "0 PRIMARY vote\n 1 new terminating\n 2 unreachable")
                .contains("db-1 cannot join: it is being deleted")
        );
    }

    #[test]
    fn a_member_removed_earlier_joins_again() {
        assert_eq!(step(3, "0 PRIMARY vote\n 1 REMOVED\n 2 new"), Step::AddMember { host: host(1), id: 1 });
    }

    #[test]
    fn members_match_by_host_whatever_their_order() {
        assert!(settled(3, "2 SECONDARY vote\n 0 SECONDARY vote\n 1 PRIMARY vote"));
    }

    #[test]
    fn a_caught_up_secondary_gets_its_vote() {
        let granted = step(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote lag=10");
        assert_eq!(granted, Step::GrantVote { host: host(2) });
    }

    #[test]
    fn a_member_in_initial_sync_gets_no_vote() {
        assert!(
            wait(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 STARTUP2 no-vote")
                .contains("db-2 has no vote yet: it is STARTUP2")
        );
    }

    #[test]
    fn a_member_that_lags_gets_no_vote_and_the_lag_is_told() {
        let reason = wait(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote lag=11");
        assert!(reason.contains("db-2 has no vote yet: it is SECONDARY, 11 s behind"), "{reason}");
    }

    #[test]
    fn a_terminating_member_gets_no_vote() {
        assert!(
            wait(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote terminating")
                .contains("being deleted")
        );
    }

    #[test]
    fn votes_come_in_pairs_so_that_the_count_stays_odd() {
        let reason = wait(3, "0 PRIMARY vote\n 1 SECONDARY no-vote\n 2 STARTUP2 no-vote");
        assert!(reason.contains("db-2 has no vote yet"), "{reason}");
        let granted = step(3, "0 PRIMARY vote\n 1 SECONDARY no-vote\n 2 SECONDARY no-vote");
        assert_eq!(granted, Step::GrantVote { host: host(1) });
        let granted = step(3, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote");
        assert_eq!(granted, Step::GrantVote { host: host(2) });
    }
}

mod shrinking {
    use super::*;

    #[test]
    fn the_highest_member_loses_its_vote_first() {
        assert_eq!(step(1, THREE), Step::RevokeVote { host: host(2) });
    }

    #[test]
    fn all_votes_go_before_the_first_member_leaves() {
        let revoked = step(1, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote");
        assert_eq!(revoked, Step::RevokeVote { host: host(1) });
        let removed = step(1, "0 PRIMARY vote\n 1 SECONDARY no-vote\n 2 SECONDARY no-vote");
        assert_eq!(removed, Step::RemoveMember { host: host(2) });
    }

    #[test]
    fn a_member_that_is_down_loses_its_vote_before_one_that_is_up() {
        let lines =
            "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote\n 3 unreachable vote\n 4 SECONDARY vote";
        assert_eq!(step(3, lines), Step::RevokeVote { host: host(3) });
    }

    #[test]
    fn votes_go_while_one_wanted_member_is_down_and_not_while_two_are() {
        let one =
            "0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote\n 3 SECONDARY vote\n 4 SECONDARY vote";
        assert_eq!(step(3, one), Step::RevokeVote { host: host(4) });
        let two =
            "0 PRIMARY vote\n 1 unreachable vote\n 2 unreachable vote\n 3 SECONDARY vote\n 4 SECONDARY vote";
        let reason = wait(3, two);
        assert!(
            reason.contains("db-4, db-3 stay until a majority of the wanted members votes and is up"),
            "{reason}"
        );
    }

    #[test]
    fn a_primary_that_is_to_leave_hands_over_after_the_others_lost_their_votes() {
        let revoked = step(1, "0 SECONDARY vote\n 1 SECONDARY vote\n 2 PRIMARY vote");
        assert_eq!(revoked, Step::RevokeVote { host: host(1) });
        let handed_over = step(1, "0 SECONDARY vote\n 2 PRIMARY vote");
        assert_eq!(handed_over, Step::StepDown { host: host(2) });
    }

    #[test]
    fn a_primary_that_is_to_leave_stays_while_nobody_caught_up_can_follow() {
        let reason = wait(1, "0 SECONDARY vote lag=60\n 2 PRIMARY vote");
        assert!(reason.contains("db-2 stays primary"), "{reason}");
    }

    #[test]
    fn strange_hosts_stay_while_no_majority_of_the_wanted_members_votes() {
        let reason =
            wait(3, "7 PRIMARY vote\n 8 SECONDARY vote\n 0 unreachable\n 1 unreachable\n 2 unreachable");
        assert!(reason.contains("db-8, db-7 stay until a majority of the wanted members votes"), "{reason}");
    }

    #[test]
    fn a_member_without_a_pod_leaves_like_any_other() {
        let lines = format!("{THREE}\n 3 unreachable vote no-pod");
        assert_eq!(step(3, &lines), Step::RevokeVote { host: host(3) });
    }
}

mod user {
    use super::*;

    fn with(user: UserState, lines: &str) -> Next {
        let mut seen = topology(lines);
        seen.application_user = user;
        next(&wanted(3), &seen)
    }

    #[test]
    fn is_created_before_other_members_join() {
        let lines = "0 PRIMARY vote\n 1 new\n 2 new";
        assert_eq!(with(UserState::Missing, lines), Next::Do(create_user()));
    }

    #[test]
    fn is_updated_when_password_or_roles_differ() {
        assert_eq!(with(UserState::PasswordDiffers, THREE), Next::Do(update_user()));
        assert_eq!(with(UserState::RolesDiffer, THREE), Next::Do(update_user()));
    }

    #[test]
    fn that_could_not_be_checked_leaves_the_set_unsettled_but_does_not_hold_up_members() {
        assert!(matches!(with(UserState::Unknown, THREE), Next::Wait(_)));
        let lines = "0 PRIMARY vote\n 1 new\n 2 new";
        assert_eq!(with(UserState::Unknown, lines), Next::Do(Step::AddMember { host: host(1), id: 1 }));
    }
}

mod rest {
    use super::*;

    #[test]
    fn a_set_as_wanted_is_settled() {
        assert!(settled(3, THREE));
        assert!(settled(1, "0 PRIMARY vote"));
    }

    #[test]
    fn a_voter_that_is_down_is_waited_for_by_name() {
        let reason = wait(3, "0 PRIMARY vote\n 1 unreachable vote\n 2 SECONDARY vote");
        assert_eq!(reason, "db-1 is UNREACHABLE: connection refused");
    }
}
