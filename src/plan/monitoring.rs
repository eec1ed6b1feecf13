//! Derived settings of rules and monitors.

use std::collections::BTreeMap;

use super::Problem;
use crate::crd::{EaiserClusterSpec, MonitoringMode};

/// Where the project's runbooks live.
const RUNBOOKS: &str = "https://github.com/eaiser/eaiser-operator/blob/main/docs/runbooks";

/// Rules and monitors.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitoringPlan {
    /// Which kinds are made.
    pub mode: MonitoringMode,
    /// Extra labels of PrometheusRule and ServiceMonitor.
    pub rule_labels: BTreeMap<String, String>,
    /// Start of each runbook link, without a slash at its end.
    pub runbook_base_url: String,
    /// 95 % of requests are answered within this many seconds.
    pub latency_p95_seconds: f64,
    /// Share of requests that may fail over 30 days.
    pub error_budget: f64,
    /// Share of failing requests that fires an alert at once.
    pub error_rate: f64,
}

/// Plans monitoring.
pub fn plan(spec: &EaiserClusterSpec, problems: &mut Vec<Problem>) -> MonitoringPlan {
    let objectives = &spec.capacity.objectives;
    let latency = seconds(&objectives.latency_p95);
    if latency.is_none() {
        problems.push(Problem::new(
            "spec.capacity.objectives.latencyP95",
            format!("`{}` is not a duration; write for example 500ms or 2s", objectives.latency_p95),
        ));
    }
    MonitoringPlan {
        mode: spec.monitoring.mode,
        rule_labels: spec.monitoring.rule_labels.clone(),
        runbook_base_url: spec
            .monitoring
            .runbook_base_url
            .as_deref()
            .unwrap_or(RUNBOOKS)
            .trim_end_matches('/')
            .to_owned(),
        latency_p95_seconds: latency.unwrap_or(0.5),
        error_budget: 1.0 - objectives.availability / 100.0,
        error_rate: objectives.error_rate / 100.0,
    }
}

/// Seconds in `250ms` or `2s`.
fn seconds(text: &str) -> Option<f64> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let value: u32 = number.parse().ok().filter(|value| *value > 0)?;
    Some(f64::from(value) * factor)
}
