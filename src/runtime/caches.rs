//! Live objects, kept current by label-selected watches. No pass ever asks the API server.

mod optional;
mod watch;

use std::sync::Arc;

use futures::FutureExt;
use futures::stream::{BoxStream, SelectAll};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};

use crate::crd::EaiserCluster;
use crate::desired::kinds::{PrometheusRule, ServiceMonitor};
use crate::names::{Identity, LABEL_INSTANCE};
use crate::reconcile::Guarded;
use crate::snapshot::{Children, ServedKinds};
use optional::Optional;

/// Which clusters must be looked at again, as objects of theirs change.
pub type Touched = BoxStream<'static, ObjectRef<Guarded>>;

/// One store per kind.
#[derive(Clone)]
pub struct Caches {
    secrets: Store<Secret>,
    service_accounts: Store<ServiceAccount>,
    config_maps: Store<ConfigMap>,
    services: Store<Service>,
    disruption_budgets: Store<PodDisruptionBudget>,
    stateful_sets: Store<StatefulSet>,
    deployments: Store<Deployment>,
    autoscalers: Store<HorizontalPodAutoscaler>,
    pods: Store<Pod>,
    claims: Store<PersistentVolumeClaim>,
    prometheus_rules: Optional<PrometheusRule>,
    service_monitors: Optional<ServiceMonitor>,
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
            disruption_budgets: watch::start(client, namespace, &mut touched),
            stateful_sets: watch::start(client, namespace, &mut touched),
            deployments: watch::start(client, namespace, &mut touched),
            autoscalers: watch::start(client, namespace, &mut touched),
            pods: watch::start(client, namespace, &mut touched),
            claims: watch::start(client, namespace, &mut touched),
            prometheus_rules: Optional::start(client, namespace, &mut touched).await?,
            service_monitors: Optional::start(client, namespace, &mut touched).await?,
        };
        Ok((caches, touched))
    }

    /// Waits until every watch has delivered its first full list.
    pub async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.secrets.wait_until_ready().await?;
        self.service_accounts.wait_until_ready().await?;
        self.config_maps.wait_until_ready().await?;
        self.services.wait_until_ready().await?;
        self.disruption_budgets.wait_until_ready().await?;
        self.stateful_sets.wait_until_ready().await?;
        self.deployments.wait_until_ready().await?;
        self.autoscalers.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.claims.wait_until_ready().await?;
        self.prometheus_rules.wait_until_ready().await?;
        self.service_monitors.wait_until_ready().await
    }

    /// Kinds whose watch has not delivered its first full list.
    pub fn unfilled(&self) -> Vec<String> {
        [
            pending(&self.secrets),
            pending(&self.service_accounts),
            pending(&self.config_maps),
            pending(&self.services),
            pending(&self.disruption_budgets),
            pending(&self.stateful_sets),
            pending(&self.deployments),
            pending(&self.autoscalers),
            pending(&self.pods),
            pending(&self.claims),
            self.prometheus_rules.store().and_then(pending),
            self.service_monitors.store().and_then(pending),
        ]
        .into_iter()
        .flatten()
        .collect()
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
        Children {
            secrets: of(&self.secrets, identity),
            service_accounts: of(&self.service_accounts, identity),
            config_maps: of(&self.config_maps, identity),
            services: of(&self.services, identity),
            disruption_budgets: of(&self.disruption_budgets, identity),
            stateful_sets: of(&self.stateful_sets, identity),
            deployments: of(&self.deployments, identity),
            autoscalers: of(&self.autoscalers, identity),
            prometheus_rules: self
                .prometheus_rules
                .store()
                .map(|store| of(store, identity))
                .unwrap_or_default(),
            service_monitors: self
                .service_monitors
                .store()
                .map(|store| of(store, identity))
                .unwrap_or_default(),
            pods: of(&self.pods, identity),
            claims: of(&self.claims, identity),
        }
    }
}

/// The kind, while its first list is missing.
fn pending<K>(store: &Store<K>) -> Option<String>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + 'static,
{
    let filled = store.wait_until_ready().now_or_never().is_some();
    (!filled).then(|| <K as Resource>::kind(&()).into_owned())
}

fn of<K>(store: &Store<K>, identity: &Identity) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + 'static,
{
    let belongs = |object: &K| {
        object.meta().namespace.as_ref() == Some(&identity.namespace)
            && object.labels().get(LABEL_INSTANCE) == Some(&identity.name)
    };
    let mut objects = store.state_filter(belongs);
    objects.sort_by(|one, other| one.meta().name.cmp(&other.meta().name));
    objects
}

/// The cluster a child's labels name.
fn cluster_of<K: Resource>(object: &K) -> Option<ObjectRef<Guarded>> {
    let name = object.labels().get(LABEL_INSTANCE)?;
    let namespace = object.meta().namespace.as_deref()?;
    let cluster: ObjectRef<EaiserCluster> = ObjectRef::new(name).within(namespace);
    Some(ObjectRef::new(&cluster.name).within(namespace))
}
