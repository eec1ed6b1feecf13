//! One pass over one object: the six steps in their order.

pub mod context;
pub mod guarded;
pub mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use crate::apply::{self, Applied};
use crate::crd::EaiserCluster;
use crate::desired;
use crate::drive;
use crate::names::Identity;
use crate::plan::{self, Mode};
use crate::snapshot::take;
use crate::status;
pub use context::Context;
pub use guarded::Guarded;
use guarded::Unreadable;

/// Looks again while something forms; watches usually come first.
const CONVERGING: Duration = Duration::from_millis(700);
/// Looks again at the databases of a settled cluster, which no watch covers.
const SETTLED: Duration = Duration::from_secs(20);

/// A pass that could not finish. Waiting is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
            Self::Apply(error) => error.reason(),
            Self::Status { .. } => "StatusFailed",
        }
    }
}

/// Runs one pass, measured.
///
/// # Errors
/// A request to the API server failed; the pass is repeated with back-off.
pub async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let begin = Instant::now();
    let result = match &object.0 {
        Ok(cluster) => pass(cluster, &context).await,
        Err(unreadable) => report_unreadable(&object, unreadable, &context).await,
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

/// Says on the object itself that it cannot be read; other clusters go on.
async fn report_unreadable(
    object: &Guarded,
    unreadable: &Unreadable,
    context: &Context,
) -> Result<Action, Error> {
    let metadata = &unreadable.metadata;
    let uid = metadata.uid.clone().unwrap_or_default();
    if metadata.deletion_timestamp.is_some() {
        context.forget(&uid);
        return Ok(Action::await_change());
    }
    tracing::error!(object = %object.name_any(), error = %unreadable.error, "the stored object cannot be read; waiting for a change");
    let session = context.session(&uid);
    let previous = session.published.newest(metadata, unreadable.status.as_ref());
    let status =
        status::unreadable(&unreadable.error, metadata.generation, previous.as_ref(), &context.now());
    report::publish(context, object, &session, previous.as_ref(), status).await?;
    context.failures.reset(&uid);
    Ok(Action::await_change())
}

async fn pass(cluster: &EaiserCluster, context: &Context) -> Result<Action, Error> {
    let Some(identity) = identity(cluster) else {
        return Ok(Action::await_change());
    };
    if cluster.meta().deletion_timestamp.is_some() {
        // Owner references delete the children; nothing here needs the operator.
        context.forget(&identity.uid);
        return Ok(Action::await_change());
    }
    let session = context.session(&identity.uid);
    let previous = session.published.newest(cluster.meta(), cluster.status.as_ref());
    let previous = previous.as_ref();
    let plan = match plan::plan(identity, &cluster.spec, &context.settings) {
        Ok(plan) => plan,
        Err(problems) => {
            let mode = plan::operation::plan(&cluster.spec.operation);
            let status =
                status::invalid(&problems, mode, cluster.metadata.generation, previous, &context.now());
            report::publish(context, cluster, &session, previous, status).await?;
            return Ok(Action::await_change());
        }
    };
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
    // What is stopped or paused has nothing to wait for that a watch would not tell.
    let settled = match status.phase.as_deref() {
        Some("Ready") => driven.is_settled(),
        Some("Stopped" | "Paused") => applied.is_ok(),
        _ => false,
    };
    report::publish(context, cluster, &session, previous, status).await?;
    applied?;
    context.failures.reset(&plan.identity.uid);
    Ok(Action::requeue(if settled { SETTLED } else { CONVERGING }))
}

/// Name, namespace and uid; the API server sets all three on every stored object.
fn identity(cluster: &EaiserCluster) -> Option<Identity> {
    Some(Identity {
        namespace: cluster.metadata.namespace.clone()?,
        name: cluster.metadata.name.clone()?,
        uid: cluster.metadata.uid.clone()?,
    })
}
