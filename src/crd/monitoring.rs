//! `spec.monitoring`: rules and scrape configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// Prometheus rules and monitors.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MonitoringSpec {
    /// `Auto` makes a PrometheusRule and a ServiceMonitor when the API server serves those kinds,
    /// and a ConfigMap with the same rules otherwise. Default: `Auto`.
    pub mode: MonitoringMode,
    /// Labels put on the PrometheusRule and ServiceMonitor, so that your Prometheus selects them.
    /// Example: `release: kube-prometheus-stack`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[schemars(extend("x-kubernetes-validations" = rules::labels()))]
    pub rule_labels: BTreeMap<String, String>,
    /// Start of each alert's runbook link. Default: the project's own runbooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::url()), length(max = 512))]
    pub runbook_base_url: Option<String>,
}

/// Which monitoring objects are made.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MonitoringMode {
    /// prometheus-operator kinds when served, a ConfigMap otherwise.
    #[default]
    Auto,
    /// Always a ConfigMap.
    ConfigMap,
}
