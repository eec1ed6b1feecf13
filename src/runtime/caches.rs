//! Live objects, kept current by label-selected watches. No pass ever asks the API server.

pub(in crate::runtime) mod backoff;
mod complaints;
mod optional;
mod prometheuses;
mod references;
mod shelf;
mod watch;

use std::collections::BTreeSet;

use futures::stream::{BoxStream, SelectAll};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use kube::runtime::reflector::ObjectRef;

use crate::desired::kinds::{PrometheusRule, ServiceMonitor};
use crate::names::Identity;
use crate::reconcile::Guarded;
use crate::snapshot::{Children, Prometheuses, References, ServedKinds};
use complaints::Complaints;
use optional::Optional;
use shelf::Shelf;

/// Which clusters must be looked at again, as objects of theirs change.
pub type Touched = BoxStream<'static, ObjectRef<Guarded>>;

/// One store per kind.
#[derive(Clone)]
pub struct Caches {
    secrets: Shelf<Secret>,
    service_accounts: Shelf<ServiceAccount>,
    config_maps: Shelf<ConfigMap>,
    services: Shelf<Service>,
    network_policies: Shelf<NetworkPolicy>,
    disruption_budgets: Shelf<PodDisruptionBudget>,
    stateful_sets: Shelf<StatefulSet>,
    deployments: Shelf<Deployment>,
    autoscalers: Shelf<HorizontalPodAutoscaler>,
    pods: Shelf<Pod>,
    claims: Shelf<PersistentVolumeClaim>,
    prometheus_rules: Optional<PrometheusRule>,
    service_monitors: Optional<ServiceMonitor>,
    complaints: Complaints,
    prometheuses: prometheuses::Watch,
    references: references::Watches,
}

impl Caches {
    /// Starts a watch per kind, in `namespace` or everywhere. The stream must be polled for the
    /// caches to fill.
    pub async fn start(
        client: &Client,
        namespace: Option<&str>,
    ) -> Result<(Self, SelectAll<Touched>), kube::Error> {
        let mut touched = SelectAll::new();
        let caches = Self {
            secrets: watch::start(client, namespace, &mut touched),
            service_accounts: watch::start(client, namespace, &mut touched),
            config_maps: watch::start(client, namespace, &mut touched),
            services: watch::start(client, namespace, &mut touched),
            network_policies: watch::start(client, namespace, &mut touched),
            disruption_budgets: watch::start(client, namespace, &mut touched),
            stateful_sets: watch::start(client, namespace, &mut touched),
            deployments: watch::start(client, namespace, &mut touched),
            autoscalers: watch::start(client, namespace, &mut touched),
            pods: watch::start(client, namespace, &mut touched),
            claims: watch::start(client, namespace, &mut touched),
            prometheus_rules: Optional::start(client, namespace, &mut touched).await?,
            service_monitors: Optional::start(client, namespace, &mut touched).await?,
            complaints: Complaints::start(client, namespace, &mut touched),
            prometheuses: prometheuses::Watch::start(client, namespace, &mut touched).await?,
            references: references::Watches::start(client, &mut touched),
        };
        Ok((caches, touched))
    }

    /// Waits until every watch has delivered its first full list.
    pub async fn wait_until_filled(&self) {
        self.secrets.wait_until_filled().await;
        self.service_accounts.wait_until_filled().await;
        self.config_maps.wait_until_filled().await;
        self.services.wait_until_filled().await;
        self.network_policies.wait_until_filled().await;
        self.disruption_budgets.wait_until_filled().await;
        self.stateful_sets.wait_until_filled().await;
        self.deployments.wait_until_filled().await;
        self.autoscalers.wait_until_filled().await;
        self.pods.wait_until_filled().await;
        self.claims.wait_until_filled().await;
        self.prometheus_rules.wait_until_filled().await;
        self.service_monitors.wait_until_filled().await;
        self.complaints.wait_until_ready().await;
    }

    /// Kinds whose watch has not delivered its first full list.
    pub fn unfilled(&self) -> Vec<String> {
        [
            self.secrets.missing(),
            self.service_accounts.missing(),
            self.config_maps.missing(),
            self.services.missing(),
            self.network_policies.missing(),
            self.disruption_budgets.missing(),
            self.stateful_sets.missing(),
            self.deployments.missing(),
            self.autoscalers.missing(),
            self.pods.missing(),
            self.claims.missing(),
            self.prometheus_rules.missing(),
            self.service_monitors.missing(),
            self.complaints.missing(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Who may take up rules and monitors, as far as it can be seen.
    pub fn prometheuses(&self) -> Prometheuses {
        self.prometheuses.seen()
    }

    /// What is known of the Secrets that a cluster's spec refers to: those named, from now on.
    pub fn references_of<'a>(&self, cluster: &Identity, names: impl Iterator<Item = &'a str>) -> References {
        self.references.of(cluster, names)
    }

    /// The cluster is gone, and what only it referred to is not watched any more.
    pub fn forget_references_of(&self, namespace: &str, cluster: &str) {
        self.references.release(namespace, cluster, &BTreeSet::new());
    }

    /// Optional kinds that the API server serves.
    pub fn served(&self) -> ServedKinds {
        ServedKinds {
            prometheus_rules: self.prometheus_rules.is_served(),
            service_monitors: self.service_monitors.is_served(),
        }
    }

    /// The live objects of one cluster, sorted by name.
    pub fn children_of(&self, identity: &Identity) -> Children {
        let cluster = (identity.namespace.clone(), identity.name.clone());
        Children {
            secrets: self.secrets.of(&cluster),
            service_accounts: self.service_accounts.of(&cluster),
            config_maps: self.config_maps.of(&cluster),
            services: self.services.of(&cluster),
            network_policies: self.network_policies.of(&cluster),
            disruption_budgets: self.disruption_budgets.of(&cluster),
            stateful_sets: self.stateful_sets.of(&cluster),
            deployments: self.deployments.of(&cluster),
            autoscalers: self.autoscalers.of(&cluster),
            prometheus_rules: self
                .prometheus_rules
                .shelf()
                .map(|shelf| shelf.of(&cluster))
                .unwrap_or_default(),
            service_monitors: self
                .service_monitors
                .shelf()
                .map(|shelf| shelf.of(&cluster))
                .unwrap_or_default(),
            pods: self.pods.of(&cluster),
            claims: self.claims.of(&cluster),
            complaints: self.complaints.of(identity),
        }
    }
}
