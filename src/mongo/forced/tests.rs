//! One reason each for forcing, and for not forcing.

use super::*;
use crate::mongo::fixture::{host, topology, wanted};
use crate::mongo::steps::{self, Next};
use crate::mongo::topology::View;

const UID: &str = "b1c2";
/// Two of three are gone, and the freshest is the one that is left.
const LOST: &str = "0 unreachable vote\n 1 SECONDARY vote\n 2 unreachable vote";
/// Two of five are left; db-3 is behind db-1.
const TWO_LEFT: &str = "0 unreachable vote\n 1 SECONDARY vote\n 2 unreachable vote\n 3 SECONDARY vote lag=7\n 4 unreachable vote";

/// What is asked, and what was written down before.
#[derive(Clone, Default)]
struct Asked<'a> {
    value: Option<&'a str>,
    record: Option<ForcedReconfiguration>,
    ready: &'a [&'a str],
}

impl Asked<'_> {
    fn verdict(&self, members: usize, lines: &str) -> Verdict {
        self.verdict_on(members, &topology(lines))
    }

    fn verdict_on(&self, members: usize, seen: &Topology) -> Verdict {
        let ready = self.ready.iter().map(|pod| (*pod).to_owned()).collect();
        let request = Request { value: self.value, uid: UID, record: self.record.as_ref(), ready: &ready };
        next(&request, &wanted(members), seen)
    }
}

fn asked(value: &str) -> Asked<'_> {
    Asked { value: Some(value), ..Asked::default() }
}

fn recorded(lines: &str) -> ForcedReconfiguration {
    match asked(UID).verdict(3, lines) {
        Verdict::Record(record) => record,
        other => panic!("nothing is written down but {other:?}"),
    }
}

fn not_yet(asked: &Asked<'_>, lines: &str) -> String {
    match asked.verdict(3, lines) {
        Verdict::NotYet(reason) => reason,
        other => panic!("no waiting but {other:?}"),
    }
}

fn refused(asked: &Asked<'_>) -> String {
    match asked.verdict(3, LOST) {
        Verdict::Refused(reason) => reason,
        other => panic!("not refused but {other:?}"),
    }
}

mod request {
    use super::*;

    #[test]
    fn that_nobody_makes_is_never_served_and_says_what_would_count() {
        assert_eq!(Asked::default().verdict(3, LOST), Verdict::Unasked { token: UID.to_owned() });
    }

    #[test]
    fn is_written_down_with_its_evidence_before_anything_is_done() {
        let record = recorded(LOST);
        assert_eq!((record.request.as_str(), record.outcome), (UID, ForcedOutcome::Recorded));
        assert_eq!((record.config_version, record.leader.as_deref()), (5, Some("db-1")));
        assert_eq!(record.dropped, ["db-0", "db-2"]);
        assert_eq!(
            record.evidence,
            "from version 5, replica set db goes on as db-1 (SECONDARY, newest operation 1000000.1 of term 1); dropped: db-0 (UNREACHABLE: connection refused), db-2 (UNREACHABLE: connection refused); what only the dropped members hold is lost"
        );
    }

    #[test]
    fn that_is_written_down_is_carried_out() {
        let again = Asked { record: Some(recorded(LOST)), ..asked(UID) };
        assert!(matches!(again.verdict(3, LOST), Verdict::Act(_)));
    }

    #[test]
    fn is_written_down_anew_when_the_world_has_changed_since() {
        let again = Asked { record: Some(recorded(LOST)), ..asked(UID) };
        let fresher = "0 SECONDARY vote\n 1 SECONDARY vote lag=3\n 2 unreachable vote\n 3 unreachable vote\n 4 unreachable vote";
        let Verdict::Record(record) = again.verdict(5, fresher) else { panic!("not written down") };
        assert_eq!(record.leader.as_deref(), Some("db-0"));
    }

    #[test]
    fn for_another_cluster_is_refused_with_the_uid_that_would_count() {
        let reason = refused(&asked("a-uid-of-another"));
        assert!(reason.contains("is \"a-uid-of-another\" and does not count"), "{reason}");
        assert!(reason.ends_with("it must be b1c2"), "{reason}");
    }

    #[test]
    fn of_any_size_is_repeated_in_part_only() {
        assert!(refused(&asked(&"x".repeat(100_000))).len() < 300);
    }

    #[test]
    fn may_name_the_configuration_and_then_has_to_name_the_newest() {
        assert!(matches!(asked("b1c2:5").verdict(3, LOST), Verdict::Record(_)));
        assert!(refused(&asked("b1c2:4")).contains("does not count"));
        assert!(refused(&asked("")).contains("does not count"));
    }
}

mod afterwards {
    use super::*;

    /// The configuration that the survivor of [`LOST`] runs with once it was forced.
    const FORCED: &str = "1 PRIMARY vote version=15005";

    fn served() -> ForcedReconfiguration {
        ForcedReconfiguration { outcome: ForcedOutcome::Served, ..recorded(LOST) }
    }

