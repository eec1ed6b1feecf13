//! What an upgrade of the operator changes about clusters that exist: nothing unless it is said why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use eaiser_operator::desired;
use eaiser_operator::manifest;
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{ServedKinds, Snapshot};
use serde_json::Value;

/// Places in a pod template that differ from version 0.1.0, and why the pods of every cluster restart
/// for it once. `*` stands for any number.
const EXPLAINED: &[(&str, &str)] = &[(
    "/spec/template/spec/*/*/terminationMessagePolicy",
    "the last line of a crashing container's log reaches its pod's status, and so the condition",
)];

fn workloads(objects: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let is_workload = |object: &Value| matches!(object["kind"].as_str(), Some("StatefulSet" | "Deployment"));
    objects.into_iter().filter(is_workload).map(|object| (label(&object), object)).collect()
}

fn label(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

fn rendered_before() -> BTreeMap<String, Value> {
    let text = fs::read_to_string("tests/data/upgrade/workloads-0.1.0.yaml").unwrap();
    let documents = text.split("---\n").skip(1).map(|document| serde_saphyr::from_str(document).unwrap());
    workloads(documents)
}

fn rendered_now() -> BTreeMap<String, Value> {
    let text = fs::read_to_string("tests/data/upgrade/cluster.yaml").unwrap();
    let cluster = manifest::clusters(&text).unwrap().remove(0);
    let plan = manifest::plan(&cluster, &Settings::default()).unwrap();
    workloads(desired::build(&plan, &Snapshot::offline(ServedKinds::default())).objects())
}

/// Every place at which the two differ, list positions as `*`.
fn differences(old: &Value, new: &Value, place: &str, into: &mut BTreeSet<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                differences(&of(old), &of(new), &format!("{place}/{key}"), into);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (old, new) in old.iter().zip(new) {
                differences(old, new, &format!("{place}/*"), into);
            }
        }
        (old, new) if old != new => {
            into.insert(place.to_owned());
        }
        _ => {}
    }
}

/// The pattern that explains a place.
fn explanation(place: &str) -> Option<&'static str> {
    let fits = |pattern: &str| {
        pattern.split('/').count() == place.split('/').count()
            && pattern.split('/').zip(place.split('/')).all(|(word, part)| word == "*" || word == part)
    };
    EXPLAINED.iter().map(|(pattern, _)| *pattern).find(|pattern| fits(pattern))
}

#[test]
fn a_pod_template_differs_from_the_version_befores_only_where_it_is_explained() {
    let (before, now) = (rendered_before(), rendered_now());
    assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    let mut used = BTreeSet::new();
    for (label, old) in &before {
        let mut places = BTreeSet::new();
        differences(&old["spec"]["template"], &now[label]["spec"]["template"], "/spec/template", &mut places);
        used.extend(places.iter().filter_map(|place| explanation(place)));
        let unexplained: Vec<_> = places.iter().filter(|place| explanation(place).is_none()).collect();
        assert!(unexplained.is_empty(), "{label} restarts its pods on an upgrade for {unexplained:?}");
    }
    for (pattern, _) in EXPLAINED {
        assert!(used.contains(pattern), "{pattern} is explained, but does not differ");
    }
}

#[test]
fn nothing_immutable_of_a_stateful_set_changes_with_the_operators_version() {
    let (before, now) = (rendered_before(), rendered_now());
    for (label, old) in before.iter().filter(|(label, _)| label.starts_with("StatefulSet/")) {
        for field in ["serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"] {
            assert_eq!(old["spec"][field], now[label]["spec"][field], "{label}: {field}");
        }
    }
}
