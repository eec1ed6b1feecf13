//! One pass over one object: the six steps in their order.

mod certificates;
pub mod context;
mod deletion;
pub mod finalize;
mod forced;
pub mod guarded;
mod measure;
pub mod pace;
pub mod report;
mod unreadable;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use crate::apply::{self, Applied};
use crate::crd::{EaiserCluster, EaiserClusterStatus};
use crate::desired;
use crate::drive;
use crate::drive::replacement::Replacements;
use crate::names::{Identity, Tier};
use crate::plan::{self, Mode, Plan};
use crate::runtime::metrics::clusters::Seen;
use crate::runtime::metrics::phases::Phase;
use crate::runtime::patience::Impatient;
use crate::snapshot::{Snapshot, take};
use crate::status;
pub use context::Context;
use context::Session;
pub use guarded::Guarded;
use measure::Stopwatch;

/// A pass that could not finish. Waiting is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A deletion, or what prepares one, could not go on.
    #[error(transparent)]
    Finalize(#[from] finalize::Error),
    /// Children could not be written; the status says so too.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// An annotation that has been served could not be taken away.
    #[error("cannot remove annotation {annotation} of EaiserCluster {name}")]
    Annotation {
        /// Name of the object.
        name: String,
        /// Key of the annotation.
        annotation: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
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
            Self::Annotation { .. } => "AnnotationFailed",
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
        // On the heap: a worker holds many passes.
        Ok(cluster) => Box::pin(pass(cluster, &context)).await,
        Err(unreadable) => unreadable::pass(&object, unreadable, &context).await,
    };
    context.metrics.passed(result.as_ref().err().map_or("ok", Error::reason), begin.elapsed());
    result
}

/// Repeats a failed pass, later each time it fails in a row.
#[allow(clippy::needless_pass_by_value, reason = "the signature kube's controller asks for")]
pub fn error_policy(object: Arc<Guarded>, error: &Error, context: Arc<Context>) -> Action {
    let name = object.name_any();
    if let Some(left) = Impatient::pause_in(error) {
        // Nothing failed: the pass goes on when the API server wants to be asked again.
        tracing::info!(object = %name, retry_seconds = left.as_secs_f32(), "the API server asked for a pause");
        return Action::requeue(left);
    }
    let delay = context.failures.next_delay(&object.meta().uid.clone().unwrap_or_default());
    tracing::warn!(object = %name, error = %report::chain(error), retry_seconds = delay.as_secs_f32(), "pass failed");
    Action::requeue(delay)
}

async fn pass(cluster: &EaiserCluster, context: &Context) -> Result<Action, Error> {
    let Some(identity) = Identity::of(&cluster.metadata) else {
        return Ok(Action::await_change());
    };
    if cluster.meta().deletion_timestamp.is_some() {
        return deletion::pass(cluster, &identity, context).await;
    }
    if finalize::follow(&context.client, cluster).await? {
        return Ok(Action::requeue(pace::CONVERGING));
    }
    let session = context.session(&identity.uid);
    let mut watch = Stopwatch::start(&context.metrics.phases);
    let plan = plan::plan(identity, &cluster.spec, &context.settings);
    watch.lap(Phase::Plan, measure::plan(&plan));
    match plan {
        // On the heap, as the pass itself.
        Ok(plan) => Box::pin(carry_out(&plan, cluster, context, &session, watch)).await,
        Err(problems) => {
            let mode = plan::operation::plan(&cluster.spec.operation);
            let previous = session.published.newest(cluster.meta(), cluster.status.as_ref());
            let previous = previous.as_ref();
            let status =
                status::invalid(&problems, mode, cluster.metadata.generation, previous, &context.now());
            report::publish(context, cluster, &session, previous, status).await?;
            Ok(Action::await_change())
        }
    }
}

/// Whether the replica set is remembered as initiated.
fn initiated_before(previous: Option<&EaiserClusterStatus>) -> bool {
    previous.and_then(|status| status.mongodb.as_ref()).is_some_and(|mongodb| mongodb.initiated)
}