    #[test]
    fn the_version_that_leapt_shows_that_it_was_done() {
        let again = Asked { record: Some(recorded(LOST)), ..asked(UID) };
        assert_eq!(again.verdict(3, FORCED), Verdict::Close(served()));
    }

    #[test]
    fn a_request_that_was_served_and_is_put_back_does_nothing() {
        let again = Asked { record: Some(served()), ..asked(UID) };
        assert!(matches!(again.verdict(3, FORCED), Verdict::Refused(_)));
        let lost_again = "1 SECONDARY vote version=15009\n 2 unreachable vote\n 0 unreachable vote";
        let Verdict::Refused(reason) = again.verdict(3, lost_again) else { panic!("served twice") };
        assert!(reason.ends_with("to count again it must be b1c2:15009"), "{reason}");
    }

    #[test]
    fn a_second_loss_is_served_for_the_value_that_was_named() {
        let again = Asked { record: Some(served()), ..asked("b1c2:15009") };
        let lost_again = "1 SECONDARY vote version=15009\n 2 unreachable vote\n 0 unreachable vote";
        assert!(matches!(again.verdict(3, lost_again), Verdict::Record(_)));
    }

    #[test]
    fn a_request_that_finds_a_primary_does_not_lie_in_wait() {
        let healthy = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
        let Verdict::Close(record) = asked(UID).verdict(3, healthy) else { panic!("not closed") };
        assert_eq!((record.outcome, record.request.as_str()), (ForcedOutcome::Void, UID));
        let later = Asked { record: Some(record), ..asked(UID) };
        assert!(matches!(later.verdict(3, LOST), Verdict::Refused(_)));
    }

    #[test]
    fn a_majority_that_comes_back_before_the_deed_makes_it_void() {
        let again = Asked { record: Some(recorded(LOST)), ..asked(UID) };
        let back = "0 SECONDARY vote\n 1 PRIMARY vote\n 2 unreachable vote";
        let Verdict::Close(record) = again.verdict(3, back) else { panic!("not closed") };
        assert_eq!(record.outcome, ForcedOutcome::Void);
    }

    #[test]
    fn a_request_withdrawn_before_the_deed_is_void() {
        let withdrawn = Asked { record: Some(recorded(LOST)), ..Asked::default() };
        let Verdict::Close(record) = withdrawn.verdict(3, LOST) else { panic!("not closed") };
        assert_eq!(record.outcome, ForcedOutcome::Void);
    }
}

mod doubt {
    use super::*;

    #[test]
    fn while_a_majority_answers_an_election_is_left_to_it() {
        let reason = not_yet(&asked(UID), "0 unreachable vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
        assert!(reason.contains("may elect a primary"), "{reason}");
    }

    #[test]
    fn a_primary_that_others_follow_is_not_overruled() {
        let reason =
            not_yet(&asked(UID), "0 unreachable vote heard=PRIMARY\n 1 SECONDARY vote\n 2 unreachable vote");
        assert!(reason.contains("follow a primary"), "{reason}");
    }

    #[test]
    fn a_member_that_another_one_hears_is_not_lost() {
        let reason = not_yet(
            &asked(UID),
            "0 unreachable vote heard=SECONDARY\n 1 SECONDARY vote\n 2 unreachable vote",
        );
        assert!(reason.contains("db-0 is not lost: db-1 hears it"), "{reason}");
    }

    #[test]
    fn a_member_that_kubernetes_calls_ready_is_not_lost() {
        let reason = not_yet(&Asked { ready: &["db-1", "db-2"], ..asked(UID) }, LOST);
        assert!(reason.contains("db-2 is not lost: Kubernetes calls it ready"), "{reason}");
    }

    #[test]
    fn a_member_that_refuses_the_login_is_not_lost() {
        let reason = not_yet(&asked(UID), "0 refused vote\n 1 SECONDARY vote\n 2 unreachable vote");
        assert!(reason.contains("db-0 is there and refuses the login"), "{reason}");
    }

    #[test]
    fn a_member_with_an_empty_disk_is_lost_whatever_kubernetes_says() {
        let ready = Asked { ready: &["db-0", "db-1"], ..asked(UID) };
        let Verdict::Record(record) = ready.verdict(3, "0 new vote\n 1 SECONDARY vote\n 2 unreachable vote")
        else {
            panic!("not written down")
        };
        assert!(record.evidence.contains("db-0 (its disk is empty)"), "{}", record.evidence);
    }

    #[test]
    fn nobody_who_answers_is_nobody_to_go_on_with() {
        assert!(
            not_yet(&asked(UID), "0 unreachable vote\n 1 unreachable vote\n 2 new").contains("no member")
        );
    }

    #[test]
    fn members_of_two_sets_are_left_to_a_person() {
        let reason =
            not_yet(&asked(UID), "0 SECONDARY vote set=1\n 1 SECONDARY vote set=2\n 2 unreachable vote");
        assert!(reason.contains("two replica sets"), "{reason}");
    }

    #[test]
    fn only_a_secondary_that_stays_can_lead() {
        for lines in [
            "0 unreachable vote\n 1 RECOVERING vote\n 2 unreachable vote",
            "0 unreachable vote\n 1 STARTUP2 vote\n 2 unreachable vote",
            "0 unreachable vote\n 1 SECONDARY vote terminating\n 2 unreachable vote",
        ] {
            assert!(not_yet(&asked(UID), lines).contains("no member that is left is a secondary"), "{lines}");
        }
    }

    #[test]
    fn a_fresher_member_that_cannot_lead_is_not_thrown_away() {
        let mut seen = topology(TWO_LEFT);
        let View::Member(fresher) = &mut seen.members[1].view else { panic!("no member") };
        fresher.state = crate::mongo::topology::MemberState::Recovering;
        let Verdict::NotYet(reason) = asked(UID).verdict_on(5, &seen) else { panic!("forced") };
        assert!(
            reason.contains("db-1 holds newer operations than db-3 and cannot lead: it is RECOVERING"),
            "{reason}"
        );
    }
}

mod deed {
    use super::*;

