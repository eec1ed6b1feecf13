//! prometheus-operator's kinds, as far as the operator writes or reads them. Pure types.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// Rules of Prometheus.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "monitoring.coreos.com",
    version = "v1",
    kind = "PrometheusRule",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
pub struct PrometheusRuleSpec {
    /// Groups of rules.
    pub groups: Vec<RuleGroup>,
}

/// Rules evaluated together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleGroup {
    /// Unique name.
    pub name: String,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A recording or an alerting rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Name of the recorded series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Name of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// `PromQL`.
    pub expr: String,
    /// How long it must hold before the alert fires.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Labels of the series or alert.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Texts for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Which Services Prometheus scrapes.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "monitoring.coreos.com",
    version = "v1",
    kind = "ServiceMonitor",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitorSpec {
    /// Selects Services of the same namespace.
    pub selector: MonitorSelector,
    /// What is scraped on them.
    pub endpoints: Vec<MonitorEndpoint>,
}

/// A label selector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MonitorSelector {
    /// Labels a Service must have.
    pub match_labels: BTreeMap<String, String>,
}

/// One scraped port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorEndpoint {
    /// Name of the Service's port.
    pub port: String,
    /// Path of the metrics.
    pub path: String,
    /// Scrape interval.
    pub interval: String,
}

/// Which rules and monitors a Prometheus takes up. Never written. An absent selector selects nothing
/// and an absent namespace selector the own namespace; an empty one selects everything.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "monitoring.coreos.com",
    version = "v1",
    kind = "Prometheus",
    plural = "prometheuses",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase", default)]
pub struct PrometheusSpec {
    /// Labels of the rules.
    pub rule_selector: Option<LabelSelector>,
    /// Labels of their namespaces.
    pub rule_namespace_selector: Option<LabelSelector>,
    /// Labels of the monitors.
    pub service_monitor_selector: Option<LabelSelector>,
    /// Labels of their namespaces.
    pub service_monitor_namespace_selector: Option<LabelSelector>,
}
