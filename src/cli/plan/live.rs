//! `eaiser plan --cluster`: reads the live cluster and compares. IO.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::comparison::{Comparison, Seen};
use super::settings::{self, Given};
use crate::apply::preview::Action;
use crate::cli::kubernetes::{self, Connection, Kubernetes, children_of};
use crate::crd::{EaiserCluster, EaiserClusterSpec};
use crate::desired::kinds::{PrometheusRule, ServiceMonitor};
use crate::manifest;
use crate::mongo::Facts;
use crate::names::Identity;
use crate::plan::{self, Plan, Problems};
use crate::snapshot::{Certificates, Children, Credentials, Reference, References, ServedKinds, Snapshot};
use crate::status::remembered;

/// Look-ups at a time of objects whose names might be taken.
const CONCURRENT_READS: usize = 8;

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    #[error(transparent)]
    File(#[from] super::Error),
    #[error("EaiserCluster {name} has {} problem(s):{}", problems.0.len(), lines(problems))]
    Problems { name: String, problems: Problems },
    #[error(
        "the file names namespace {file} for EaiserCluster {name}, and -n says {asked}: leave one of them out"
    )]
    TwoNamespaces { name: String, file: String, asked: String },
}

fn lines(problems: &Problems) -> String {
    let lines: Vec<String> = problems.0.iter().map(|problem| format!("\n  {problem}")).collect();
    lines.concat()
}

/// What to compare.
pub(super) struct Question<'a> {
    pub(super) filename: Option<&'a Path>,
    pub(super) name: Option<&'a str>,
    pub(super) connection: &'a Connection,
    /// Settings that the caller gave.
    pub(super) given: &'a Given,
}

/// Compares every cluster asked for.
pub(super) async fn compare(question: &Question<'_>) -> Result<Vec<Comparison>, Error> {
    let documents = question.filename.map(super::documents).transpose()?;
    let kubernetes = question.connection.open().await?;
    let mut comparisons = Vec::new();
    if let Some(documents) = documents {
        for document in &documents {
            // On the heap: it holds a whole cluster.
            comparisons.push(Box::pin(of_file(&kubernetes, question, document)).await?);
        }
        return Ok(comparisons);
    }
    let clusters = match question.name {
        Some(name) => vec![kubernetes.existing_cluster(name).await?],
        None => kubernetes.clusters(Some(&kubernetes.namespace)).await?,
    };
    if clusters.is_empty() {
        return Err(kubernetes::Error::NoCluster { namespace: kubernetes.namespace }.into());
    }
    for cluster in clusters {
        let spec = cluster.spec.clone();
        let identity = identity(&kubernetes.namespace, &cluster.name_any(), Some(&cluster));
        let seen = see(&kubernetes, &identity, Some(cluster)).await?;
        comparisons.push(finish(&kubernetes, question, identity, spec, seen).await?);
    }
    Ok(comparisons)
}

fn identity(namespace: &str, name: &str, cluster: Option<&EaiserCluster>) -> Identity {
    Identity {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: cluster.and_then(ResourceExt::uid).unwrap_or_default(),
    }
}

async fn of_file(
    kubernetes: &Kubernetes,
    question: &Question<'_>,
    document: &Value,
) -> Result<Comparison, Error> {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let in_file = document.pointer("/metadata/namespace").and_then(Value::as_str);
    let namespace = match (in_file, &question.connection.namespace) {
        (Some(file), Some(asked)) if file != asked => {
            return Err(Error::TwoNamespaces { name, file: file.to_owned(), asked: asked.clone() });
        }
        (Some(file), _) => file.to_owned(),
        (None, _) => kubernetes.namespace.clone(),
    };
    // The verdict on the file comes before anything about the live cluster.
    let spec = |problems| Error::Problems { name: name.clone(), problems };
    let planned = manifest::spec(document).map_err(spec)?;
    let cluster = kubernetes.cluster(&namespace, &name).await?;
    if let Some(cluster) = &cluster {
        manifest::change(document, cluster)
            .map_err(|problems| Error::Problems { name: name.clone(), problems })?;
    }
    let identity = identity(&namespace, &name, cluster.as_ref());
    let seen = see(kubernetes, &identity, cluster).await?;
    finish(kubernetes, question, identity, planned, seen).await
}

async fn finish(
    kubernetes: &Kubernetes,
    question: &Question<'_>,
    identity: Identity,
    spec: EaiserClusterSpec,
    mut seen: Seen,
) -> Result<Comparison, Error> {
    let operator = settings::of_operator(kubernetes, &identity.namespace).await;
    let settings =
        settings::settle(question.given, operator.as_ref(), seen.cluster.as_ref(), &seen.snapshot.children);
    let name = identity.name.clone();
    let plan: Plan =
        plan::plan(identity, &spec, &settings).map_err(|problems| Error::Problems { name, problems })?;
    seen.snapshot.certificates = Certificates::placeholder(&plan, &seen.snapshot.children);
    seen.snapshot.credentials = credentials(kubernetes, &plan, &seen.snapshot.children).await;
    if let Some(cluster) = &seen.cluster {
        seen.snapshot.requests = cluster.annotations().clone();
    }
    let mut comparison = Comparison::new(&plan, &spec, &seen);
    if operator.is_none() && comparison.exists && comparison.has_changes() {
        comparison.notes.push(
            "no Deployment of the operator is to be seen, so settings other than images are this program's defaults: give those of the operator as flags".to_owned(),
        );
    }
    mark_taken_names(kubernetes, &mut comparison).await;
    Ok(comparison)
}