    fn act(members: usize, lines: &str) -> Act {
        let Verdict::Record(record) = asked(UID).verdict(members, lines) else { panic!("not written down") };
        let again = Asked { record: Some(record), ..asked(UID) };
        match again.verdict(members, lines) {
            Verdict::Act(act) => act,
            other => panic!("not done but {other:?}"),
        }
    }

    fn votes(config: &ReplicaSetConfig) -> Vec<(&str, i64, f64)> {
        config.members.iter().map(|member| (member.host.as_str(), member.votes, member.priority)).collect()
    }

    #[test]
    fn goes_to_the_survivor_with_the_newest_operation_whoever_it_is() {
        assert_eq!(act(5, TWO_LEFT).command().host, host(1));
        let other_way_round = TWO_LEFT
            .replace("3 SECONDARY vote lag=7", "3 SECONDARY vote")
            .replace("1 SECONDARY vote", "1 SECONDARY vote lag=7");
        assert_eq!(act(5, &other_way_round).command().host, host(3));
    }

    #[test]
    fn a_later_term_counts_more_than_a_later_time() {
        let mut seen = topology(TWO_LEFT);
        for observed in &mut seen.members {
            let View::Member(member) = &mut observed.view else { continue };
            member.peers.get_mut(&host(3)).unwrap().optime.as_mut().unwrap().term = 2;
        }
        let Verdict::Record(record) = asked(UID).verdict_on(5, &seen) else { panic!("not written down") };
        assert_eq!(record.leader.as_deref(), Some("db-3"));
    }

    #[test]
    fn leaves_one_vote_to_it_and_keeps_the_other_survivors() {
        let document = act(5, TWO_LEFT).command().document;
        assert!(document.get_bool("force").unwrap());
        let config =
            ReplicaSetConfig::parse(document.get_document("replSetReconfig").unwrap().clone()).unwrap();
        let (first, second) = (host(1), host(3));
        assert_eq!(votes(&config), [(first.as_str(), 1, 1.0), (second.as_str(), 0, 0.0)]);
        assert_eq!(config.version, 6);
    }

    #[test]
    fn starts_from_the_newest_configuration_that_is_left() {
        let lines = "0 unreachable vote\n 1 SECONDARY vote version=4\n 2 unreachable vote\n 3 SECONDARY vote lag=2 version=6\n 4 unreachable vote";
        let config = act(5, lines).command().document.get_document("replSetReconfig").unwrap().clone();
        assert_eq!(ReplicaSetConfig::parse(config).unwrap().version, 7);
    }

    /// From there on the ordinary rules bring the set back to what is wanted.
    #[test]
    fn is_followed_by_ordinary_steps_alone() {
        let forced = "1 PRIMARY vote version=15006\n 0 REMOVED\n 2 new";
        let next = steps::next(&wanted(3), &topology(forced));
        assert_eq!(next, Next::Do(steps::Step::AddMember { host: host(0), id: 0 }));
    }
}

/// Every step there is, on a set in which each is possible: none of them is forced.
#[test]
fn no_step_of_ordinary_operation_is_ever_forced() {
    use crate::mongo::steps::Step;
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote");
    let host = host(2);
    for step in [
        Step::Initiate { host: host.clone() },
        Step::AddMember { host: host.clone(), id: 9 },
        Step::FixHost { from: host.clone(), to: "x:1".to_owned() },
        Step::GrantVote { host: host.clone() },
        Step::RevokeVote { host: host.clone() },
        Step::RemoveMember { host: host.clone() },
        Step::StepDown { host: host.clone() },
        Step::CreateUser { user: wanted(3).application_user.user().name },
        Step::UpdateUser { user: wanted(3).application_user.user().name },
        Step::DropUser { user: wanted(3).application_user.user().name },
    ] {
        let command = steps::command(&step, &wanted(3), &seen).unwrap().unwrap();
        assert!(!command.document.contains_key("force"), "{step}");
    }
}
