//! Fields that the API server never changes in place, and what to do about one that has to. Pure.
//!
//! Our renderings keep these fields for ever, so one that differs comes from a newer version of the
//! operator, or from somebody who made the object anew by hand. Sending it would be refused with
//! every pass; so it is found out beforehand. What can be made anew without loss is; of the rest the
//! object and the field are reported, and nothing is sent.

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::child::{Child, Live};
use super::drift::covers;

/// The garbage collector lets pods go by its own picture of who owns them, which is a moment behind.
/// Pods that a StatefulSet has only just adopted it would take along with it.
const ADOPTION_SECONDS: i64 = 15;

/// What a difference in a field that cannot be changed leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Delete the object and leave its pods running; the next one of the name adopts them.
    RecreateAroundPods,
    /// Delete the object; the next one is the same but for the field.
    Recreate,
    /// Tell a person: making it anew would lose something.
    Report,
}

/// A field that differs and cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Immutable {
    /// The field.
    pub field: &'static str,
    /// What to do.
    pub remedy: Remedy,
}

impl Immutable {
    /// Whether the object is too young to be taken from around its pods.
    pub fn is_too_soon(self, live: &Live, now: Timestamp) -> bool {
        let created = live.object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
        let created: Option<Timestamp> = created.and_then(|text| text.parse().ok());
        self.remedy == Remedy::RecreateAroundPods
            && created.is_some_and(|created| now.duration_since(created).as_secs() < ADOPTION_SECONDS)
    }
}

/// Finds the first field of the live object that would have to change and cannot.
pub fn find(child: &Child, live: &Live) -> Option<Immutable> {
    let differs = |pointer: &str| differs(child, live, pointer);
    match child.resource.kind.as_str() {
        "StatefulSet" => {
            let selector = is_other_selector(child, live).then_some("spec.selector");
            let field = selector
                .or_else(|| differs("/spec/serviceName").then_some("spec.serviceName"))
                .or_else(|| differs("/spec/podManagementPolicy").then_some("spec.podManagementPolicy"))
                .or_else(|| differs("/spec/volumeClaimTemplates").then_some("spec.volumeClaimTemplates"))?;
            let remedy = if adopts(child, live) { Remedy::RecreateAroundPods } else { Remedy::Report };
            Some(Immutable { field, remedy })
        }
        // A Deployment made anew would start from one pod, and a Secret holds what cannot be drawn
        // a second time.
        "Deployment" => is_other_selector(child, live)
            .then_some(Immutable { field: "spec.selector", remedy: Remedy::Report }),
        "Secret" if differs("/type") => Some(Immutable { field: "type", remedy: Remedy::Report }),
        "Secret" if is_sealed(live) && differs("/data") => {
            Some(Immutable { field: "immutable", remedy: Remedy::Report })
        }
        "ConfigMap" if is_sealed(live) && differs("/data") => {
            Some(Immutable { field: "immutable", remedy: Remedy::Recreate })
        }
        "Service" if is_headless(&child.rendered) != is_headless(&live.object) => {
            Some(Immutable { field: "spec.clusterIP", remedy: Remedy::Recreate })
        }
        _ => None,
    }
}

/// Whether what we render at this place is not what is there.
fn differs(child: &Child, live: &Live, pointer: &str) -> bool {
    let (rendered, live) = (child.rendered.pointer(pointer), live.object.pointer(pointer));
    match (rendered, live) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(rendered), Some(live)) => !covers(live, rendered),
    }
}

/// A selector with one label more selects fewer pods, so it must be the same to the letter.
fn is_other_selector(child: &Child, live: &Live) -> bool {
    let of = |object: &Value| object.pointer("/spec/selector/matchLabels").cloned();
    of(&child.rendered) != of(&live.object)
}

/// Whether the pods that the live object made bear every label that ours selects by. Others would be
/// left behind, and hold names that the new StatefulSet needs.
fn adopts(child: &Child, live: &Live) -> bool {
    let wanted = child.rendered.pointer("/spec/selector/matchLabels");
    let labels = live.object.pointer("/spec/template/metadata/labels");
    wanted.zip(labels).is_some_and(|(wanted, labels)| covers(labels, wanted))
}

/// Somebody marked the object as never to change.
fn is_sealed(live: &Live) -> bool {
    live.object.pointer("/immutable") == Some(&Value::Bool(true))
}

