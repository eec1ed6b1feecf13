//! Recording and alerting rules of one cluster. Pure.
//!
//! They read what the backend publishes (`http_requests_total`, `http_request_duration_seconds`,
//! `http_requests_in_flight` and, where it has them, the metrics of its stores), Prometheus' own
//! `up`, and the operator's gauges about the cluster.

use super::cluster::{Alert, alert};
use super::{databases, instances, objectives, traffic};
use crate::desired::kinds::{PrometheusRuleSpec, RuleGroup};
use crate::plan::{Mode, Plan};

/// Groups of rules. A cluster that stands still on purpose keeps its records and has no alerts.
pub fn groups(plan: &Plan) -> Vec<RuleGroup> {
    let group =
        |name: &str, rules| RuleGroup { name: format!("eaiser-{}-{name}", plan.identity.name), rules };
    let mut groups = vec![group("records", traffic::rules(plan))];
    groups.extend(objectives::groups(plan));
    if plan.mode != Mode::Stopped {
        let finished = |alerts: Vec<Alert>| alerts.into_iter().map(|found| alert(plan, found)).collect();
        groups.push(group("moment", finished(objectives::momentary(plan))));
        groups.push(group("instances", finished(instances::alerts(plan))));
        groups.push(group("databases", finished(databases::alerts(plan))));
    }
    groups
}

/// The groups as a rule file of Prometheus. YAML is a superset of JSON, and JSON quotes safely.
pub fn file(spec: &PrometheusRuleSpec) -> String {
    serde_saphyr::to_string(spec).unwrap_or_default()
}
