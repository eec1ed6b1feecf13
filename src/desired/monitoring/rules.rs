//! Recording and alerting rules of one cluster, from its objectives. Pure.
//!
//! They read what the backend publishes (`http_requests_total`, `http_request_duration_seconds`,
//! `http_requests_in_flight`) and Prometheus' own `up`. Series are matched by the scraped Service's
//! namespace and name, which a ServiceMonitor sets as labels.

use std::collections::BTreeMap;

use crate::desired::kinds::{PrometheusRuleSpec, Rule, RuleGroup};
use crate::plan::Plan;

/// Groups of rules.
pub fn groups(plan: &Plan) -> Vec<RuleGroup> {
    let series = Series::of(plan);
    vec![
        RuleGroup { name: format!("eaiser-{}-recording", plan.identity.name), rules: recording(&series) },
        RuleGroup { name: format!("eaiser-{}-api", plan.identity.name), rules: alerts(plan, &series) },
    ]
}

/// The groups as a rule file of Prometheus. YAML is a superset of JSON, and JSON quotes safely.
pub fn file(spec: &PrometheusRuleSpec) -> String {
    serde_saphyr::to_string(spec).unwrap_or_default()
}

/// Label matchers that pick one cluster's series.
struct Series {
    matchers: String,
    labels: BTreeMap<String, String>,
}

impl Series {
    fn of(plan: &Plan) -> Self {
        let identity = &plan.identity;
        // Names and namespaces are DNS labels: nothing in them needs escaping in PromQL.
        let matchers = format!(r#"namespace="{}",service="{}""#, identity.namespace, identity.api_pods());
        let labels = [("namespace", &identity.namespace), ("eaisercluster", &identity.name)];
        Self { matchers, labels: labels.map(|(key, value)| (key.to_owned(), value.clone())).into() }
    }
}

fn recording(series: &Series) -> Vec<Rule> {
    let Series { matchers, labels } = series;
    let record = |name: &str, expr: String| Rule {
        record: Some(name.to_owned()),
        expr,
        labels: labels.clone(),
        ..Rule::default()
    };
    vec![
        record("eaiser:requests:rate5m", format!("sum(rate(http_requests_total{{{matchers}}}[5m]))")),
        record(
            "eaiser:errors:ratio_rate5m",
            format!(
                r#"(sum(rate(http_requests_total{{{matchers},status=~"5.."}}[5m])) or vector(0)) / sum(rate(http_requests_total{{{matchers}}}[5m]))"#
            ),
        ),
        record(
            "eaiser:latency:p95_5m",
            format!(
                "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{{{matchers}}}[5m])))"
            ),
        ),
        record("eaiser:requests_in_flight:sum", format!("sum(http_requests_in_flight{{{matchers}}})")),
    ]
}

/// Requests per second below which ratios say nothing: one failed request must not page.
const TRAFFIC_FLOOR: f64 = 1.0;

fn alerts(plan: &Plan, series: &Series) -> Vec<Rule> {
    let identity = &plan.identity;
    let monitoring = &plan.monitoring;
    let picked = format!(r#"namespace="{}",eaisercluster="{}""#, identity.namespace, identity.name);
    let floor = format!("eaiser:requests:rate5m{{{picked}}} > {TRAFFIC_FLOOR}");
    let alert = |name: &str, hold: &str, severity: &str, expr: String, summary: String| Rule {
        alert: Some(name.to_owned()),
        expr,
        hold: Some(hold.to_owned()),
        labels: series
            .labels
            .clone()
            .into_iter()
            .chain([("severity".to_owned(), severity.to_owned())])
            .collect(),
        annotations: [
            ("summary".to_owned(), summary),
            ("runbook_url".to_owned(), format!("{}/{name}.md", monitoring.runbook_base_url)),
        ]
        .into(),
        ..Rule::default()
    };
    let who = format!("{}/{}", identity.namespace, identity.name);
    vec![
        alert(
            "EaiserErrorRateHigh",
            "2m",
            "critical",
            format!("eaiser:errors:ratio_rate5m{{{picked}}} > {} and {floor}", monitoring.error_rate),
            format!(
                "{who}: {{{{ $value | humanizePercentage }}}} of requests fail, objective {}",
                percent(monitoring.error_rate)
            ),
        ),
        alert(
            "EaiserLatencyHigh",
            "5m",
            "warning",
            format!("eaiser:latency:p95_5m{{{picked}}} > {} and {floor}", monitoring.latency_p95_seconds),
            format!(
                "{who}: 95 % of requests take up to {{{{ $value | humanizeDuration }}}}, objective {}s",
                monitoring.latency_p95_seconds
            ),
        ),
        alert(
            "EaiserInFlightAboveKnee",
            "1m",
            "warning",
            format!(
                "eaiser:requests_in_flight:sum{{{picked}}} > {} * count(up{{{}}} == 1)",
                plan.api.max_in_flight, series.matchers
            ),
            format!("{who}: more requests are in flight than the instances serve without slowing down"),
        ),
        alert(
            "EaiserInstancesDown",
            "5m",
            "critical",
            format!("count(up{{{}}} == 1) < {}", series.matchers, plan.api.replicas.fewest()),
            format!(
                "{who}: {{{{ $value }}}} API instances answer, the plan needs at least {}",
                plan.api.replicas.fewest()
            ),
        ),
        alert(
            "EaiserMetricsAbsent",
            "5m",
            "critical",
            format!("absent(up{{{}}})", series.matchers),
            format!("{who}: Prometheus sees no API instance at all"),
        ),
    ]
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 100_000.0).round() / 1000.0)
}
