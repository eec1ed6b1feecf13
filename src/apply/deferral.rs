//! What a newer operator would add to pods that run well without it waits for the next restart. Pure.
//!
//! A pod template that changes restarts every pod made from it. An upgrade of the operator must not do
//! that to all clusters at once, so a field that only later versions render is left out while it would
//! be all that changes, and goes along with the first change that restarts the pods anyway.

use serde_json::Value;

use super::child::{Live, digest};
use super::drift::covers;

/// What later versions added to pods, newest first; running pods need none of it.
const ADDITIONS: [Addition; 2] =
    [Addition::OfPods("readinessGates"), Addition::OfContainers("terminationMessagePolicy")];

/// A field, and where it is.
#[derive(Clone, Copy, Debug)]
enum Addition {
    /// Of the pod's spec.
    OfPods(&'static str),
    /// Of each container.
    OfContainers(&'static str),
}

/// The rendering to hold against the live object: with the additions, without the newest, and so on.
pub(super) fn settle(rendered: Value, live: Option<&Live>) -> Value {
    // What was written last is still right: most passes end here, without a look at the object.
    let Some(live) = live.filter(|live| live.digest.as_deref() != Some(&digest(&rendered))) else {
        return rendered;
    };
    let older = older_renderings(&rendered);
    if let Some(same) = older.iter().find(|older| live.digest.as_deref() == Some(&digest(older))) {
        return same.clone();
    }
    let template = "/spec/template";
    let has = |wanted: &Value| match (live.object.pointer(template), wanted.pointer(template)) {
        (Some(live), Some(wanted)) => covers(live, wanted),
        _ => false,
    };
    // The fullest that restarts nothing: one that leaves out what is there would restart the pods too.
    if has(&rendered) {
        return rendered;
    }
    older.into_iter().find(has).unwrap_or(rendered)
}

/// The workload as earlier versions would have rendered it, newest first; none of what has no pod
/// template, or holds no addition.
fn older_renderings(rendered: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut without = rendered.clone();
    for addition in ADDITIONS {
        if addition.take_from(&mut without) {
            all.push(without.clone());
        }
    }
    all
}

impl Addition {
    /// Whether it was there.
    fn take_from(self, workload: &mut Value) -> bool {
        let Some(pod) = workload.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else {
            return false;
        };
        let field = match self {
            Self::OfPods(field) => return pod.remove(field).is_some(),
            Self::OfContainers(field) => field,
        };
        let mut removed = false;
        for list in ["containers", "initContainers"] {
            for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                removed |= container.as_object_mut().is_some_and(|one| one.remove(field).is_some());
            }
        }
        removed
    }
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

    fn gated(image: &str) -> StatefulSet {
        let mut set = serde_json::to_value(new(image, 2)).unwrap();
        set["spec"]["template"]["spec"]["readinessGates"] = json!([{"conditionType": "member"}]);
        serde_json::from_value(set).unwrap()
    }

    fn gates(child: &Child) -> Option<&Value> {
        child.rendered.pointer("/spec/template/spec/readinessGates")
    }

    #[test]
    fn each_version_keeps_what_the_one_before_it_added() {
        let of_the_last_version = live(&Child::new(&new("redis:8", 2), &[]));
        let child = Child::new(&gated("redis:8"), &of_the_last_version);
        assert_eq!((gates(&child), policy(&child)), (None, Some(&json!("FallbackToLogsOnError"))));
        assert_eq!(Some(child.digest), child.live.unwrap().digest, "so nothing is written");

        let child = Child::new(&gated("redis:8"), &old("redis:8"));
        assert_eq!((gates(&child), policy(&child)), (None, None), "two versions at once");

        let child = Child::new(&gated("redis:9"), &of_the_last_version);
        assert!(gates(&child).is_some(), "with the next restart");
    }

    #[test]
    fn a_change_of_scale_after_an_upgrade_takes_nothing_away() {
        let of_the_last_version = live(&Child::new(&new("redis:8", 2), &[]));
        let mut scaled = gated("redis:8");
        scaled.spec.as_mut().unwrap().replicas = Some(3);
        let child = Child::new(&scaled, &of_the_last_version);
        assert_eq!((gates(&child), policy(&child)), (None, Some(&json!("FallbackToLogsOnError"))));
    }

    #[test]
    fn a_template_edited_by_hand_is_repaired_without_the_additions_or_with_them() {
        let mut edited = (*old("redis:8")[0]).clone();
        edited.metadata.annotations.as_mut().unwrap().insert(ANNOTATION_RENDERED.to_owned(), "x".to_owned());
        let child = Child::new(&new("redis:8", 2), &[Arc::new(edited)]);
        assert_eq!(policy(&child), None);
    }
}
