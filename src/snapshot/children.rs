//! Live objects of one cluster, shared with the watch caches. Plain data and look-ups.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::Complaint;
use crate::desired::kinds::{PrometheusRule, ServiceMonitor};
use crate::names::{LABEL_COMPONENT, Tier};
use crate::password::Password;

/// Objects labelled as ours in the cluster's namespace, each kind sorted by name.
#[derive(Clone, Debug, Default)]
pub struct Children {
    /// Secrets.
    pub secrets: Vec<Arc<Secret>>,
    /// ServiceAccounts.
    pub service_accounts: Vec<Arc<ServiceAccount>>,
    /// ConfigMaps.
    pub config_maps: Vec<Arc<ConfigMap>>,
    /// Services.
    pub services: Vec<Arc<Service>>,
    /// Network policies.
    pub network_policies: Vec<Arc<NetworkPolicy>>,
    /// Disruption budgets.
    pub disruption_budgets: Vec<Arc<PodDisruptionBudget>>,
    /// StatefulSets.
    pub stateful_sets: Vec<Arc<StatefulSet>>,
    /// Deployments.
    pub deployments: Vec<Arc<Deployment>>,
    /// Autoscalers.
    pub autoscalers: Vec<Arc<HorizontalPodAutoscaler>>,
    /// Prometheus rules, when served.
    pub prometheus_rules: Vec<Arc<PrometheusRule>>,
    /// Service monitors, when served.
    pub service_monitors: Vec<Arc<ServiceMonitor>>,
    /// Pods of every tier.
    pub pods: Vec<Arc<Pod>>,
    /// Volume claims of the databases.
    pub claims: Vec<Arc<PersistentVolumeClaim>>,
    /// What events say about pods, claims and StatefulSets of the cluster.
    pub complaints: Vec<Arc<Complaint>>,
}

impl Children {
    /// One value of a live Secret; `None` when the Secret, the key or valid UTF-8 is missing.
    pub fn secret_value(&self, secret: &str, key: &str) -> Option<Password> {
        let bytes = &find(&self.secrets, secret)?.data.as_ref()?.get(key)?.0;
        String::from_utf8(bytes.clone()).ok().map(Password::new)
    }

    /// Pods of one tier, by name.
    pub fn pods_of(&self, tier: Tier) -> impl Iterator<Item = &Pod> {
        self.pods.iter().map(AsRef::as_ref).filter(move |pod: &&Pod| {
            pod.labels().get(LABEL_COMPONENT).map(String::as_str) == Some(tier.as_str())
        })
    }

    /// The pod of that name.
    pub fn pod(&self, name: &str) -> Option<&Pod> {
        find(&self.pods, name)
    }
}

/// The object of that name.
pub fn find<'a, K: ResourceExt>(objects: &'a [Arc<K>], name: &str) -> Option<&'a K> {
    objects.iter().find(|object| object.meta().name.as_deref() == Some(name)).map(AsRef::as_ref)
}
