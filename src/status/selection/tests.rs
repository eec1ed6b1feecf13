//! What is said for each way a Prometheus may choose; fixtures are specs as people write them.

use std::sync::Arc;

use super::*;
use crate::manifest;
use crate::settings::Settings;
use crate::snapshot::{Prometheuses, ServedKinds};

const CLUSTER: &str = "{apiVersion: eaiser.io/v1alpha1, kind: EaiserCluster, metadata: {name: eaiser, namespace: shop}, spec: {capacity: {users: 10}, api: {image: a}, monitoring: {ruleLabels: {release: kps}}}}";

fn seen(sight: Sight, specs: &[&str]) -> Verdict {
    let document = manifest::clusters(CLUSTER).unwrap().remove(0);
    let plan = manifest::plan(&document, &Settings::default()).unwrap();
    let served = ServedKinds { prometheus_rules: true, service_monitors: true };
    let known = specs.iter().map(|spec| {
        let mut prometheus = Prometheus::new("k8s", serde_saphyr::from_str(spec).unwrap());
        prometheus.metadata.namespace = Some("monitoring".to_owned());
        Arc::new(prometheus)
    });
    let prometheuses = Prometheuses { sight, known: known.collect() };
    verdict(&plan, &Snapshot { prometheuses, ..Snapshot::offline(served) })
}

const EVERYTHING: &str = "{ruleSelector: {}, ruleNamespaceSelector: {}, serviceMonitorSelector: {}, serviceMonitorNamespaceSelector: {}}";

#[test]
fn a_prometheus_that_selects_everything_is_named() {
    let verdict = seen(Sight::Everywhere, &[EVERYTHING]);
    assert!(verdict.holds);
    assert!(verdict.message.contains("PrometheusRule by Prometheus monitoring/k8s"), "{}", verdict.message);
}

#[test]
fn labels_that_fit_are_enough_and_the_namespace_may_be_named() {
    let spec = "{ruleSelector: {matchLabels: {release: kps}}, ruleNamespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, serviceMonitorSelector: {matchExpressions: [{key: release, operator: In, values: [kps, other]}]}, serviceMonitorNamespaceSelector: {}}";
    assert!(seen(Sight::Everywhere, &[spec]).holds);
}

#[test]
fn one_of_several_that_selects_is_enough() {
    assert!(seen(Sight::Everywhere, &["{}", EVERYTHING]).holds);
}

#[test]
fn who_selects_by_other_labels_is_named_with_them() {
    let other = EVERYTHING.replace("ruleSelector: {}", "ruleSelector: {matchLabels: {release: other}}");
    let verdict = seen(Sight::Everywhere, &[&other]);
    assert_eq!((verdict.holds, verdict.reason, verdict.failing), (false, "NotSelected", false));
    for word in ["monitoring/k8s", "PrometheusRule", "release=other", "spec.monitoring.ruleLabels"] {
        assert!(verdict.message.contains(word), "`{word}` is missing in: {}", verdict.message);
    }
}

#[test]
fn rules_that_are_read_do_not_hide_a_monitor_that_is_not() {
    let other =
        EVERYTHING.replace("serviceMonitorSelector: {}", "serviceMonitorSelector: {matchLabels: {team: a}}");
    let verdict = seen(Sight::Everywhere, &[&other]);
    assert!(!verdict.holds && verdict.message.contains("ServiceMonitor by team=a"), "{}", verdict.message);
}

#[test]
fn an_absent_selector_selects_nothing_and_an_absent_namespace_selector_its_own_namespace() {
    let nothing = EVERYTHING.replace("ruleSelector: {}, ", "");
    assert!(seen(Sight::Everywhere, &[&nothing]).message.contains("its selector is absent"));
    let own = EVERYTHING.replace("ruleNamespaceSelector: {}, ", "");
    let verdict = seen(Sight::Everywhere, &[&own]);
    assert!(!verdict.holds && verdict.message.contains("namespace shop"), "{}", verdict.message);
}

#[test]
fn what_cannot_be_seen_is_not_judged() {
    let labelled =
        EVERYTHING.replace("ruleNamespaceSelector: {}", "ruleNamespaceSelector: {matchLabels: {team: a}}");
    for (sight, specs) in
        [(Sight::None, vec![]), (Sight::Namespace, vec!["{}"]), (Sight::Everywhere, vec![labelled.as_str()])]
    {
        let verdict = seen(sight, &specs);
        assert!(verdict.holds && verdict.message.contains("not judged"), "{sight:?}: {}", verdict.message);
    }
}
