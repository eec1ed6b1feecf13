//! What a status says of a cluster that is paused, stopped, on its way there or back. Pure.

use super::Pass;
use super::condition::{Verdict, reason};
use crate::crd::EaiserClusterStatus;
use crate::desired::stage::{Progress, Stage};
use crate::names::Tier;
use crate::plan::Mode;

/// Tiers in the order in which they stop, with their conditions.
const TIERS: [(Tier, &str); 4] = [
    (Tier::Api, "ApiReady"),
    (Tier::Gateway, "GatewayReady"),
    (Tier::Redis, "RedisReady"),
    (Tier::MongoDb, "MongoDBReady"),
];

/// The `Paused` condition.
pub(super) fn paused(mode: Mode) -> Verdict {
    match mode {
        Mode::Paused => Verdict::on(
            reason::PAUSED,
            "spec.operation.paused is true: no object is written and no database is driven until it is false",
        ),
        Mode::Running | Mode::Stopped => Verdict::off(reason::NOT_PAUSED, "the cluster is not paused"),
    }
}

/// The verdicts, with those of tiers at zero pods, or on their way there, in the words of the stop.
pub(super) fn overlaid(
    pass: &Pass<'_>,
    stage: Stage,
    verdicts: Vec<(&'static str, Verdict)>,
) -> Vec<(&'static str, Verdict)> {
    let overlay = |(name, verdict): (&'static str, Verdict)| {
        let tier = TIERS.iter().find(|(_, condition)| *condition == name).map(|(tier, _)| *tier);
        let verdict = match tier {
            Some(tier) if !stage.runs(tier) => at_zero(pass, stage, tier),
            None if name == "AutoscalingReady" && !stage.api => Verdict::off(
                reason::STOPPED,
                "the API is stopped; its autoscaler does nothing until it has pods again",
            ),
            _ => verdict,
        };
        (name, verdict)
    };
    verdicts.into_iter().map(overlay).collect()
}

fn at_zero(pass: &Pass<'_>, stage: Stage, tier: Tier) -> Verdict {
    if stage.progress == Progress::Starting {
        let needed = if tier == Tier::Redis { "MongoDB serves" } else { "MongoDB and Redis serve" };
        return Verdict::off(reason::STARTING, format!("{tier} starts when {needed}"));
    }
    match pass.snapshot.children.pods_of(tier).count() {
        0 => Verdict::off(reason::STOPPED, format!("{tier} is stopped")),
        left => Verdict::off(reason::STOPPING, format!("{tier} is stopping: {left} pods are left")),
    }
}

/// Readiness of a cluster that is not to run, or not yet; none of one that is.
pub(super) fn overall(stage: Stage, tiers: &[(&'static str, Verdict)]) -> Option<Verdict> {
    match stage.progress {
        Progress::Running => None,
        Progress::Stopped => Some(Verdict::off(
            reason::STOPPED,
            "spec.operation.stopped is true: no pod runs; volumes, Secrets and Services are kept",
        )),
        Progress::Stopping => Some(Verdict::off(reason::STOPPING, format!("stopping: {}", in_order(tiers)))),
        Progress::Starting => {
            let missing = |wanted: &&'static str| {
                tiers.iter().find(|(name, verdict)| *name == *wanted && !verdict.holds)
            };
            let needed = TIERS.iter().rev().map(|(_, condition)| condition);
            let why = needed.into_iter().find_map(missing);
            let why = why.map_or("its tiers are ready", |(_, verdict)| verdict.message.as_str());
            Some(Verdict::off(reason::STARTING, format!("starting: {why}")))
        }
    }
}

/// How far each tier is, in the order of the stop.
fn in_order(tiers: &[(&'static str, Verdict)]) -> String {
    let of = |(tier, condition): &(Tier, &str)| {
        let verdict = tiers.iter().find(|(name, _)| name == condition).map(|(_, verdict)| verdict);
        match verdict {
            Some(verdict) if verdict.reason == reason::STOPPED || verdict.reason == reason::STOPPING => {
                verdict.message.clone()
            }
            _ => format!("{tier} is next"),
        }
    };
    let words: Vec<String> = TIERS.iter().map(of).collect();
    let shown = words.iter().position(|word| word.ends_with("is next")).map_or(words.len(), |next| next + 1);
    words[..shown].join("; ")
}

/// The phase, where the operation decides it.
pub(super) fn phase(
    mode: Mode,
    stage: Stage,
    previous: Option<&EaiserClusterStatus>,
    ready: bool,
) -> Option<&'static str> {
    if mode == Mode::Paused {
        return Some("Paused");
    }
    let started_before = previous.and_then(|status| status.phase.as_deref()) == Some("Starting");
    match stage.progress {
        Progress::Stopping => Some("Stopping"),
        Progress::Stopped => Some("Stopped"),
        Progress::Starting => Some("Starting"),
        Progress::Running => (started_before && !ready).then_some("Starting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(progress: Progress, mongodb: bool) -> Stage {
        Stage { progress, api: false, gateway: false, redis: false, mongodb }
    }

    fn tiers(words: [(&'static str, Verdict); 4]) -> Vec<(&'static str, Verdict)> {
        words.into()
    }

    #[test]
    fn a_stop_says_which_tier_is_on_its_way_and_which_is_next() {
        let verdicts = tiers([
            ("ApiReady", Verdict::off(reason::STOPPING, "api is stopping: 2 pods are left")),
            ("GatewayReady", Verdict::on(reason::PODS_READY, "2/2 gateway pods are ready")),
            ("MongoDBReady", Verdict::on(reason::FORMED, "all 3 members vote")),
            ("RedisReady", Verdict::on(reason::FORMED, "all slots are served")),
        ]);
        let verdict = overall(stopped(Progress::Stopping, true), &verdicts).unwrap();
        assert_eq!((verdict.holds, verdict.reason, verdict.failing), (false, reason::STOPPING, false));
        assert_eq!(verdict.message, "stopping: api is stopping: 2 pods are left; gateway is next");
    }

    #[test]
    fn a_start_names_what_the_next_tier_waits_for() {
        let verdicts = tiers([
            ("ApiReady", Verdict::off(reason::STARTING, "api starts when MongoDB and Redis serve")),
            ("GatewayReady", Verdict::off(reason::STARTING, "gateway starts when MongoDB and Redis serve")),
            ("MongoDBReady", Verdict::off(reason::WAITING, "MongoDB: the replica set has no primary")),
            ("RedisReady", Verdict::off(reason::STARTING, "redis starts when MongoDB serves")),
        ]);
        let verdict = overall(stopped(Progress::Starting, true), &verdicts).unwrap();
        assert_eq!(verdict.message, "starting: MongoDB: the replica set has no primary");
    }

    #[test]
    fn a_started_cluster_is_starting_until_it_is_ready() {
        let before =
            EaiserClusterStatus { phase: Some("Starting".to_owned()), ..EaiserClusterStatus::default() };
        let running =
            Stage { progress: Progress::Running, api: true, gateway: true, redis: true, mongodb: true };
        assert_eq!(phase(Mode::Running, running, Some(&before), false), Some("Starting"));
        assert_eq!(phase(Mode::Running, running, Some(&before), true), None);
        assert_eq!(phase(Mode::Running, running, None, false), None, "a new cluster forms");
    }

    #[test]
    fn a_pause_is_told_whatever_else_was_asked() {
        assert_eq!(phase(Mode::Paused, stopped(Progress::Stopping, true), None, true), Some("Paused"));
        assert!(paused(Mode::Paused).holds);
        assert!(!paused(Mode::Stopped).holds);
    }
}
