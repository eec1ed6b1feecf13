//! The API server as the commands for people use it: read only, with the caller's own rights. IO.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, ListParams};
use kube::config::KubeConfigOptions;
use kube::core::DeserializeGuard;
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;

use crate::crd::EaiserCluster;
use crate::names::{LABEL_INSTANCE, MANAGED_SELECTOR};

/// A person waits at the other end.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Which API server and namespace.
#[derive(Args, Clone, Debug)]
pub(super) struct Connection {
    /// Namespace; default: the one of the kubeconfig's context
    #[arg(short, long)]
    pub(super) namespace: Option<String>,
    /// Context of the kubeconfig; default: its current one
    #[arg(long)]
    pub(super) context: Option<String>,
}

/// Why something could not be read: what was asked for, the cause, and the way out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("no Kubernetes cluster is configured: set KUBECONFIG to a kubeconfig, and check --context")]
    NotConfigured { source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "the API server at {server} does not answer: check the context of the kubeconfig and the network"
    )]
    Unreachable { server: String, source: Box<kube::Error> },
    #[error("the API server at {server} does not know you: log in again, or renew the kubeconfig")]
    Unauthorized { server: String, source: Box<kube::Error> },
    #[error(
        "the API server at {server} does not serve eaiserclusters.eaiser.io: install the CustomResourceDefinition first (`eaiser crd | kubectl apply --server-side -f -`)"
    )]
    MissingResource { server: String },
    #[error(
        "you may not {verb} {resource} in namespace {namespace}: ask for that right (`kubectl auth can-i {verb} {resource} -n {namespace}` tells when you have it)"
    )]
    Forbidden { verb: &'static str, resource: String, namespace: String, source: Box<kube::Error> },
    #[error("EaiserCluster {name} does not exist in namespace {namespace}: {hint}")]
    NotFound { name: String, namespace: String, hint: String },
    #[error(
        "there is no EaiserCluster in namespace {namespace}: name another with -n, or see `kubectl get eac -A`"
    )]
    NoCluster { namespace: String },
    #[error("cannot {verb} {resource} in namespace {namespace}")]
    Request { verb: &'static str, resource: String, namespace: String, source: Box<kube::Error> },
}

/// An open connection.
#[derive(Clone)]
pub(super) struct Kubernetes {
    pub(super) client: Client,
    /// Namespace asked for, or the context's.
    pub(super) namespace: String,
    /// Address of the API server, for messages.
    server: String,
}

impl Connection {
    /// Reads the kubeconfig; nothing is asked yet.
    pub(super) async fn open(&self) -> Result<Kubernetes, Error> {
        // One provider is linked, and whoever installed it first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = match &self.context {
            None => Config::infer().await.map_err(not_configured)?,
            Some(context) => {
                let options =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.map_err(not_configured)?
            }
        };
        config.connect_timeout = Some(CONNECT_WITHIN);
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(not_configured)?;
        Ok(Kubernetes { client, namespace, server })
    }
}

fn not_configured(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::NotConfigured { source: Box::new(error) }
}

impl Kubernetes {
    /// Objects of a kind in one namespace, by name.
    pub(super) async fn list<K>(&self, namespace: &str, parameters: &ListParams) -> Result<Vec<Arc<K>>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let listed = api.list(parameters).await;
        let mut items =
            listed.map_err(|error| self.explain("list", &K::plural(&()), namespace, error))?.items;
        items.sort_by(|one, other| one.meta().name.cmp(&other.meta().name));
        Ok(items.into_iter().map(Arc::new).collect())
    }

    /// The clusters of a namespace, or of all. One that cannot be read does not hide the others.
    pub(super) async fn clusters(&self, namespace: Option<&str>) -> Result<Vec<EaiserCluster>, Error> {
        let api: Api<DeserializeGuard<EaiserCluster>> = match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let shown = namespace.unwrap_or("<all>");
        match api.list(&ListParams::default()).await {
            Ok(list) => Ok(list.items.into_iter().filter_map(readable).collect()),
            // An unknown group is answered with plain text, so there is no reason to look at.
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err(Error::MissingResource { server: self.server.clone() })
            }
            Err(error) => Err(self.explain("list", &EaiserCluster::plural(&()), shown, error)),
        }
    }

    /// The cluster of that name, if there is one.
    pub(super) async fn cluster(&self, namespace: &str, name: &str) -> Result<Option<EaiserCluster>, Error> {
        let api: Api<EaiserCluster> = Api::namespaced(self.client.clone(), namespace);
        match api.get_opt(name).await {
            Ok(Some(cluster)) => Ok(Some(cluster)),
            // The object may be missing, or its kind.
            Ok(None) if self.serves::<EaiserCluster>().await? => Ok(None),
            Ok(None) => Err(Error::MissingResource { server: self.server.clone() }),
            Err(error) => Err(self.explain("get", &EaiserCluster::plural(&()), namespace, error)),
        }
    }

    /// The cluster of that name; the error names those that exist.
    pub(super) async fn existing_cluster(&self, name: &str) -> Result<EaiserCluster, Error> {
        if let Some(cluster) = self.cluster(&self.namespace, name).await? {
            return Ok(cluster);
        }
        let others = self.clusters(Some(&self.namespace)).await.unwrap_or_default();
        let others: Vec<String> = others.into_iter().filter_map(|cluster| cluster.metadata.name).collect();
        let hint = if others.is_empty() {
            "there is none; name another namespace with -n, or see `kubectl get eac -A`".to_owned()
        } else {
            format!("there is {}", others.join(", "))
        };
        Err(Error::NotFound { name: name.to_owned(), namespace: self.namespace.clone(), hint })
    }

    /// Whether a kind is served. Discovery needs no right of its own.
    pub(super) async fn serves<K: Resource<DynamicType = ()>>(&self) -> Result<bool, Error> {
        match self.client.list_api_group_resources(&K::api_version(&())).await {
            Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == K::plural(&()))),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(self.explain("discover", &K::plural(&()), "<all>", error)),
        }
    }

    pub(super) fn explain(
        &self,
        verb: &'static str,
        resource: &str,
        namespace: &str,
        error: kube::Error,
    ) -> Error {
        let server = self.server.clone();
        let (resource, namespace) = (resource.to_owned(), namespace.to_owned());
        let code = if let kube::Error::Api(status) = &error { status.code } else { 0 };
        let source = Box::new(error);
        match (code, source.as_ref()) {
            (401, _) => Error::Unauthorized { server, source },
            (403, _) => Error::Forbidden { verb, resource, namespace, source },
            (0, kube::Error::HyperError(_) | kube::Error::Service(_)) => {
                Error::Unreachable { server, source }
            }
            _ => Error::Request { verb, resource, namespace, source },
        }
    }
}

fn readable(guarded: DeserializeGuard<EaiserCluster>) -> Option<EaiserCluster> {
    match guarded.0 {
        Ok(cluster) => Some(cluster),
        Err(malformed) => {
            let name = malformed.metadata.name.unwrap_or_default();
            eprintln!("warning: EaiserCluster {name} does not fit this version's types: {}", malformed.error);
            None
        }
    }
}

/// Selects the children of one cluster.
pub(super) fn children_of(name: &str) -> ListParams {
    ListParams::default().labels(&format!("{MANAGED_SELECTOR},{LABEL_INSTANCE}={name}"))
}

/// Runs one command's requests.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}
