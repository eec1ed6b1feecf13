//! Rules and dashboard against a real Prometheus that scrapes a real cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use eaiser_operator::desired::kinds::PrometheusRuleSpec;
use eaiser_operator::desired::monitoring::{dashboard, operator};
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{ServedKinds, Snapshot};
use eaiser_operator::{desired, manifest};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example_with};
use crate::support::prometheus::Prometheus;
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, http, lab, scenario, until};

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

        every_target_answers(&prometheus).await;
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

/// The API's pods and the operator.
async fn every_target_answers(prometheus: &Prometheus) {
    until("every target answers", seconds(30), async || {
        let targets = prometheus.ask("targets", &[("state", "active")]).await?["activeTargets"].clone();
        let targets = targets.as_array().unwrap();
        let down: Vec<_> = targets.iter().filter(|target| target["health"] != "up").collect();
        let jobs: BTreeSet<_> = targets.iter().map(|target| target["labels"]["job"].to_string()).collect();
        if down.is_empty() && jobs.len() == 2 { Ok(()) } else { Err(format!("{jobs:?}, down: {down:?}")) }
    })
    .await;
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

/// Holds the published definitions of prometheus-operator's kinds.
const DEFINITIONS: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";

#[test]
#[ignore = "needs a cluster: make test"]
fn what_is_made_for_prometheus_operator_passes_its_real_definitions() {
    scenario(Needs::Lab, seconds(240), async |world| {
        install_definitions(world).await;
        let objects = rendered_objects().into_iter().chain(chart_objects(world));
        let mut checked = Vec::new();
        for (index, object) in objects.enumerate() {
            let file = world.directory.join(format!("object-{index}.json"));
            std::fs::write(&file, object.to_string()).unwrap();
            let file = file.to_str().unwrap();
            world.kubectl(&[
                "apply",
                "--server-side",
                "--dry-run=server",
                "--validate=strict",
                "--filename",
                file,
            ]);
            checked.push(format!("{} {}", object["kind"], object["metadata"]["name"]));
        }
        println!("{} objects pass strict validation: {checked:?}", checked.len());
        assert_eq!(checked.len(), 4, "{checked:?}");
        a_prometheus_that_selects_the_rules_is_named(world).await;
    });
}

/// The operator of a scenario sees its own namespace only; that is enough to find one that selects.
async fn a_prometheus_that_selects_the_rules_is_named(world: &World) {
    let everything = json!({"matchLabels": {"release": "kps"}});
    let prometheus = json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": {"name": "k8s"},
        "spec": {"ruleSelector": everything, "serviceMonitorSelector": everything},
    });
    let file = world.directory.join("prometheus-object.json");
    std::fs::write(&file, prometheus.to_string()).unwrap();
    world.kubectl(&["apply", "--server-side", "--filename", file.to_str().unwrap()]);
    let _operator = Operator::start(world);
    let cluster = Cluster::apply(world, example_with(json!({"api": {"replicas": 2}}))).await;
    let says = async |words: &str| {
        until(&format!("MonitoringReady says `{words}`"), seconds(60), async || {
            let object = cluster.get().await;
            let message =
                condition(&object, "MonitoringReady").map(|found| found.message.clone()).unwrap_or_default();
            if message.contains(words) { Ok(message) } else { Err(message) }
        })
        .await
    };
    println!("{}", says("not judged").await);
    cluster.change(json!({"monitoring": {"ruleLabels": {"release": "kps"}}})).await;
    println!("{}", says(&format!("PrometheusRule by Prometheus {}/k8s", world.namespace)).await);
}

/// Installs them for as long as the scenario's namespace exists, which owns them.
async fn install_definitions(world: &World) {
    let mut download = lab::on_host(Path::new("go"));
    download.args(["mod", "download", "-json", DEFINITIONS]).current_dir(&world.directory);
    let module: Value = serde_json::from_str(&lab::run(download)).unwrap();
    let folder = Path::new(module["Dir"].as_str().unwrap()).join("example/prometheus-operator-crd");
    for plural in ["prometheusrules", "servicemonitors", "prometheuses"] {
        let text =
            std::fs::read_to_string(folder.join(format!("monitoring.coreos.com_{plural}.yaml"))).unwrap();
        world.define(serde_saphyr::from_str(&text).unwrap()).await;
    }
}

/// Rules and monitor of the largest example.
fn rendered_objects() -> Vec<Value> {
    let text = std::fs::read_to_string(lab::repository().join("examples/production.yaml")).unwrap();
    let plan = manifest::plan(&manifest::clusters(&text).unwrap()[0], &Settings::default()).unwrap();
    let served = ServedKinds { prometheus_rules: true, service_monitors: true };
    let desired = desired::build(&plan, &Snapshot::offline(served));
    let ours = |object: &Value| object["apiVersion"] == "monitoring.coreos.com/v1";
    let mut objects: Vec<Value> = desired.objects().into_iter().filter(ours).collect();
    for object in &mut objects {
        let metadata = object["metadata"].as_object_mut().unwrap();
        // Its cluster was never applied, and the test has a namespace of its own.
        metadata.remove("ownerReferences");
        metadata.remove("namespace");
    }
    objects
}

/// The same of the operator itself.
fn chart_objects(world: &World) -> Vec<Value> {
    let mut template = Command::new("helm");
    template.args(["template", "eaiser-operator"]).arg(lab::repository().join("charts/eaiser-operator"));
    template.args(["--namespace", &world.namespace]);
    template.args(["--set", "metrics.prometheusRule.enabled=true,metrics.serviceMonitor.enabled=true"]);
    for file in ["prometheus-rule", "service-monitor"] {
        template.arg(format!("--show-only=templates/{file}.yaml"));
    }
    serde_saphyr::from_multiple(&lab::run(template)).unwrap()
}
