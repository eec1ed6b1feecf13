//! One pass over one object: the six steps in their order.

pub mod context;
pub mod finalize;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use crate::apply::{self, Applied};
use crate::crd::EaiserCluster;
use crate::desired;
use crate::drive::{self, Driven};
use crate::names::Identity;
use crate::plan::{self, Mode};
use crate::snapshot::take;
use crate::status;
pub use context::Context;

/// Looks again while something forms; watches usually come first.
const CONVERGING: Duration = Duration::from_millis(700);
/// Looks again at the databases of a settled cluster, which no watch covers.
const SETTLED: Duration = Duration::from_secs(20);

/// A pass that could not finish. Waiting is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A deletion, or what prepares one, could not go on.
    #[error(transparent)]
    Finalize(#[from] finalize::Error),
    /// Children could not be written; the status says so too.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// The status could not be written.
    #[error("cannot write the status of EaiserCluster {name}")]
    Status {
        /// Name of the object.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

impl Error {
    /// Stable reason for metrics and events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Finalize(_) => "FinalizeFailed",
            Self::Apply(error) => error.reason(),
            Self::Status { .. } => "StatusFailed",
        }
    }
}

/// Object as the watch delivers it: a malformed one is an `Err` inside, not a broken watch.
pub type Guarded = DeserializeGuard<EaiserCluster>;

/// Runs one pass, measured.
///
/// # Errors
/// A request to the API server failed; the pass is repeated with back-off.
pub async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let begin = Instant::now();
    let result = match &object.0 {
        Ok(cluster) => pass(cluster, &context).await,
        Err(malformed) => {
            tracing::error!(object = %object.name_any(), error = %malformed.error, "the stored object cannot be read; waiting for a change");
            release_malformed(&malformed.metadata, &context).await
        }
    };
    context.metrics.passed(result.as_ref().err().map_or("ok", Error::reason), begin.elapsed());
    result
}

/// Repeats a failed pass, later each time it fails in a row.
#[allow(clippy::needless_pass_by_value, reason = "the signature kube's controller asks for")]
pub fn error_policy(object: Arc<Guarded>, error: &Error, context: Arc<Context>) -> Action {
    let name = object.name_any();
    let delay = context.failures.next_delay(&object.meta().uid.clone().unwrap_or_default());
    tracing::warn!(object = %name, error = %report::chain(error), retry_seconds = delay.as_secs_f32(), "pass failed");
    Action::requeue(delay)
}

async fn pass(cluster: &EaiserCluster, context: &Context) -> Result<Action, Error> {
    let Some(identity) = identity_of(&cluster.metadata) else {
        return Ok(Action::await_change());
    };
    if cluster.meta().deletion_timestamp.is_some() {
        return delete(cluster, &identity, context).await;
    }
    if finalize::follow(&context.client, cluster).await? {
        return Ok(Action::requeue(CONVERGING));
    }
    let previous = cluster.status.as_ref();
    let plan = match plan::plan(identity, &cluster.spec, &context.settings) {
        Ok(plan) => plan,
        Err(problems) => {
            let mode = plan::operation::plan(&cluster.spec.operation);
            let status =
                status::invalid(&problems, mode, cluster.metadata.generation, previous, &context.now());
            report::publish(context, cluster, status).await?;
            return Ok(Action::await_change());
        }
    };
    let session = context.session(&plan.identity.uid);
    let mut connections = session.connections.lock().await;
    let children = context.caches.children_of(&plan.identity);
    let credentials = session.credentials(&plan.identity, &children);
    let snapshot = take::take(&plan, children, credentials, context.caches.served(), &mut connections).await;

    let initiated_before =
        previous.and_then(|status| status.mongodb.as_ref()).is_some_and(|mongodb| mongodb.initiated);
    let steps = drive::next(&plan, &snapshot, initiated_before);
    let (applied, driven) = if plan.mode == Mode::Paused {
        (Ok(Applied::default()), steps.untaken())
    } else {
        let desired = desired::build(&plan, &snapshot);
        let (identity, memory) = (&plan.identity, &session.memory);
        let applied = apply::apply(&context.client, identity, desired, &snapshot.children, memory).await;
        (applied, drive::run(&plan, &snapshot, steps, &connections, &context.client).await)
    };

    let pass = status::Pass {
        plan: &plan,
        snapshot: &snapshot,
        applied: applied.as_ref().map_err(|error| report::chain(error)),
        driven: &driven,
    };
    let status = status::compute(&pass, cluster.metadata.generation, previous, &context.now());
    report::steps(context, cluster, &driven).await;
    report::recreations(context, cluster, applied.as_ref().ok()).await;
    let settled = applied.is_ok() && is_settled(status.phase.as_deref(), &driven);
    report::publish(context, cluster, status).await?;
    applied?;
    context.failures.reset(&plan.identity.uid);
    Ok(Action::requeue(if settled { SETTLED } else { CONVERGING }))
}

/// What is stopped or paused has nothing to wait for that a watch would not tell.
fn is_settled(phase: Option<&str>, driven: &Driven) -> bool {
    match phase {
        Some("Ready") => driven.is_settled(),
        Some("Stopped" | "Paused") => true,
        _ => false,
    }
}

/// A deleted cluster that our finalizer keeps goes on its way; of any other owner references take
/// care, and nothing here needs the operator. A pause does not hold it up: who deletes wants it gone.
async fn delete(cluster: &EaiserCluster, identity: &Identity, context: &Context) -> Result<Action, Error> {
    context.forget(&identity.uid);
    if !finalize::is_kept(&cluster.metadata) {
        return Ok(Action::await_change());
    }
    let children = context.caches.children_of(identity);
    let policy = cluster.spec.operation.deletion_policy;
    let next = finalize::next(identity, policy, &cluster.metadata, &children);
    report::deletion(context, cluster, &next).await?;
    finalize::run(&context.client, identity, &cluster.metadata, &next).await?;
    Ok(Action::requeue(CONVERGING))
}

/// An object that does not parse can still be deleted.
async fn release_malformed(metadata: &ObjectMeta, context: &Context) -> Result<Action, Error> {
    let (Some(identity), true) = (identity_of(metadata), finalize::is_kept(metadata)) else {
        return Ok(Action::await_change());
    };
    if metadata.deletion_timestamp.is_none() {
        return Ok(Action::await_change());
    }
    context.forget(&identity.uid);
    let policy = finalize::policy_as_stored(&context.client, metadata).await?;
    let next = finalize::next(&identity, policy, metadata, &context.caches.children_of(&identity));
    finalize::run(&context.client, &identity, metadata, &next).await?;
    Ok(Action::requeue(CONVERGING))
}

/// Name, namespace and uid; the API server sets all three on every stored object.
fn identity_of(metadata: &ObjectMeta) -> Option<Identity> {
    Some(Identity {
        namespace: metadata.namespace.clone()?,
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
    })
}
