//! Step 3 of a pass: every child object, rendered. Pure and infallible.

pub mod api;
pub mod gateway;
pub mod kinds;
pub mod meta;
pub mod mongodb;
pub mod monitoring;
pub mod network_policies;
pub mod pod;
mod pod_settings;
pub mod redis;
pub mod stage;
mod storage;

#[cfg(test)]
mod tests;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use serde::Serialize;
use serde_json::Value;

use crate::plan::Plan;
use crate::snapshot::Snapshot;
use kinds::{PrometheusRule, ServiceMonitor};
use stage::Stage;

/// Every object a cluster should have. The order of the fields is the order of application: what a
/// pod mounts exists before the pod, and what watches a workload comes after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Credentials and connection strings; created once, see [`crate::apply`].
    pub secrets: Vec<Secret>,
    /// Identities of the pods.
    pub service_accounts: Vec<ServiceAccount>,
    /// Configuration files.
    pub config_maps: Vec<ConfigMap>,
    /// Addresses.
    pub services: Vec<Service>,
    /// Who may reach the pods; they exist before the pods do.
    pub network_policies: Vec<NetworkPolicy>,
    /// Limits on voluntary disruption.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// Databases.
    pub stateful_sets: Vec<StatefulSet>,
    /// API and gateway.
    pub deployments: Vec<Deployment>,
    /// The API's autoscaler.
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    /// Alerts, when the kind is served.
    pub prometheus_rules: Vec<PrometheusRule>,
    /// Scrape configuration, when the kind is served.
    pub service_monitors: Vec<ServiceMonitor>,
}

impl Desired {
    /// Every object as JSON, in the order of application. The destructuring makes a new kind fail to
    /// compile until it is listed.
    pub fn objects(&self) -> Vec<Value> {
        let Self {
            secrets,
            service_accounts,
            config_maps,
            services,
            network_policies,
            disruption_budgets,
            stateful_sets,
            deployments,
            autoscalers,
            prometheus_rules,
            service_monitors,
        } = self;
        let mut all = Vec::new();
        add(&mut all, secrets);
        add(&mut all, service_accounts);
        add(&mut all, config_maps);
        add(&mut all, services);
        add(&mut all, network_policies);
        add(&mut all, disruption_budgets);
        add(&mut all, stateful_sets);
        add(&mut all, deployments);
        add(&mut all, autoscalers);
        add(&mut all, prometheus_rules);
        add(&mut all, service_monitors);
        all
    }
}

fn add<K: Serialize>(all: &mut Vec<Value>, objects: &[K]) {
    // Kubernetes types have string keys only, so serialization cannot fail.
    all.extend(objects.iter().map(|object| serde_json::to_value(object).unwrap_or_default()));
}

/// Renders every child of the cluster.
pub fn build(plan: &Plan, snapshot: &Snapshot) -> Desired {
    let mut desired = Desired::default();
    let stage = Stage::of(plan, snapshot);
    mongodb::build(plan, snapshot, stage, &mut desired);
    redis::build(plan, snapshot, stage, &mut desired);
    let sets = std::mem::take(&mut desired.stateful_sets).into_iter();
    desired.stateful_sets = sets.map(|set| storage::follow_volumes(set, &snapshot.children)).collect();
    api::build(plan, snapshot, stage, &mut desired);
    gateway::build(plan, stage, &mut desired);
    pod_settings::add(plan, &mut desired);
    network_policies::build(plan, &mut desired);
    monitoring::build(plan, snapshot, &mut desired);
    desired
}
