//! Every cause in its words, from objects as a cluster reported them.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

use super::*;
use crate::snapshot::complaints::SELECTIONS;
use crate::snapshot::{Children, Complaint, ServedKinds};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expected,
    now: Time,
    #[serde(default)]
    pods: Vec<Pod>,
    #[serde(default)]
    claims: Vec<PersistentVolumeClaim>,
    #[serde(default)]
    stateful_sets: Vec<StatefulSet>,
    #[serde(default)]
    deployments: Vec<Deployment>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Expected {
    reason: String,
    failing: bool,
    message: String,
}

fn shared<T>(objects: Vec<T>) -> Vec<Arc<T>> {
    objects.into_iter().map(Arc::new).collect()
}

fn verdict(case: Case) -> Option<Verdict> {
    let complaints = case.events.iter().map(|event| {
        SELECTIONS
            .iter()
            .find_map(|selection| Complaint::of(event, selection))
            .unwrap_or_else(|| panic!("{}: an event that no watch selects", case.name))
    });
    let children = Children {
        complaints: shared(complaints.collect()),
        pods: shared(case.pods),
        claims: shared(case.claims),
        stateful_sets: shared(case.stateful_sets),
        ..Children::default()
    };
    let snapshot = Snapshot { children, ..Snapshot::offline(ServedKinds::default()) };
    let scene = Scene { snapshot: &snapshot, now: &case.now };
    let refused = case.deployments.iter().find_map(deployment_refused);
    refused
        .or_else(|| stateful_set_refused(scene, "eaiser-mongodb"))
        .or_else(|| of_tier(scene, Tier::MongoDb))
        .or_else(|| of_tier(scene, Tier::Api))
}

fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("../../../tests/data/causes.yaml")).unwrap()
}

#[test]
fn every_cause_is_told_with_its_object() {
    let mut faults = Vec::new();
    for mut case in cases() {
        let name = std::mem::take(&mut case.name);
        let expected = std::mem::replace(
            &mut case.expect,
            Expected { reason: String::new(), failing: false, message: String::new() },
        );
        let found = verdict(case).map(|verdict| Expected {
            reason: verdict.reason.to_owned(),
            failing: verdict.failing,
            message: verdict.message,
        });
        if found.as_ref() != Some(&expected) {
            faults.push(format!("{name}:\n  found    {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn first_of(pods: &str) -> Option<Verdict> {
    let pods: Vec<Pod> = serde_saphyr::from_str(pods).unwrap();
    let children = Children { pods: shared(pods), ..Children::default() };
    let snapshot = Snapshot { children, ..Snapshot::offline(ServedKinds::default()) };
    let now = Time(k8s_openapi::jiff::Timestamp::from_second(0).unwrap());
    of_tier(Scene { snapshot: &snapshot, now: &now }, Tier::Api)
}

#[test]
fn a_failing_pod_is_reported_before_a_starting_one_and_the_remains_of_others_last() {
    let labels = "labels: {app.kubernetes.io/component: api}";
    let ended = format!("{{metadata: {{name: a, {labels}}}, status: {{phase: Failed, reason: Evicted}}}}");
    let starting = format!("{{metadata: {{name: b, {labels}}}, status: {{}}}}");
    let full = format!(
        "{{metadata: {{name: c, {labels}}}, status: {{conditions: [{{type: PodScheduled, status: 'False', message: full}}]}}}}"
    );
    let first = |pods: &[&str]| first_of(&format!("[{}]", pods.join(", "))).unwrap().message;
    assert_eq!(first(&[&ended, &starting, &full]), "pod c is unschedulable: full");
    assert_eq!(first(&[&ended, &starting]), "pod b is starting");
    assert_eq!(first(&[&ended]), "pod a ended (Evicted): no message");
}

#[test]
fn of_two_failing_pods_the_younger_tells_of_the_newest_template() {
    let pod = |name: &str, minute: u8, message: &str| {
        format!(
            "{{metadata: {{name: {name}, creationTimestamp: '2026-11-24T08:{minute:02}:00Z', labels: {{app.kubernetes.io/component: api}}}}, status: {{conditions: [{{type: PodScheduled, status: 'False', message: {message}}}]}}}}"
        )
    };
    let verdict = first_of(&format!("[{}, {}]", pod("a", 1, "old"), pod("b", 2, "new"))).unwrap();
    assert_eq!(verdict.message, "pod b is unschedulable: new");
}

#[test]
fn a_ready_pod_blocks_nothing() {
    let ready = "[{metadata: {name: a, labels: {app.kubernetes.io/component: api}}, status: {conditions: [{type: Ready, status: 'True'}]}}]";
    assert_eq!(first_of(ready), None);
}
