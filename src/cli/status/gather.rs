//! What one screen needs from the API server. IO.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::cli::kubernetes::{Error, Kubernetes, children_of};
use crate::crd::EaiserCluster;

/// Warnings of a namespace that are looked through at most.
const WARNINGS: u32 = 500;

/// Everything found about one cluster.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) cluster: EaiserCluster,
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) deployments: Vec<Arc<Deployment>>,
    pub(super) budgets: Vec<Arc<PodDisruptionBudget>>,
    /// About the cluster, and warnings about its children.
    pub(super) events: Vec<Arc<Event>>,
    /// Kinds that the caller may not list.
    pub(super) unreadable: Vec<String>,
}

impl Found {
    /// The object alone.
    pub(super) fn only(cluster: EaiserCluster) -> Self {
        Self {
            cluster,
            pods: Vec::new(),
            deployments: Vec::new(),
            budgets: Vec::new(),
            events: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

/// Reads what the caller may read about the cluster.
pub(super) async fn gather(
    kubernetes: &Kubernetes,
    namespace: &str,
    cluster: EaiserCluster,
) -> Result<Found, Error> {
    let name = cluster.name_any();
    let children = children_of(&name);
    let about_it = ListParams::default()
        .fields(&format!("involvedObject.kind=EaiserCluster,involvedObject.name={name}"));
    let warnings = ListParams::default().fields("type=Warning").limit(WARNINGS);
    let reader = Reader { kubernetes, namespace, unreadable: RefCell::default() };
    let (pods, deployments, budgets, mut events, warnings) = tokio::try_join!(
        reader.read(&children),
        reader.read(&children),
        reader.read(&children),
        reader.read::<Event>(&about_it),
        reader.read::<Event>(&warnings),
    )?;
    let prefix = format!("{name}-");
    // The autoscaler repeats itself for ever; the AutoscalingReady condition carries its words.
    let of_child = |event: &Arc<Event>| {
        let object = &event.involved_object;
        object.name.as_deref().is_some_and(|name| name.starts_with(&prefix))
            && object.kind.as_deref() != Some("HorizontalPodAutoscaler")
    };
    events.extend(warnings.into_iter().filter(of_child));
    let mut unreadable = reader.unreadable.into_inner();
    unreadable.dedup();
    Ok(Found { cluster, pods, deployments, budgets, events, unreadable })
}

struct Reader<'a> {
    kubernetes: &'a Kubernetes,
    namespace: &'a str,
    unreadable: RefCell<Vec<String>>,
}

impl Reader<'_> {
    /// What the caller may not list is remembered, not failed at.
    async fn read<K>(&self, parameters: &ListParams) -> Result<Vec<Arc<K>>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        match Box::pin(self.kubernetes.list(self.namespace, parameters)).await {
            Err(Error::Forbidden { .. }) => {
                self.unreadable.borrow_mut().push(K::plural(&()).into_owned());
                Ok(Vec::new())
            }
            other => other,
        }
    }
}
