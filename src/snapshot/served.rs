//! Which optional kinds the API server serves. Plain data.

/// Optional API kinds. Probed at start and again from time to time, so that kinds installed later
/// are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServedKinds {
    /// `PrometheusRule` of prometheus-operator.
    pub prometheus_rules: bool,
    /// `ServiceMonitor` of prometheus-operator.
    pub service_monitors: bool,
}
