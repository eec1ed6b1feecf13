//! Step 6 of a pass: every condition and number of the status, from scratch. Pure.

mod blocker;
mod certificate;
pub mod condition;
mod deployments;
pub mod news;
mod no_primary;
mod operation;
mod replacement;
mod report;
mod rolling;
mod selection;
mod storage;
mod tiers;
mod upkeep;
mod users;

#[cfg(test)]
mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::apply::Applied;
use crate::crd::EaiserClusterStatus;
use crate::desired::stage::{Progress, Stage};
use crate::drive::Driven;
use crate::plan::{Mode, Plan, Problems};
use crate::snapshot::Snapshot;
use condition::{Verdict, reason};
pub use upkeep::remembered;

/// Everything a pass learned.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The plan it followed.
    pub plan: &'a Plan,
    /// The world as it was at the pass' start.
    pub snapshot: &'a Snapshot,
    /// What was applied, or the sentence why not.
    pub applied: Result<&'a Applied, String>,
    /// What the databases needed and got.
    pub driven: &'a Driven,
}

/// The status after a pass over a valid spec.
pub fn compute(
    pass: &Pass<'_>,
    generation: Option<i64>,
    previous: Option<&EaiserClusterStatus>,
    now: &Time,
) -> EaiserClusterStatus {
    let mode = pass.plan.mode;
    let stage = Stage::of(pass.plan, pass.snapshot);
    let tiers = rolling::overlaid(pass, tiers::verdicts(pass, now), previous);
    let tiers = certificate::overlaid(pass, tiers);
    let mut tiers = operation::overlaid(pass, stage, tiers);
    tiers.extend(users::verdict(pass).map(|verdict| ("MongoDBUsersReady", verdict)));
    let overall = overall(pass, stage, &tiers);
    let unseen = pass.applied.as_ref().ok().and_then(|applied| applied.unseen());
    let progressing = match (mode, stage.progress) {
        (Mode::Paused, _) => Verdict::off(reason::PAUSED, "paused: nothing is changed"),
        (_, Progress::Stopped) => Verdict::off(reason::STOPPED, overall.message.clone()),
        _ => progressing(&overall, &tiers, unseen),
    };
    let degraded = tiers.iter().find(|(_, verdict)| verdict.failing).map(|(_, verdict)| verdict);
    let mut conditions = vec![
        ("Ready", overall.clone()),
        ("Progressing", progressing.clone()),
        (
            "Degraded",
            degraded.map_or_else(
                || Verdict::off(reason::NOTHING_FAILS, "nothing fails"),
                |failing| Verdict::on(failing.reason, failing.message.clone()),
            ),
        ),
        ("SpecValid", Verdict::on(reason::VALID, "the spec can be carried out")),
        ("Paused", operation::paused(mode)),
    ];
    let stalled = tiers.iter().map(|(_, verdict)| verdict).find(|verdict| needs_a_person(verdict.reason));
    let for_kstatus = for_kstatus(&progressing, stalled);
    let phase = operation::phase(mode, stage, previous, overall.holds);
    let phase = phase.unwrap_or(match (overall.holds, degraded) {
        (true, _) => "Ready",
        (false, Some(_)) => "Degraded",
        (false, None) => "Forming",
    });
    let message = if UNDER_WAY.contains(&progressing.reason) { progressing.message } else { overall.message };
    let message = if mode == Mode::Paused { format!("paused; {message}") } else { message };
    conditions.extend(for_kstatus);
    conditions.extend(tiers);
    EaiserClusterStatus {
        observed_generation: generation,
        phase: Some(phase.to_owned()),
        message: Some(message),
        conditions: condition::merge(conditions, generation, previous, now),
        ..report::numbers(pass, previous)
    }
}

/// The status of a spec that cannot be carried out. What runs is left as it is, and so are the
/// numbers that describe it.
pub fn invalid(
    problems: &Problems,
    mode: Mode,
    generation: Option<i64>,
    previous: Option<&EaiserClusterStatus>,
    now: &Time,
) -> EaiserClusterStatus {
    let message = format!("the spec cannot be carried out; what runs is left as it is: {problems}");
    let conditions = vec![
        ("Ready", Verdict::off(reason::SPEC_INVALID, message.clone())),
        ("Progressing", Verdict::off(reason::SPEC_INVALID, "waits for a corrected spec")),
        ("Degraded", Verdict::on(reason::SPEC_INVALID, message.clone())),
        ("SpecValid", Verdict::off(reason::SPEC_INVALID, problems.to_string())),
        ("Paused", operation::paused(mode)),
        ("Stalled", Verdict::on(reason::SPEC_INVALID, message.clone())),
    ];
    EaiserClusterStatus {
        observed_generation: generation,
        phase: Some("Invalid".to_owned()),
        message: Some(message),
        conditions: condition::merge(conditions, generation, previous, now),
        ..previous.cloned().unwrap_or_default()
    }
}