fn is_headless(service: &Value) -> bool {
    service.pointer("/spec/clusterIP").and_then(Value::as_str) == Some("None")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
    use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
    use k8s_openapi::jiff::SignedDuration;
    use kube::Resource;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;

    fn found<K>(rendered: &str, live: &str) -> Option<Immutable>
    where
        K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let object = |yaml: &str| serde_saphyr::from_str::<K>(yaml).ok();
        let child = Child::new(&object(rendered)?, &[Arc::new(object(live)?)]);
        find(&child, child.live.as_ref()?)
    }

    const SET: &str = "{metadata: {name: db}, spec: {serviceName: db, podManagementPolicy: Parallel, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b, c: d}}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 1024Mi}}}}]}}";

    fn around_pods(field: &'static str) -> Immutable {
        Immutable { field, remedy: Remedy::RecreateAroundPods }
    }

    #[test]
    fn pods_that_were_only_just_adopted_are_not_orphaned_yet() {
        let too_soon = |remedy, age: i64| {
            let set = SET.replace(
                "name: db}, spec: {serv",
                "name: db, creationTimestamp: \"2026-01-01T00:00:00Z\"}, spec: {serv",
            );
            let set: StatefulSet = serde_saphyr::from_str(&set).unwrap();
            let now = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(age);
            Immutable { field: "spec.serviceName", remedy }.is_too_soon(&Live::of(&Arc::new(set)), now)
        };
        assert!(too_soon(Remedy::RecreateAroundPods, 14));
        assert!(!too_soon(Remedy::RecreateAroundPods, 15));
        assert!(!too_soon(Remedy::Recreate, 0), "nothing is orphaned");
    }

    #[test]
    fn a_stateful_set_is_made_anew_around_its_pods() {
        let cases = [
            ("serviceName: db", "serviceName: other", "spec.serviceName"),
            (
                "podManagementPolicy: Parallel",
                "podManagementPolicy: OrderedReady",
                "spec.podManagementPolicy",
            ),
            ("storage: 1024Mi", "storage: 2Gi", "spec.volumeClaimTemplates"),
            ("matchLabels: {a: b}", "matchLabels: {a: b, c: d}", "spec.selector"),
        ];
        for (ours, theirs, field) in cases {
            assert_eq!(found::<StatefulSet>(SET, &SET.replace(ours, theirs)), Some(around_pods(field)));
        }
    }

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let live = SET
            .replace("storage: 1024Mi}}", "storage: 1Gi}}, volumeMode: Filesystem")
            .replace("serviceName: db", "serviceName: db, revisionHistoryLimit: 10");
        assert_eq!(found::<StatefulSet>(SET, &live), None);
        let other = live.replace("storage: 1Gi", "storage: 2Gi");
        assert!(found::<StatefulSet>(SET, &other).is_some(), "the same object with another size");
    }

    #[test]
    fn a_stateful_set_whose_pods_would_be_left_behind_is_reported() {
        let live =
            SET.replace("matchLabels: {a: b}", "matchLabels: {c: d}").replace("{a: b, c: d}", "{c: d}");
        let expected = Immutable { field: "spec.selector", remedy: Remedy::Report };
        assert_eq!(found::<StatefulSet>(SET, &live), Some(expected));
    }

    #[test]
    fn a_deployment_and_a_secret_are_never_made_anew() {
        let deployment = "{metadata: {name: api}, spec: {selector: {matchLabels: {a: b}}, template: {}}}";
        let found_one = found::<Deployment>(deployment, &deployment.replace("a: b", "a: c")).unwrap();
        assert_eq!((found_one.field, found_one.remedy), ("spec.selector", Remedy::Report));
        let secret = "{metadata: {name: key}, type: Opaque, data: {a: YQ==}}";
        let sealed = secret.replace("YQ==", "Yg==").replace("type:", "immutable: true, type:");
        for live in [secret.replace("Opaque", "kubernetes.io/basic-auth"), sealed] {
            assert_eq!(
                found::<Secret>(secret, &live).map(|found| found.remedy),
                Some(Remedy::Report),
                "{live}"
            );
        }
    }

    #[test]
    fn a_sealed_config_map_and_a_service_of_the_other_sort_are_made_anew() {
        let map = "{metadata: {name: rules}, data: {a: x}}";
        let sealed = map.replace("a: x", "a: y").replace(", data:", ", immutable: true, data:");
        assert_eq!(found::<ConfigMap>(map, &sealed).map(|found| found.remedy), Some(Remedy::Recreate));
        assert_eq!(
            found::<ConfigMap>(map, &map.replace("a: x", "a: y")),
            None,
            "an open one is just changed"
        );

        let (headless, other) = (
            "{metadata: {name: s}, spec: {clusterIP: None}}",
            "{metadata: {name: s}, spec: {clusterIP: 10.0.0.7}}",
        );
        let any = "{metadata: {name: s}, spec: {ports: []}}";
        for (rendered, live) in [(headless, other), (any, headless)] {
            let expected = Immutable { field: "spec.clusterIP", remedy: Remedy::Recreate };
            assert_eq!(found::<Service>(rendered, live), Some(expected));
        }
        assert_eq!(found::<Service>(any, other), None);
    }
}
