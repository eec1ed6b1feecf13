//! Members of the replica set.

use super::*;

const THREE: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";

fn rolled(words: &str, seen: &str) -> Roll {
    mongodb::roll(Some(&pods("db", words)), &topology(seen), &Next::Settled)
}

#[test]
fn pods_of_the_newest_template_need_nothing() {
    assert_eq!(rolled("0 new, 1 new, 2 new", THREE), Roll::Done);
}

#[test]
fn the_secondary_with_the_highest_ordinal_goes_first() {
    let roll = rolled("0 old, 1 old, 2 old", THREE);
    assert_eq!(deleted(&roll).sentence, "restart db-2: image changes from a to b");
    assert_eq!(deleted(&roll).uid, "uid-db-2");
    assert_eq!(message(&roll), "0 of 3 pods run the new template; next db-2");
}

#[test]
fn a_primary_with_the_highest_ordinal_still_goes_last() {
    let seen = "0 SECONDARY vote\n 1 SECONDARY vote\n 2 PRIMARY vote";
    assert_eq!(deleted(&rolled("0 old, 1 old, 2 old", seen)).pod, "db-1");
    assert_eq!(deleted(&rolled("0 old, 1 new, 2 old", seen)).pod, "db-0");
}

#[test]
fn the_primary_steps_down_once_everybody_else_is_new() {
    let roll = rolled("0 old, 1 new, 2 new", THREE);
    assert!(matches!(roll.action(), Some(Action::StepDown { pod, .. }) if pod == "db-0"), "{roll:?}");
    assert_eq!(message(&roll), "2 of 3 pods run the new template; next db-0 after step-down");
}

#[test]
fn after_the_step_down_the_old_primary_restarts_as_a_secondary() {
    let seen = "0 SECONDARY vote\n 1 PRIMARY vote\n 2 SECONDARY vote";
    assert_eq!(deleted(&rolled("0 old, 1 new, 2 new", seen)).pod, "db-0");
}

#[test]
fn a_single_member_restarts_and_the_event_says_what_that_costs() {
    let roll = rolled("0 old", "0 PRIMARY vote");
    assert!(deleted(&roll).sentence.contains("MongoDB is away until it is back"), "{roll:?}");
}

#[test]
fn one_pod_that_is_away_holds_the_others() {
    assert_eq!(waits(&rolled("0 old, 1 old, 2 new unready", THREE)), "db-2 is not ready yet");
    assert_eq!(waits(&rolled("0 old, 1 old, 2 old stopping", THREE)), "db-2 is stopping");
    let mut missing = pods("db", "0 old, 1 old");
    missing.wanted = 3;
    let roll = mongodb::roll(Some(&missing), &topology(THREE), &Next::Settled);
    assert_eq!(waits(&roll), "db-2 is being created");
}

#[test]
fn a_set_with_steps_of_its_own_does_those_first() {
    let set = pods("db", "0 old, 1 old, 2 old");
    let busy = Next::Do(Step::GrantVote { host: "db-2:27017".to_owned() });
    assert_eq!(waits(&mongodb::roll(Some(&set), &topology(THREE), &busy)), "first: give db-2:27017 a vote");
    let away = Next::Wait("db-1 is RECOVERING".to_owned());
    assert_eq!(waits(&mongodb::roll(Some(&set), &topology(THREE), &away)), "db-1 is RECOVERING");
}

#[test]
fn a_member_that_lags_holds_the_others() {
    let seen = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote lag=30";
    assert_eq!(waits(&rolled("0 old, 1 old, 2 new", seen)), "db-2 has not caught up with the primary yet");
}

#[test]
fn nothing_restarts_that_a_majority_would_not_survive() {
    let roll = rolled("0 old, 1 old", "0 PRIMARY vote\n 1 SECONDARY vote");
    assert!(waits(&roll).contains("a majority is 2"), "{roll:?}");
}

#[test]
fn a_set_without_a_primary_waits() {
    let roll = rolled("0 old, 1 old, 2 old", "0 SECONDARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
    assert_eq!(waits(&roll), "the replica set has no primary");
}

#[test]
fn an_outdated_pod_that_runs_nothing_is_replaced_whatever_the_set_waits_for() {
    let set = pods("db", "0 old, 1 old, 2 old stalled");
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote");
    let roll = mongodb::roll(Some(&set), &seen, &Next::Wait("db-2 is UNREACHABLE".to_owned()));
    assert_eq!(deleted(&roll).sentence, "replace db-2, which does not run: image changes from a to b");
    assert_eq!(deleted(&roll).ready_pods, None);
}

#[test]
fn a_pod_of_the_newest_template_that_runs_nothing_is_left_alone() {
    let set = pods("db", "0 old, 1 old, 2 new stalled");
    let seen = topology("0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote");
    assert_eq!(waits(&mongodb::roll(Some(&set), &seen, &Next::Settled)), "db-2 is not ready yet");
}

#[test]
fn a_server_that_answers_is_not_taken_for_one_that_does_not_run() {
    let set = pods("db", "0 old, 1 old, 2 old stalled");
    assert_eq!(waits(&mongodb::roll(Some(&set), &topology(THREE), &Next::Settled)), "db-2 is not ready yet");
}

#[test]
fn a_template_its_controller_has_not_seen_decides_nothing() {
    let mut set = pods("db", "0 new, 1 new, 2 new");
    set.is_current = false;
    let roll = mongodb::roll(Some(&set), &topology(THREE), &Next::Settled);
    assert_eq!(message(&roll), "StatefulSet db has a new template its controller has not seen yet");
    assert_eq!(roll.action(), None);
}
