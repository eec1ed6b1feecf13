//! Carries out what [`super::next`] decided. IO; a step that fails is reported, not returned.

use std::mem::take;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Preconditions};

use super::readiness::Turn;
use super::readiness::tell::{self, Told};
use super::replacement::{Replacement, act};
use super::roll::{self, Action, Deletion, Roll};
use super::storage::Resize;
use super::storage::ask::{self, Asked};
use super::{Database, Driven, Steps, Took, mongodb_wanted, redis_wanted};
use crate::fence::Fence;
use crate::mongo::forced::Verdict;
use crate::mongo::upkeep::Task;
use crate::mongo::work::{self, Begun};
use crate::mongo::{self, Step};
use crate::names::{Identity, selector_text};
use crate::plan::Plan;
use crate::redis_cluster;
use crate::snapshot::Snapshot;
use crate::snapshot::take::Connections;

/// Reason of the event about a pod that is replaced.
const ROLL_POD: &str = "RollPod";
/// Reason of the event about a pod that could not be replaced.
pub(super) const ROLL_FAILED: &str = "RollFailed";

/// Reason of the event about a configuration that was forced.
const FORCE: &str = "ForceReconfigure";

/// What was done, or what failed: (reason, sentence).
type Report = Result<(&'static str, String), (&'static str, String)>;

/// What a step acts through.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// Connections to the databases.
    pub connections: &'a Connections,
    /// The API server.
    pub client: &'a Client,
    /// The right to act. The client asks it by itself; commands to a database ask it here.
    pub fence: &'a Fence,
    /// What was asked of volume claims before.
    pub asked: &'a Asked,
    /// What was told of pods before.
    pub told: &'a Told,
    /// The time that conditions of pods carry.
    pub now: &'a Time,
}

/// What a step needs to know, and to act.
struct Edge<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    hands: Hands<'a>,
}

/// Carries the steps out, both databases at once. A step that fails is reported, not returned: the
/// other database and the status go on.
pub async fn run(plan: &Plan, snapshot: &Snapshot, mut steps: Steps, hands: Hands<'_>) -> Driven {
    let edge = Edge { plan, snapshot, hands };
    let (resizes, turns) = (take(&mut steps.resizes), take(&mut steps.turns));
    // A tier rolls only when its own steps are done, unless the pod serves nobody.
    let (members, nodes, member_pods, node_pods, force, task, emptying) = tokio::join!(
        timed(Box::pin(edge.mongodb_step(&steps.mongodb, steps.mongodb_user.as_ref()))),
        timed(Box::pin(edge.redis_step(&steps.redis))),
        timed(Box::pin(edge.roll(&steps.rolls.mongodb))),
        timed(Box::pin(edge.roll(&steps.rolls.redis))),
        timed(Box::pin(edge.force(&steps.forced))),
        timed(Box::pin(edge.begin(steps.upkeep.task.as_ref()))),
        timed(Box::pin(edge.replace(&steps.replacement))),
    );
    let mut driven = steps.untaken();
    let of_mongodb = [members, member_pods, force, task, emptying].map(|report| (Database::MongoDb, report));
    let of_redis = [nodes, node_pods].map(|report| (Database::Redis, report));
    for (database, report) in of_mongodb.into_iter().chain(of_redis) {
        match report {
            Some((Ok((step, sentence)), begin, duration)) => {
                driven.took.push(Took { database, step, begin, duration });
                driven.done.push((step, sentence));
            }
            Some((Err(failed), ..)) => driven.failed.push(failed),
            None => {}
        }
    }
    edge.care(&resizes, &turns, &mut driven).await;
    driven
}

async fn timed(step: impl Future<Output = Option<Report>>) -> Option<(Report, Instant, Duration)> {
    let begin = Instant::now();
    Some((step.await?, begin, begin.elapsed()))
}

