//! What an upgrade of the operator changes about clusters that exist: no pod restarts for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use eaiser_operator::apply::Child;
use eaiser_operator::desired::{self, Desired};
use eaiser_operator::manifest;
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{ServedKinds, Snapshot};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Workloads as version 0.1.0 rendered them, by kind and name.
fn rendered_before() -> BTreeMap<String, Value> {
    let text = fs::read_to_string("tests/data/upgrade/workloads-0.1.0.yaml").unwrap();
    let objects = text.split("---\n").skip(1).map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let label = |object: &Value| {
        format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    objects.map(|object| (label(&object), object)).collect()
}

fn rendered_now() -> Desired {
    let text = fs::read_to_string("tests/data/upgrade/cluster.yaml").unwrap();
    let cluster = manifest::clusters(&text).unwrap().remove(0);
    let plan = manifest::plan(&cluster, &Settings::default()).unwrap();
    desired::build(&plan, &Snapshot::offline(ServedKinds::default()))
}

/// What would be applied over the workloads of the version before.
fn applied_now(before: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let now = rendered_now();
    let mut applied = BTreeMap::new();
    applied.extend(now.stateful_sets.iter().map(|set| over(set, before)));
    applied.extend(now.deployments.iter().map(|deployment| over(deployment, before)));
    applied
}

fn over<K>(object: &K, before: &BTreeMap<String, Value>) -> (String, Value)
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let label = format!("{}/{}", K::kind(&()), object.meta().name.as_deref().unwrap());
    let live: Option<K> = before.get(&label).map(|old| serde_json::from_value(old.clone()).unwrap());
    (label, Child::new(object, &live.map(Arc::new).into_iter().collect::<Vec<_>>()).rendered)
}

/// Every place at which the two differ.
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
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(old, new, &format!("{place}/{index}"), into);
            }
        }
        (old, new) if old != new => {
            into.insert(place.to_owned());
        }
        _ => {}
    }
}

/// Where a template tells what its pods read at start: a correction of nginx.conf has to reach them, and
/// they are replaced one after the other without a lost request.
const GATEWAY: &str = "Deployment/eaiser-gateway";
const CONFIGURATION: &str = "/spec/template/metadata/annotations/eaiser.io/configuration";

#[test]
fn no_pod_template_of_the_version_before_changes_but_for_a_corrected_nginx_configuration() {
    let before = rendered_before();
    let now = applied_now(&before);
    assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    for (label, old) in &before {
        let mut places = BTreeSet::new();
        differences(&old["spec"]["template"], &now[label]["spec"]["template"], "/spec/template", &mut places);
        if label == GATEWAY {
            assert!(places.remove(CONFIGURATION), "nothing was corrected: nothing need be excepted");
            continue;
        }
        assert!(
            places.is_empty(),
            "an upgrade restarts the pods of {label} for {places:?}; let src/apply/deferral.rs put that off"
        );
    }
}

#[test]
fn what_is_put_off_is_in_new_clusters() {
    let now = applied_now(&BTreeMap::new());
    for (label, old) in rendered_before() {
        assert_ne!(old["spec"]["template"], now[&label]["spec"]["template"], "{label}: nothing is put off");
    }
}

#[test]
fn nothing_immutable_of_a_stateful_set_changes_with_the_operators_version() {
    let before = rendered_before();
    let now = applied_now(&before);
    for (label, old) in before.iter().filter(|(label, _)| label.starts_with("StatefulSet/")) {
        for field in ["serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"] {
            assert_eq!(old["spec"][field], now[label]["spec"][field], "{label}: {field}");
        }
    }
}