/// Everything that follows a valid plan.
async fn carry_out(
    plan: &Plan,
    cluster: &EaiserCluster,
    context: &Context,
    session: &Session,
    mut watch: Stopwatch<'_>,
) -> Result<Action, Error> {
    let previous = session.published.newest(cluster.meta(), cluster.status.as_ref());
    let previous = previous.as_ref();
    let mut connections = session.connections.lock().await;
    let children = context.caches.children_of(&plan.identity);
    let references = context.caches.references_of(&plan.identity, plan.mongodb.referenced_secrets());
    let credentials = session.credentials(plan, &children, &references);
    let certificates = certificates::find(plan, &children, &references, context, session);
    let seen = take::take(plan, children, credentials, context.caches.served(), &mut connections).await;
    let requests = cluster.annotations().clone();
    let prometheuses = context.caches.prometheuses();
    let mongodb_facts = seen.mongodb_facts.remembering(status::remembered(previous));
    let replacements = Replacements::of(cluster, previous);
    let snapshot = Snapshot { prometheuses, certificates, requests, mongodb_facts, replacements, ..seen };
    watch.lap(Phase::Snapshot, measure::Outcome::Applied);
    let look = measure::Look { topology: &snapshot.mongodb, at: Instant::now(), mode: plan.mode };

    let forced = drive::forced::next(plan, &snapshot, cluster, previous);
    let steps = drive::next(plan, &snapshot, initiated_before(previous), forced);
    let (applied, mut driven) = if plan.mode == Mode::Paused {
        (Ok(Applied::default()), steps.untaken())
    } else {
        let desired = desired::build(plan, &snapshot);
        watch.lap(Phase::Desired, measure::Outcome::Applied);
        let (identity, memory) = (&plan.identity, &session.memory);
        let applied = apply::apply(&context.client, identity, desired, &snapshot.children, memory).await;
        watch.lap(Phase::Apply, measure::apply(&applied));
        let hands = drive::Hands {
            connections: &connections,
            client: &context.client,
            fence: &context.fence,
            asked: &session.asked,
            told: &session.told,
            now: &context.now(),
        };
        let driven = Box::pin(drive::run(plan, &snapshot, steps, hands)).await;
        watch.lap(Phase::Drive, measure::drive(&driven));
        (applied, driven)
    };

    let refused = forced::settle(context, cluster, &mut driven).await;

    let applied_or_why = applied.as_ref().map_err(|error| report::chain(error));
    let pass = status::Pass { plan, snapshot: &snapshot, applied: applied_or_why, driven: &driven };
    let status = status::compute(&pass, cluster.metadata.generation, previous, &context.now());
    measure::databases(&context.metrics.databases, session, &look, &driven);
    report::steps(context, cluster, &driven).await;
    report::recreations(context, cluster, applied.as_ref().ok()).await;
    let outcome = outcome(&pass, &status);
    context.metrics.clusters.show(cluster, &status, Seen::of(&plan.identity, &snapshot));
    let changed = previous != Some(&status);
    let published = report::publish(context, cluster, session, previous, status).await;
    watch.lap(Phase::Status, measure::status(&published, changed));
    published?;
    applied?;
    refused?;
    if driven.server_failed() {
        return Ok(Action::requeue(context.failures.next_delay(&plan.identity.uid)));
    }
    context.failures.reset(&plan.identity.uid);
    Ok(Action::requeue(next_pass(cluster, context, outcome).await))
}

/// How soon to look again; says so when looking has become a loop.
async fn next_pass(cluster: &EaiserCluster, context: &Context, outcome: pace::Outcome) -> Duration {
    let next = context.paces.end(&reference(cluster), outcome);
    if next.hot {
        context.metrics.hot_loop();
        report::hot_loop(context, cluster).await;
    }
    next.after
}

/// What the pass came to, for the rhythm of the next ones.
fn outcome(pass: &status::Pass<'_>, status: &EaiserClusterStatus) -> pace::Outcome {
    let driven = pass.driven;
    let wrote = pass.applied.as_ref().is_ok_and(|applied| applied.unseen().is_some());
    let did = (&pass.applied, &driven.done, &driven.failed);
    // What is stopped or paused has nothing to wait for that a watch would not tell.
    let settled = match status.phase.as_deref() {
        Some("Ready") => driven.is_settled(),
        Some("Stopped" | "Paused") => pass.applied.is_ok(),
        _ => pass.applied.is_ok() && nobody_to_ask(pass.snapshot),
    };
    let acted = wrote || !driven.done.is_empty();
    pace::Outcome { situation: pace::situation(status, &did), acted, settled }
}

/// No database pod has an address yet: whatever comes next, a watch brings it.
fn nobody_to_ask(snapshot: &Snapshot) -> bool {
    let children = &snapshot.children;
    let mut pods = children.pods_of(Tier::MongoDb).chain(children.pods_of(Tier::Redis));
    pods.all(|pod| pod.status.as_ref().is_none_or(|status| status.pod_ip.is_none()))
}

/// The key that watches and queue know the cluster by.
fn reference(cluster: &EaiserCluster) -> ObjectRef<Guarded> {
    ObjectRef::new(&cluster.name_any()).within(&cluster.namespace().unwrap_or_default())
}
