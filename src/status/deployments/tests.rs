//! What a Deployment's status says, as a table.

use super::*;

/// Wanted 2, at least 2; the status as `replicas updated ready available`, current unless told.
fn told(status: [i32; 4], observed: i64) -> Option<(bool, &'static str, String)> {
    let [replicas, updated, ready, available] = status;
    let deployment: Deployment = serde_json::from_value(serde_json::json!({
        "metadata": {"generation": 3},
        "spec": {"replicas": 2, "selector": {}, "template": {}},
        "status": {
            "observedGeneration": observed,
            "replicas": replicas,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": available,
        },
    }))
    .unwrap();
    let verdict = as_told(&deployment, "eaiser-api", Tier::Api, 2)?;
    Some((verdict.holds, verdict.reason, verdict.message))
}

#[test]
fn all_pods_of_the_present_template_and_no_other_are_ready() {
    assert_eq!(told([2, 2, 2, 2], 3), Some((true, reason::PODS_READY, "2/2 api pods are ready".to_owned())));
}

#[test]
fn pods_of_the_template_before_that_are_still_to_go_are_a_roll_that_serves() {
    assert_eq!(
        told([3, 2, 3, 3], 3),
        Some((
            true,
            reason::ROLLING,
            "3/2 api pods are ready; still to go: 1 of the template before".to_owned()
        ))
    );
}

#[test]
fn a_pod_that_is_ready_too_recently_does_not_count() {
    let (holds, _, message) = told([2, 2, 2, 1], 3).unwrap();
    assert_eq!((holds, message.as_str()), (false, "2/2 api pods are ready, 1 of them too recently to count"));
}

#[test]
fn a_status_of_an_earlier_generation_says_nothing() {
    let (holds, _, message) = told([2, 2, 2, 2], 2).unwrap();
    assert_eq!(
        (holds, message.as_str()),
        (false, "Deployment eaiser-api has yet to take up its new template")
    );
}

#[test]
fn pods_that_are_missing_or_outdated_are_asked_themselves() {
    assert_eq!(told([2, 2, 1, 1], 3), None);
    assert_eq!(told([3, 1, 3, 3], 3), None);
}
