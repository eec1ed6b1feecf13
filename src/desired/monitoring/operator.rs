//! Rules about the operator itself, one file for the chart. Pure.
//!
//! An operator is known by the namespace and Service it is scraped at, so that several releases in
//! one Prometheus are told apart.

use std::collections::BTreeMap;

use super::cluster::{Alert, Severity, rule};
use super::promql::Selector;
use crate::desired::kinds::{PrometheusRuleSpec, RuleGroup};
use crate::plan::monitoring::RUNBOOKS;

/// The rules.
pub fn rules() -> PrometheusRuleSpec {
    let finish = |alert| rule(alert, BTreeMap::new(), "the operator", RUNBOOKS);
    let alerts = leadership().into_iter().chain(work());
    PrometheusRuleSpec {
        groups: vec![RuleGroup { name: "eaiser-operator".to_owned(), rules: alerts.map(finish).collect() }],
    }
}

fn leadership() -> [Alert; 3] {
    let leaders = format!("sum by (namespace, service) ({})", Selector::new("eaiser_operator_leader"));
    [
        Alert {
            name: "EaiserOperatorAbsent",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: format!("absent({})", Selector::new("eaiser_operator_leader")),
            summary: "Prometheus sees none: clusters serve on, but nothing is repaired or changed".to_owned(),
        },
        Alert {
            name: "EaiserOperatorNoLeader",
            hold: Some("2m"),
            severity: Severity::Warning,
            expr: format!("{leaders} == 0"),
            summary: "no replica in {{ $labels.namespace }} holds the lease: nothing is reconciled"
                .to_owned(),
        },
        Alert {
            name: "EaiserOperatorTwoLeaders",
            hold: Some("2m"),
            severity: Severity::Critical,
            expr: format!("{leaders} > 1"),
            summary: "{{ $value }} replicas in {{ $labels.namespace }} claim the lease".to_owned(),
        },
    ]
}

fn work() -> [Alert; 2] {
    let failed = Selector::new("eaiser_operator_reconciles_total").unlike("outcome", "ok");
    let loops = Selector::new("eaiser_operator_hot_loops_total");
    [
        Alert {
            name: "EaiserOperatorReconcileFailures",
            hold: Some("15m"),
            severity: Severity::Warning,
            expr: format!("sum by (namespace, service, outcome) ({}) > 0", failed.rate()),
            summary: "passes fail with {{ $labels.outcome }}, {{ $value | humanize }} a second".to_owned(),
        },
        Alert {
            name: "EaiserOperatorHotLoop",
            hold: None,
            severity: Severity::Warning,
            expr: format!("sum by (namespace, service) (increase({loops}[30m])) > 0"),
            summary: "a cluster was looked at again and again, and nothing new came of it".to_owned(),
        },
    ]
}
