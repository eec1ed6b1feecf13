//! What a newer operator would add to pods that run well without it waits for the next restart. Pure.
//!
//! A pod template that changes restarts every pod made from it. An upgrade of the operator must not do
//! that to all clusters at once, so a field that only later versions render is left out while it would
//! be all that changes, and goes along with the first change that restarts the pods anyway.

use serde_json::Value;

use super::child::{Live, digest};
use super::drift::covers;

/// Fields of containers that the first version did not render, none of which running pods need.
const ADDED_TO_CONTAINERS: [&str; 1] = ["terminationMessagePolicy"];

/// The rendering to hold against the live object: with the additions, or without.
pub(super) fn settle(rendered: Value, live: Option<&Live>) -> Value {
    // What was written last is still right: most passes end here, without a look at the object.
    let Some(live) = live.filter(|live| live.digest.as_deref() != Some(&digest(&rendered))) else {
        return rendered;
    };
    let Some(without) = without_additions(&rendered) else {
        return rendered;
    };
    if live.digest.as_deref() == Some(&digest(&without)) {
        return without;
    }
    let template = "/spec/template";
    let has = |wanted: &Value| match (live.object.pointer(template), wanted.pointer(template)) {
        (Some(live), Some(wanted)) => covers(live, wanted),
        _ => false,
    };
    if has(&without) && !has(&rendered) { without } else { rendered }
}

/// The workload as the first version would have rendered it; none of what has no pod template, or
/// holds no addition.
fn without_additions(rendered: &Value) -> Option<Value> {
    let mut without = rendered.clone();
    let pod = without.pointer_mut("/spec/template/spec")?;
    let mut removed = false;
    for list in ["containers", "initContainers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            for field in ADDED_TO_CONTAINERS {
                removed |=
                    container.as_object_mut().is_some_and(|container| container.remove(field).is_some());
            }
        }
    }
    removed.then_some(without)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::apps::v1::StatefulSet;
    use serde_json::json;

    use super::*;
    use crate::apply::child::Child;
    use crate::names::ANNOTATION_RENDERED;

    const POLICY: &str = "/spec/template/spec/containers/0/terminationMessagePolicy";

    fn set(image: &str, policy: Option<&str>, replicas: i32) -> StatefulSet {
        let mut container = json!({"name": "redis", "image": image});
        if let Some(policy) = policy {
            container["terminationMessagePolicy"] = json!(policy);
        }
        serde_json::from_value(json!({
            "metadata": {"name": "eaiser-redis-0"},
            "spec": {
                "replicas": replicas, "serviceName": "eaiser-redis", "selector": {},
                "template": {"spec": {"containers": [container]}},
            },
        }))
        .unwrap()
    }

    /// What the new version renders.
    fn new(image: &str, replicas: i32) -> StatefulSet {
        set(image, Some("FallbackToLogsOnError"), replicas)
    }

    /// As it lives once `child` is applied: annotated, and with the server's default.
    fn live(child: &Child) -> Vec<Arc<StatefulSet>> {
        let mut object = child.rendered.clone();
        let policy = object.pointer(POLICY).cloned().unwrap_or_else(|| json!("File"));
        object["spec"]["template"]["spec"]["containers"][0]["terminationMessagePolicy"] = policy;
        vec![Arc::new(serde_json::from_value(object).unwrap())]
    }

    fn old(image: &str) -> Vec<Arc<StatefulSet>> {
        live(&Child::new(&set(image, None, 2), &[]))
    }

    fn policy(child: &Child) -> Option<&Value> {
        child.rendered.pointer(POLICY)
    }

    #[test]
    fn a_new_workload_is_rendered_in_full() {
        assert_eq!(policy(&Child::new(&new("redis:8", 2), &[])), Some(&json!("FallbackToLogsOnError")));
    }

    #[test]
    fn an_upgrade_of_the_operator_leaves_a_running_workload_as_it_is() {
        let child = Child::new(&new("redis:8", 2), &old("redis:8"));
        assert_eq!(policy(&child), None);
        assert_eq!(Some(child.digest), child.live.unwrap().digest, "so nothing is written");
    }

    #[test]
    fn a_change_of_scale_restarts_nothing_and_brings_nothing() {
        let scaled = Child::new(&new("redis:8", 3), &old("redis:8"));
        assert_eq!(policy(&scaled), None);
        let after = Child::new(&new("redis:8", 3), &live(&scaled));
        assert_eq!(after.rendered, scaled.rendered);
    }

    #[test]
    fn a_change_that_restarts_the_pods_brings_the_additions_and_they_stay() {
        let changed = Child::new(&new("redis:9", 2), &old("redis:8"));
        assert_eq!(policy(&changed), Some(&json!("FallbackToLogsOnError")));
        let scaled = Child::new(&new("redis:9", 3), &live(&changed));
        assert_eq!(policy(&scaled), Some(&json!("FallbackToLogsOnError")));
    }

    #[test]
    fn a_template_edited_by_hand_is_repaired_without_the_additions_or_with_them() {
        let mut edited = (*old("redis:8")[0]).clone();
        edited.metadata.annotations.as_mut().unwrap().insert(ANNOTATION_RENDERED.to_owned(), "x".to_owned());
        let child = Child::new(&new("redis:8", 2), &[Arc::new(edited)]);
        assert_eq!(policy(&child), None);
    }
}