impl Edge<'_> {
    async fn mongodb_step(&self, next: &mongo::Next, of_user: Option<&Step>) -> Option<Report> {
        let step = match next {
            mongo::Next::Do(step) => step,
            _ => of_user?,
        };
        self.run_mongodb(step, step.to_string()).await
    }

    async fn run_mongodb(&self, step: &Step, sentence: String) -> Option<Report> {
        if !self.hands.fence.holds() {
            return None;
        }
        let wanted = mongodb_wanted(self.plan, self.snapshot, false);
        match mongo::driver::run(step, &wanted, &self.snapshot.mongodb, &self.hands.connections.mongodb).await
        {
            Ok(mongo::Outcome::Done) => Some(Ok((step.reason(), sentence))),
            Ok(mongo::Outcome::Retry { reason }) => {
                tracing::debug!(%step, reason, "MongoDB is busy; looking again");
                None
            }
            Err(error) => Some(Err((error.reason(), error.to_string()))),
        }
    }

    async fn force(&self, forced: &Verdict) -> Option<Report> {
        let Verdict::Act(act) = forced else { return None };
        if !self.hands.fence.holds() {
            return None;
        }
        match mongo::driver::force(act, &self.hands.connections.mongodb).await {
            Ok(()) => Some(Ok((FORCE, act.sentence().to_owned()))),
            Err(error) => Some(Err((error.reason(), error.to_string()))),
        }
    }

    async fn begin(&self, task: Option<&Task>) -> Option<Report> {
        let task = task?;
        let (primary, _) = self.snapshot.mongodb.primary()?;
        if !self.hands.fence.holds() {
            return None;
        }
        match work::begin(task, &primary.host, &self.hands.connections.mongodb).await {
            Begun::Done | Begun::UnderWay => Some(Ok((task.reason(), task.to_string()))),
            Begun::Failed(why) => Some(Err((task.reason(), format!("could not {task}: {why}")))),
            Begun::Retry => None,
        }
    }

    async fn redis_step(&self, next: &redis_cluster::Next) -> Option<Report> {
        let redis_cluster::Next::Do(step) = next else { return None };
        self.run_redis(step, step.describe()).await
    }

    async fn run_redis(&self, step: &redis_cluster::Step, sentence: String) -> Option<Report> {
        let redis = self.hands.connections.redis.as_ref()?;
        if !self.hands.fence.holds() {
            return None;
        }
        match redis_cluster::run(redis, step).await {
            Ok(redis_cluster::Outcome::Done) => Some(Ok((step.reason(), sentence))),
            Ok(redis_cluster::Outcome::UnderWay) => None,
            Err(error) => Some(Err((error.reason(), error.to_string()))),
        }
    }

    async fn roll(&self, roll: &Roll) -> Option<Report> {
        match roll.action()? {
            Action::Delete(deletion) => self.delete(deletion).await,
            Action::StepDown { pod, host, change } => {
                let step = Step::StepDown { host: host.clone() };
                self.run_mongodb(&step, format!("step down the primary {pod} before it restarts: {change}"))
                    .await
            }
            Action::FailOver { from, to, change } => {
                let step = redis_cluster::fail_over(&redis_wanted(self.plan), &self.snapshot.redis, to)?;
                self.run_redis(
                    &step,
                    format!("let {to} take over from {from} before that restarts: {change}"),
                )
                .await
            }
        }
    }

    /// Volumes and the readiness of pods: neither changes what a database does.
    async fn care(&self, resizes: &[Resize], turns: &[Turn], driven: &mut Driven) {
        let Hands { client, asked, told, now, .. } = self.hands;
        let namespace = &self.plan.identity.namespace;
        let (reports, refused) = ask::all(client, namespace, resizes, asked).await;
        driven.refused = refused;
        for report in reports {
            match report {
                Ok(done) => driven.done.push(done),
                Err(failed) => driven.failed.push(failed),
            }
        }
        let unset = tell::all(client, namespace, turns, told, now).await;
        driven.failed.extend(unset.into_iter().map(|sentence| (tell::READINESS_FAILED, sentence)));
    }

    async fn replace(&self, replacement: &Replacement) -> Option<Report> {
        act::run(self.hands.client, &self.plan.identity, replacement.action.as_ref()?).await
    }

    async fn delete(&self, deletion: &Deletion) -> Option<Report> {
        let identity = &self.plan.identity;
        match delete(self.hands.client, identity, deletion).await {
            Ok(Outcome::Deleted) => Some(Ok((ROLL_POD, deletion.sentence.clone()))),
            Ok(Outcome::Overtaken(reason)) => {
                tracing::debug!(pod = deletion.pod, reason, "not restarted; looking again");
                None
            }
            Err(error) => Some(Err((ROLL_FAILED, format!("cannot restart {}: {error}", deletion.pod)))),
        }
    }
}

enum Outcome {
    Deleted,
    Overtaken(String),
}

/// Deletes this very pod, if the world still is as it was when that was decided.
async fn delete(client: &Client, identity: &Identity, deletion: &Deletion) -> Result<Outcome, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &identity.namespace);
    let of_tier = ListParams::default().labels(&selector_text(&identity.selector(deletion.tier)));
    if let Err(reason) = roll::still_holds(deletion, &pods.list(&of_tier).await?.items) {
        return Ok(Outcome::Overtaken(reason));
    }
    let preconditions = Preconditions { uid: Some(deletion.uid.clone()), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match pods.delete(&deletion.pod, &parameters).await {
        Ok(_) => Ok(Outcome::Deleted),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
            Ok(Outcome::Overtaken("it was replaced meanwhile".to_owned()))
        }
        Err(error) => Err(error),
    }
}