/// Passwords as the operator would find them; `<generated>` stands for those it would draw. A Secret of
/// somebody else that the caller may not read counts as not read.
async fn credentials(kubernetes: &Kubernetes, plan: &Plan, children: &Children) -> Credentials {
    let identity = &plan.identity;
    let secrets: Api<Secret> = Api::namespaced(kubernetes.client.clone(), &identity.namespace);
    let mut references = References::default();
    for name in plan.mongodb.referenced_secrets() {
        let found = match secrets.get_opt(name).await {
            Ok(Some(secret)) => Reference::Found(Arc::new(secret.data.unwrap_or_default())),
            Ok(None) => Reference::Missing,
            Err(_) => continue,
        };
        references.0.insert(name.to_owned(), found);
    }
    let live = Credentials::placeholder().or_live(identity, children);
    live.with_users(&plan.mongodb.users, (identity, children), &references, |_| {})
}

/// A name that our labels do not select may still be taken by somebody's object.
async fn mark_taken_names(kubernetes: &Kubernetes, comparison: &mut Comparison) {
    let namespace = comparison.namespace.clone();
    let look = |object: &crate::apply::preview::ObjectChange| {
        let api: Api<DynamicObject> =
            Api::namespaced_with(kubernetes.client.clone(), &namespace, &object.resource);
        let name = object.name.clone();
        // A caller without the right to look learns of it from the operator's condition.
        async move { matches!(api.get_metadata_opt(&name).await, Ok(Some(_))) }
    };
    let created = || comparison.objects.iter().filter(|object| object.action == Action::Create);
    let taken: Vec<bool> = stream::iter(created().map(look)).buffered(CONCURRENT_READS).collect().await;
    let created = comparison.objects.iter_mut().filter(|object| object.action == Action::Create);
    for (object, _) in created.zip(taken).filter(|(_, taken)| *taken) {
        object.action = Action::Foreign;
    }
}

/// Lists every kind of child, as far as the caller may.
async fn see(
    kubernetes: &Kubernetes,
    identity: &Identity,
    cluster: Option<EaiserCluster>,
) -> Result<Seen, Error> {
    let Identity { namespace, name, .. } = identity;
    let progress = Progress::start(&format!("reading {namespace}/{name}"));
    let served = ServedKinds {
        prometheus_rules: kubernetes.serves::<PrometheusRule>().await?,
        service_monitors: kubernetes.serves::<ServiceMonitor>().await?,
    };
    let reader = Reader { kubernetes, namespace, name, unreadable: RefCell::default() };
    let children = reader.children(served).await?;
    drop(progress);
    let before = cluster.as_ref().and_then(|cluster| cluster.status.as_ref());
    let mongodb_facts = Facts::default().remembering(remembered(before));
    let snapshot = Snapshot { children, mongodb_facts, ..Snapshot::offline(served) };
    Ok(Seen { cluster, snapshot, unreadable: reader.unreadable.into_inner() })
}

struct Reader<'a> {
    kubernetes: &'a Kubernetes,
    namespace: &'a str,
    name: &'a str,
    unreadable: RefCell<Vec<String>>,
}

impl Reader<'_> {
    async fn children(&self, served: ServedKinds) -> Result<Children, kubernetes::Error> {
        let (secrets, service_accounts, config_maps, services, disruption_budgets) =
            tokio::try_join!(self.read(), self.read(), self.read(), self.read(), self.read())?;
        let (network_policies, stateful_sets, deployments, autoscalers, pods) =
            tokio::try_join!(self.read(), self.read(), self.read(), self.read(), self.read())?;
        let (prometheus_rules, service_monitors, claims) = tokio::try_join!(
            self.read_if(served.prometheus_rules),
            self.read_if(served.service_monitors),
            self.read()
        )?;
        Ok(Children {
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
            pods,
            claims,
            // Events explain a status; a plan compares objects.
            complaints: Vec::new(),
        })
    }

    async fn read_if<K>(&self, served: bool) -> Result<Vec<Arc<K>>, kubernetes::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        if served { self.read().await } else { Ok(Vec::new()) }
    }

    /// What the caller may not list is remembered, not failed at.
    async fn read<K>(&self) -> Result<Vec<Arc<K>>, kubernetes::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        match Box::pin(self.kubernetes.list(self.namespace, &children_of(self.name))).await {
            Err(kubernetes::Error::Forbidden { .. }) => {
                self.unreadable.borrow_mut().push(K::kind(&()).into_owned());
                Ok(Vec::new())
            }
            other => other,
        }
    }
}

/// One line on a terminal while something is read; gone afterwards.
struct Progress(bool);

impl Progress {
    fn start(text: &str) -> Self {
        let shown = std::io::stderr().is_terminal();
        if shown {
            eprint!("{text} …\r");
            let _ = std::io::stderr().flush();
        }
        Self(shown)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.0 {
            eprint!("\u{1b}[2K");
        }
    }
}
