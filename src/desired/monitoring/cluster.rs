//! The series of one cluster and how its rules are labelled. Pure.
//!
//! Three sources speak about a cluster, each with labels of its own:
//!
//! | source | labels that name the cluster |
//! |---|---|
//! | the backend and `up` | `namespace` and `service` of the scraped Service, as a ServiceMonitor sets them |
//! | the operator's gauges | `namespace` and `name`; a scrape that does not honour labels turns the former into `exported_namespace` |
//! | recorded series and alerts | `namespace` and `eaisercluster`, set by the rules |

use std::collections::BTreeMap;

use super::promql::Selector;
use crate::desired::kinds::Rule;
use crate::plan::Plan;

/// How loud an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Wakes somebody: users notice now.
    Critical,
    /// Waits for the working day.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// One alert before it gets its labels and its runbook.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Name; the runbook bears it too.
    pub name: &'static str,
    /// How long the expression must hold; at once when absent.
    pub hold: Option<&'static str>,
    /// How loud.
    pub severity: Severity,
    /// `PromQL`.
    pub expr: String,
    /// One sentence with the value.
    pub summary: String,
}

/// Labels of a cluster's recorded series and alerts.
pub fn labels(plan: &Plan) -> BTreeMap<String, String> {
    let identity = &plan.identity;
    [("namespace", &identity.namespace), ("eaisercluster", &identity.name)]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
}

/// Series of the scraped API pods.
pub fn api(plan: &Plan, metric: &str) -> Selector {
    let identity = &plan.identity;
    Selector::new(metric).equal("namespace", &identity.namespace).equal("service", &identity.api_pods())
}

/// Series that this cluster's rules recorded.
pub fn recorded(plan: &Plan, metric: &str) -> Selector {
    let identity = &plan.identity;
    Selector::new(metric).equal("namespace", &identity.namespace).equal("eaisercluster", &identity.name)
}

/// A gauge of the operator about this cluster.
pub fn gauge(plan: &Plan, metric: &str) -> String {
    let identity = &plan.identity;
    gauge_of(metric, &identity.namespace, &identity.name)
}

/// A gauge of the operator about a cluster, whether or not its scrape honours labels. Several
/// replicas of the operator may know the cluster; only one of them looks after it.
pub fn gauge_of(metric: &str, namespace: &str, name: &str) -> String {
    let named = Selector::new(metric).equal("name", name);
    let renamed = named.clone().equal("exported_namespace", namespace);
    let honoured = named.equal("namespace", namespace).equal("exported_namespace", "");
    format!("max({renamed} or {honoured})")
}

/// A recording rule.
pub fn record(plan: &Plan, name: &str, expr: String) -> Rule {
    Rule { record: Some(name.to_owned()), expr, labels: labels(plan), ..Rule::default() }
}

/// An alerting rule with the cluster's labels, its name in the summary, and its runbook.
pub fn alert(plan: &Plan, alert: Alert) -> Rule {
    let who = format!("{}/{}", plan.identity.namespace, plan.identity.name);
    rule(alert, labels(plan), &who, &plan.monitoring.runbook_base_url)
}

/// An alerting rule about `who`.
pub fn rule(alert: Alert, mut labels: BTreeMap<String, String>, who: &str, runbooks: &str) -> Rule {
    let Alert { name, hold, severity, expr, summary } = alert;
    labels.insert("severity".to_owned(), severity.as_str().to_owned());
    let annotations = [
        ("summary".to_owned(), format!("{who}: {summary}")),
        ("runbook_url".to_owned(), format!("{runbooks}/{name}.md")),
    ];
    Rule {
        alert: Some(name.to_owned()),
        expr,
        hold: hold.map(str::to_owned),
        labels,
        annotations: annotations.into(),
        ..Rule::default()
    }
}
