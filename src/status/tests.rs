//! Conditions as a table of situations.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::blocker;
use super::condition::{Verdict, merge, truncate};
use super::*;

fn time(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

fn pod(yaml: &str) -> Pod {
    serde_saphyr::from_str(yaml).unwrap()
}

fn blocked_by(yaml: &str) -> Verdict {
    let pod = pod(yaml);
    blocker::first(std::iter::once(&pod), &[]).unwrap()
}

#[test]
fn an_unschedulable_pod_is_named_with_the_schedulers_words() {
    let verdict = blocked_by(
        "{metadata: {name: eaiser-mongodb-1}, status: {conditions: [{type: PodScheduled, status: 'False', message: '0/3 nodes have 4Gi free'}]}}",
    );
    assert_eq!(verdict.message, "pod eaiser-mongodb-1 is unschedulable: 0/3 nodes have 4Gi free");
    assert!(verdict.failing);
}

#[test]
fn an_image_that_cannot_be_pulled_is_named() {
    let verdict = blocked_by(
        "{metadata: {name: eaiser-api-x}, status: {containerStatuses: [{name: api, image: 'a:1', imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: ErrImagePull, message: not found}}}]}}",
    );
    assert_eq!(verdict.message, "pod eaiser-api-x cannot pull image a:1 (ErrImagePull): not found");
}

#[test]
fn a_crash_loop_shows_how_the_container_last_ended() {
    let verdict = blocked_by(
        "{metadata: {name: p}, status: {containerStatuses: [{name: api, image: a, imageID: '', ready: false, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff, message: back-off 40s}}, lastState: {terminated: {exitCode: 1, reason: Error, message: \"line one\\nMONGODB_URI is missing\\n\"}}}]}}",
    );
    assert_eq!(
        verdict.message,
        "pod p, container api: CrashLoopBackOff: back-off 40s; it last ended with exit code 1 (Error): MONGODB_URI is missing"
    );
}

#[test]
fn a_failing_pod_is_reported_before_a_starting_one() {
    let starting = pod("{metadata: {name: a}, status: {}}");
    let failing = pod(
        "{metadata: {name: b}, status: {conditions: [{type: PodScheduled, status: 'False', message: full}]}}",
    );
    let verdict = blocker::first([&starting, &failing].into_iter(), &[]).unwrap();
    assert!(verdict.message.contains("pod b"), "{}", verdict.message);
}

#[test]
fn a_ready_pod_blocks_nothing() {
    let ready = pod("{metadata: {name: a}, status: {conditions: [{type: Ready, status: 'True'}]}}");
    assert_eq!(blocker::first(std::iter::once(&ready), &[]), None);
}

#[test]
fn the_transition_time_moves_only_when_the_status_does() {
    let first = merge(vec![("Ready", Verdict::off("Waiting", "one"))], Some(1), None, &time(100));
    let before = EaiserClusterStatus { conditions: first, ..EaiserClusterStatus::default() };
    let reworded = merge(vec![("Ready", Verdict::off("Waiting", "two"))], Some(2), Some(&before), &time(200));
    assert_eq!((&reworded[0].last_transition_time, reworded[0].message.as_str()), (&time(100), "two"));
    let turned =
        merge(vec![("Ready", Verdict::on("AllTiersReady", "ok"))], Some(2), Some(&before), &time(200));
    assert_eq!(turned[0].last_transition_time, time(200));
}

#[test]
fn long_messages_are_cut_between_characters() {
    let cut = truncate(&"é".repeat(1000), 101);
    assert!(cut.len() <= 101 && cut.ends_with('…'), "{cut}");
}
