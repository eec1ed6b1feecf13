//! Derived settings of rules and monitors.

use std::collections::BTreeMap;

use super::Problem;
use crate::crd::{EaiserClusterSpec, MonitoringMode};

/// Where the project's runbooks live.
pub const RUNBOOKS: &str = "https://github.com/eaiser/eaiser-operator/blob/main/docs/runbooks";

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
    /// Bound of the backend's latency histogram that stands in for the objective.
    pub latency_bound_seconds: f64,
    /// Share of requests that may fail over 30 days.
    pub error_budget: f64,
    /// Share of failing requests that fires an alert at once.
    pub error_rate: f64,
    /// Requests in flight that one instance serves without slowing down.
    pub knee_in_flight: i64,
}

/// Bounds of `http_request_duration_seconds`, as the backend's contract has them.
const LATENCY_BOUNDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];

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
    let latency = latency.unwrap_or(0.5);
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
        latency_p95_seconds: latency,
        latency_bound_seconds: bound(latency),
        error_budget: 1.0 - objectives.availability / 100.0,
        error_rate: objectives.error_rate / 100.0,
        knee_in_flight: spec.capacity.instance.knee_in_flight,
    }
}

/// The smallest bound that is not stricter than the objective: a request within the objective is
/// never counted as slow. Beyond the largest bound nothing can be told apart, so that one is taken.
fn bound(objective: f64) -> f64 {
    let [.., largest] = LATENCY_BOUNDS;
    LATENCY_BOUNDS.into_iter().find(|bound| *bound >= objective - 1e-9).unwrap_or(largest)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_between_two_bounds_is_measured_at_the_upper_one() {
        for (objective, measured) in [(0.5, 0.5), (0.6, 0.75), (0.000_5, 0.001), (2.0, 2.5), (30.0, 10.0)] {
            assert!(
                (bound(objective) - measured).abs() < 1e-12,
                "{objective} is measured at {}",
                bound(objective)
            );
        }
    }

    #[test]
    fn the_bounds_are_those_of_the_example_backend() {
        let source = std::fs::read_to_string("examples/backend/app/metrics.py").unwrap();
        let list = source.split("LATENCY_BUCKETS = (").nth(1).unwrap().split(')').next().unwrap();
        let published: Vec<f64> = list.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        assert_eq!(published, LATENCY_BOUNDS);
    }
}
