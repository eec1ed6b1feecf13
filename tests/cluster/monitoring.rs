//! Rules and dashboard against a real Prometheus that scrapes a real cluster.

use std::collections::{BTreeMap, BTreeSet};

use eaiser_operator::desired::kinds::PrometheusRuleSpec;
use eaiser_operator::desired::monitoring::{dashboard, operator};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, NAME, example_with};
use crate::support::prometheus::Prometheus;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, http, scenario, until};

/// Requests a second, and for how long: above the floor below which ratios say nothing.
const LOAD: (u32, u64) = (10, 40);

#[test]
#[ignore = "needs a cluster: make test"]
fn every_rule_and_every_panel_reads_metrics_that_exist() {
    scenario(Needs::Lab, seconds(420), async |world| {
        let operator = Operator::start(world);
        // A lab that serves PrometheusRule would have the rules where no Prometheus of ours looks.
        let manifest = example_with(json!({"monitoring": {"mode": "ConfigMap"}}));
        Cluster::apply(world, manifest).await.ready(FORMED_WITHIN).await;
        let prometheus = Prometheus::start(world, &operator).await;
        send_requests(world).await;

        every_rule_is_evaluated(&prometheus).await;
        let rules = rule_queries(world).await;
        let panels = panel_queries(world);
        let metrics = metrics_of(&prometheus, rules.iter().chain(&panels)).await;
        every_metric_exists(&prometheus, &metrics).await;
        every_panel_shows_something(&prometheus, &panels).await;
        nothing_alarms(&prometheus).await;
        println!(
            "{} rules and {} panel queries read {} metrics; all exist",
            rules.len(),
            panels.len(),
            metrics.len()
        );
    });
}

async fn send_requests(world: &World) {
    let (rate, duration) = LOAD;
    let url = http::gateway(world, "/ai/answer?question=How+many&think_ms=5");
    let tally = http::load(&url, rate, seconds(duration)).await;
    println!("{} requests sent, {} failed", tally.sent, tally.failed.len());
    assert!(tally.failed.is_empty(), "{:?}", tally.failed);
}

/// By name of the rule or title of the panel.
type Queries = BTreeMap<String, String>;

async fn rule_queries(world: &World) -> Queries {
    let map: ConfigMap = world.get("eaiser-rules").await;
    let ours: PrometheusRuleSpec = serde_saphyr::from_str(&map.data.unwrap()["rules.yaml"]).unwrap();
    let mut queries = Queries::new();
    for rule in ours.groups.into_iter().chain(operator::rules().groups).flat_map(|group| group.rules) {
        let name = rule.alert.or(rule.record).unwrap();
        let objective = rule.labels.get("sloth_id").map(String::as_str).unwrap_or_default();
        queries.insert(format!("{name} {objective}"), rule.expr);
    }
    queries
}

fn panel_queries(world: &World) -> Queries {
    let mut queries = Queries::new();
    for panel in dashboard::dashboard().panels {
        for target in panel.targets {
            let query = target.expr.replace("$namespace", &world.namespace).replace("$cluster", NAME);
            queries.insert(format!("{} {}", panel.title, target.ref_id), query);
        }
    }
    queries
}

async fn every_rule_is_evaluated(prometheus: &Prometheus) {
    until("every rule is evaluated without error", seconds(30), async || {
        let groups = prometheus.ask("rules", &[]).await?["groups"].clone();
        let rules =
            groups.as_array().into_iter().flatten().flat_map(|group| group["rules"].as_array().unwrap());
        let bad: Vec<_> = rules.filter(|rule| rule["health"] != "ok").collect();
        if bad.is_empty() && groups[0].is_object() { Ok(()) } else { Err(format!("{bad:?}")) }
    })
    .await;
}

async fn metrics_of<'a>(
    prometheus: &Prometheus,
    queries: impl Iterator<Item = (&'a String, &'a String)>,
) -> BTreeSet<String> {
    let mut metrics = BTreeSet::new();
    for (name, query) in queries {
        let read = prometheus.metrics_of(query).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!read.is_empty() || query.starts_with("vector("), "{name} reads nothing: {query}");
        metrics.extend(read);
    }
    metrics
}

async fn every_metric_exists(prometheus: &Prometheus, metrics: &BTreeSet<String>) {
    until("every metric exists", seconds(30), async || {
        let mut missing = Vec::new();
        for metric in metrics {
            if prometheus.query(&format!("count({{__name__=\"{metric}\"}})")).await?.is_empty() {
                missing.push(metric);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
    })
    .await;
}

async fn every_panel_shows_something(prometheus: &Prometheus, panels: &Queries) {
    until("every panel shows something", seconds(60), async || {
        let mut empty = Vec::new();
        for (name, query) in panels {
            if prometheus.query(query).await.map_err(|error| format!("{name}: {error}"))?.is_empty() {
                empty.push(name);
            }
        }
        if empty.is_empty() { Ok(()) } else { Err(format!("{empty:?}")) }
    })
    .await;
}

/// A cluster that is Ready and serves alarms nobody, nor is about to.
async fn nothing_alarms(prometheus: &Prometheus) {
    let alerts = prometheus.ask("alerts", &[]).await.unwrap();
    let names: Vec<_> = alerts["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| format!("{} {}", alert["labels"]["alertname"], alert["state"]))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}
