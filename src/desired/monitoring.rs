//! Rules and scrape configuration. Pure.

pub mod cluster;
pub mod dashboard;
pub mod databases;
pub mod instances;
pub mod objectives;
pub mod operator;
pub mod promql;
pub mod rules;
pub mod traffic;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::api::PORT;
use super::kinds::{
    MonitorEndpoint, MonitorSelector, PrometheusRule, PrometheusRuleSpec, ServiceMonitor, ServiceMonitorSpec,
};
use super::{Desired, meta};
use crate::crd::MonitoringMode;
use crate::names::{LABEL_INSTANCE, LABEL_METRICS, Tier};
use crate::plan::Plan;
use crate::snapshot::{ServedKinds, Snapshot};

/// Key of the rules in their ConfigMap.
pub const RULES_FILE: &str = "rules.yaml";

/// Adds prometheus-operator's kinds where they are served and wanted, a ConfigMap otherwise.
pub fn build(plan: &Plan, snapshot: &Snapshot, desired: &mut Desired) {
    let identity = &plan.identity;
    let spec = PrometheusRuleSpec { groups: rules::groups(plan) };
    if uses_prometheus_operator(plan, snapshot.served) {
        desired.prometheus_rules.push(PrometheusRule {
            metadata: labelled(plan, meta::object(identity, Tier::Monitoring, identity.monitoring_rules())),
            spec,
        });
    } else {
        desired.config_maps.push(ConfigMap {
            metadata: meta::object(identity, Tier::Monitoring, identity.monitoring_rules()),
            data: Some([(RULES_FILE.to_owned(), rules::file(&spec))].into()),
            ..ConfigMap::default()
        });
    }
    if snapshot.served.service_monitors && plan.monitoring.mode == MonitoringMode::Auto {
        desired.service_monitors.push(service_monitor(plan));
    }
}

/// Whether the rules go into a PrometheusRule.
pub fn uses_prometheus_operator(plan: &Plan, served: ServedKinds) -> bool {
    served.prometheus_rules && plan.monitoring.mode == MonitoringMode::Auto
}

/// Labels by which a Prometheus selects the rules and the monitor.
pub fn labels(plan: &Plan) -> BTreeMap<String, String> {
    labelled(plan, meta::object(&plan.identity, Tier::Monitoring, String::new())).labels.unwrap_or_default()
}

/// The user's labels come first, ours win: prune and watches select by them.
fn labelled(plan: &Plan, mut metadata: ObjectMeta) -> ObjectMeta {
    let mut labels = plan.monitoring.rule_labels.clone();
    labels.extend(metadata.labels.take().unwrap_or_default());
    metadata.labels = Some(labels);
    metadata
}

fn service_monitor(plan: &Plan) -> ServiceMonitor {
    let identity = &plan.identity;
    let (key, value) = LABEL_METRICS;
    ServiceMonitor {
        metadata: labelled(plan, meta::object(identity, Tier::Monitoring, identity.tier(Tier::Api))),
        spec: ServiceMonitorSpec {
            selector: MonitorSelector {
                match_labels: [
                    (key.to_owned(), value.to_owned()),
                    (LABEL_INSTANCE.to_owned(), identity.name.clone()),
                ]
                .into(),
            },
            endpoints: vec![MonitorEndpoint {
                port: PORT.to_owned(),
                path: "/metrics".to_owned(),
                interval: "15s".to_owned(),
            }],
        },
    }
}