/// The status of a cluster that is deleted with its volumes; `message` says how far that is.
pub fn deleting(
    message: &str,
    generation: Option<i64>,
    previous: Option<&EaiserClusterStatus>,
    now: &Time,
) -> EaiserClusterStatus {
    let conditions = vec![
        ("Ready", Verdict::off(reason::DELETING, message)),
        ("Progressing", Verdict::on(reason::DELETING, message)),
        ("Degraded", Verdict::off(reason::NOTHING_FAILS, "nothing fails")),
    ];
    EaiserClusterStatus {
        observed_generation: generation,
        phase: Some("Deleting".to_owned()),
        message: Some(message.to_owned()),
        conditions: condition::merge(conditions, generation, previous, now),
        ..previous.cloned().unwrap_or_default()
    }
}

/// The status of a stored object that does not fit the types. What runs is left as it is.
pub fn unreadable(
    error: &str,
    generation: Option<i64>,
    previous: Option<&EaiserClusterStatus>,
    now: &Time,
) -> EaiserClusterStatus {
    let message = format!("the stored object cannot be read; what runs is left as it is: {error}");
    let conditions = vec![
        ("Ready", Verdict::off(reason::UNREADABLE, message.clone())),
        ("Progressing", Verdict::off(reason::UNREADABLE, "waits for a corrected object")),
        ("Degraded", Verdict::on(reason::UNREADABLE, message.clone())),
        ("SpecValid", Verdict::off(reason::UNREADABLE, message.clone())),
        ("Stalled", Verdict::on(reason::UNREADABLE, message.clone())),
    ];
    EaiserClusterStatus {
        observed_generation: generation,
        phase: Some("Invalid".to_owned()),
        message: Some(condition::short(&message)),
        conditions: condition::merge(conditions, generation, previous, now),
        ..previous.cloned().unwrap_or_default()
    }
}

/// Whether waiting cannot help: only a person can correct a name, a class or a spec. Everything else that
/// fails may end by itself, as a full node or a missing image do, and tools shall go on waiting.
fn needs_a_person(reason: &str) -> bool {
    let by_a_person =
        [reason::FOREIGN_OBJECT, reason::EXPANSION_REFUSED, reason::VERSION_REFUSED, reason::INDEX_FAILED];
    by_a_person.contains(&reason)
}

/// kstatus, which Argo CD, Flux and kpt wait by, reads two conditions of its own: they are listed
/// while they hold. Without `Reconciling` a ready cluster that rolls would count as done.
fn for_kstatus(progressing: &Verdict, stalled: Option<&Verdict>) -> Option<(&'static str, Verdict)> {
    match stalled {
        Some(verdict) => Some(("Stalled", Verdict::on(verdict.reason, verdict.message.clone()))),
        None if progressing.holds => Some(("Reconciling", progressing.clone())),
        None => None,
    }
}

/// Ready when every tier that serves traffic is; else the first reason why not, in the order in
/// which the tiers depend on each other.
fn overall(pass: &Pass<'_>, stage: Stage, tiers: &[(&'static str, Verdict)]) -> Verdict {
    if let Err(message) = &pass.applied {
        return Verdict::off(reason::APPLY_FAILED, message.clone());
    }
    if let Some(verdict) = operation::overall(stage, tiers) {
        return verdict;
    }
    match missing(tiers) {
        Some(verdict) => Verdict::off(verdict.reason, verdict.message.clone()),
        None => Verdict::on(reason::ALL_TIERS_READY, tiers::summary(pass)),
    }
}

/// The first tier that holds the cluster back. One that nobody watches still serves.
fn missing<'a>(tiers: &'a [(&'static str, Verdict)]) -> Option<&'a Verdict> {
    let needed = ["MongoDBReady", "RedisReady", "ApiReady", "GatewayReady", "MonitoringReady"];
    let of = |name: &str| tiers.iter().find(|(tier, _)| *tier == name).map(|(_, verdict)| verdict);
    needed.into_iter().filter_map(of).find(|verdict| !verdict.holds && verdict.reason != reason::NOT_SELECTED)
}

/// Reasons of tiers that serve while they are on their way to the spec.
const UNDER_WAY: [&str; 4] =
    [reason::ROLLING, reason::INDEX_BUILDING, reason::VOLUMES_GROWING, reason::FILE_SYSTEM_RESIZE_PENDING];

/// A cluster that serves may still be on its way to its spec; tools that wait for a change wait for
/// the end of this condition.
fn progressing(overall: &Verdict, tiers: &[(&'static str, Verdict)], unseen: Option<&str>) -> Verdict {
    if !overall.holds {
        return Verdict::on(overall.reason, overall.message.clone());
    }
    let tiers = tiers.iter().map(|(_, verdict)| verdict);
    let under_way: Vec<&Verdict> = tiers.filter(|verdict| UNDER_WAY.contains(&verdict.reason)).collect();
    if let Some(first) = under_way.first() {
        let messages: Vec<&str> = under_way.iter().map(|verdict| verdict.message.as_str()).collect();
        return Verdict::on(first.reason, messages.join("; "));
    }
    match unseen {
        Some(object) => {
            Verdict::on(reason::APPLYING, format!("{object} was written and has yet to take effect"))
        }
        None => Verdict::off(reason::SETTLED, "everything is as specified"),
    }
}
