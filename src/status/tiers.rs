//! One verdict per tier. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Pass;
use super::blocker::{self, Scene};
use super::condition::{Verdict, reason};
use super::deployments::{counts, deployment};
use super::{no_primary, selection, storage, upkeep};
use crate::desired::monitoring::uses_prometheus_operator;
use crate::names::Tier;
use crate::plan::Replicas;
use crate::snapshot::children::find;
use crate::{drive, mongo, redis_cluster};

/// Verdicts in the order the status lists them.
pub(super) fn verdicts(pass: &Pass<'_>, now: &Time) -> Vec<(&'static str, Verdict)> {
    let foreign = objects_in_the_way(pass);
    let scene = Scene { snapshot: pass.snapshot, now };
    let or_foreign = |verdict: Verdict| match &foreign {
        Some(foreign) if !verdict.holds => foreign.clone(),
        _ => verdict,
    };
    let mut verdicts = vec![
        ("ApiReady", or_foreign(deployment(pass, scene, Tier::Api, pass.plan.api.replicas.fewest()))),
        ("GatewayReady", or_foreign(deployment(pass, scene, Tier::Gateway, pass.plan.gateway.replicas))),
        ("MongoDBReady", or_foreign(upkeep::or_refused(pass, mongodb(pass, scene)))),
        ("RedisReady", or_foreign(redis(pass, scene))),
        ("MonitoringReady", foreign.clone().unwrap_or_else(|| monitoring(pass))),
        ("AutoscalingReady", autoscaling(pass)),
        ("StorageReady", storage::verdict(pass)),
    ];
    verdicts.extend(upkeep::indexes(pass).map(|verdict| ("IndexesReady", verdict)));
    verdicts
}

/// One sentence for a cluster that is ready.
pub(super) fn summary(pass: &Pass<'_>) -> String {
    let (ready, desired) = counts(pass, Tier::Api);
    let members = pass.plan.mongodb.members;
    let shards = pass.plan.redis.shards;
    format!("{ready}/{desired} API pods, {members} MongoDB members and {shards} Redis shards are ready")
}

fn objects_in_the_way(pass: &Pass<'_>) -> Option<Verdict> {
    let applied = pass.applied.as_ref().ok()?;
    if let Some(object) = applied.foreign.first() {
        let cluster = &pass.plan.identity.name;
        return Some(Verdict::failing(
            reason::FOREIGN_OBJECT,
            format!(
                "{object} exists and does not belong to EaiserCluster {cluster}; it is left untouched. Delete or rename it, or rename the cluster"
            ),
        ));
    }
    if let Some((object, field)) = applied.immutable.first() {
        return Some(Verdict::failing(
            reason::IMMUTABLE_FIELD,
            format!(
                "{object} has another {field} than it shall have, which Kubernetes never changes in place, and making it anew would lose something; nothing is sent. Delete it when that is acceptable, and it is made anew"
            ),
        ));
    }
    let object = applied.leftover.first()?;
    Some(Verdict::off(
        reason::LEFTOVERS,
        format!("{object} of an earlier cluster of this name is still being deleted"),
    ))
}

fn mongodb(pass: &Pass<'_>, scene: Scene<'_>) -> Verdict {
    let failed = pass.driven.failed.iter().map(|(_, message)| message);
    match &pass.driven.mongodb {
        mongo::Next::Settled => {
            pods(pass, scene, Tier::MongoDb, pass.plan.mongodb.members).unwrap_or_else(|| {
                Verdict::on(
                    reason::FORMED,
                    format!(
                        "all {} members vote and hold the data{}",
                        pass.plan.mongodb.members,
                        strangers(pass)
                    ),
                )
            })
        }
        mongo::Next::Do(step) => {
            let text = step.to_string();
            match failed.into_iter().find(|message| message.contains(&text)) {
                Some(message) => Verdict::off(reason::STEP_FAILED, message.clone()),
                None => Verdict::off(reason::FORMING, format!("MongoDB: {text}")),
            }
        }
        mongo::Next::Wait(why) => {
            let failing_pod = failing_pod(pass, scene, Tier::MongoDb);
            match mongo::outage::of(&pass.snapshot.mongodb).filter(|outage| outage.message == *why) {
                Some(outage) => no_primary::verdict(pass, &outage, failing_pod),
                None => {
                    failing_pod.unwrap_or_else(|| Verdict::off(reason::WAITING, format!("MongoDB: {why}")))
                }
            }
        }
    }
}

/// Members that somebody added by hand are left alone, and not kept quiet about.
fn strangers(pass: &Pass<'_>) -> String {
    let wanted = drive::mongodb_wanted(pass.plan, pass.snapshot, true);
    let Some((_, primary)) = pass.snapshot.mongodb.primary() else { return String::new() };
    let strangers = wanted.strangers(&primary.config);
    let named: Vec<&str> = strangers.iter().map(|entry| entry.host.as_str()).collect();
    if named.is_empty() {
        return String::new();
    }
    format!("; {} in the configuration is none of its pods and left alone", named.join(", "))
}

fn redis(pass: &Pass<'_>, scene: Scene<'_>) -> Verdict {
    let plan = &pass.plan.redis;
    match &pass.driven.redis {
        redis_cluster::Next::Settled => pods(pass, scene, Tier::Redis, plan.shards * plan.pods_per_shard())
            .unwrap_or_else(|| {
                Verdict::on(
                    reason::FORMED,
                    format!("all {} slots are served by {} shards", redis_cluster::SLOT_COUNT, plan.shards),
                )
            }),
        redis_cluster::Next::Do(step) => Verdict::off(reason::FORMING, format!("Redis: {}", step.describe())),
        redis_cluster::Next::Wait(waiting) => failing_pod(pass, scene, Tier::Redis)
            .unwrap_or_else(|| Verdict::off(reason::WAITING, format!("Redis: {}", waiting.message))),
    }
}

/// `None` when the wanted number of pods is ready.
fn pods(pass: &Pass<'_>, scene: Scene<'_>, tier: Tier, wanted: i32) -> Option<Verdict> {
    let ready = pass.snapshot.children.pods_of(tier).filter(|pod| blocker::is_ready(pod)).count();
    if i32::try_from(ready).is_ok_and(|ready| ready >= wanted) {
        return None;
    }
    let blocked = blocked(pass, scene, tier);
    Some(blocked.unwrap_or_else(|| {
        Verdict::off(reason::PODS_STARTING, format!("{ready} of {wanted} {tier} pods are ready"))
    }))
}

/// A pod that fails outright explains a wait better than the database can.
fn failing_pod(pass: &Pass<'_>, scene: Scene<'_>, tier: Tier) -> Option<Verdict> {
    blocked(pass, scene, tier).filter(|verdict| verdict.failing)
}

/// What keeps a database's pods from being there or ready.
fn blocked(pass: &Pass<'_>, scene: Scene<'_>, tier: Tier) -> Option<Verdict> {
    let identity = &pass.plan.identity;
    let sets = match tier {
        Tier::Redis => (0..pass.plan.redis.shards).map(|shard| identity.redis_shard(shard)).collect(),
        _ => vec![identity.tier(tier)],
    };
    let refused = sets.iter().find_map(|set| blocker::stateful_set_refused(scene, set));
    refused.or_else(|| blocker::of_tier(scene, tier))
}

fn monitoring(pass: &Pass<'_>) -> Verdict {
    let name = pass.plan.identity.monitoring_rules();
    if uses_prometheus_operator(pass.plan, pass.snapshot.served) {
        selection::verdict(pass.plan, pass.snapshot)
    } else {
        Verdict::on(
            reason::RULES_IN_CONFIG_MAP,
            format!("rules are in ConfigMap {name}: PrometheusRule is not served or not wanted"),
        )
    }
}

fn autoscaling(pass: &Pass<'_>) -> Verdict {
    let Replicas::Autoscaled { min, max } = pass.plan.api.replicas else {
        return Verdict::on(reason::AUTOSCALING_DISABLED, "switched off in the spec; api.replicas is exact");
    };
    let name = pass.plan.identity.tier(Tier::Api);
    let autoscaler = find(&pass.snapshot.children.autoscalers, &name);
    let conditions = autoscaler.and_then(|autoscaler| autoscaler.status.as_ref()?.conditions.as_ref());
    let Some(conditions) = conditions else {
        return Verdict::off(
            reason::SCALING_INACTIVE,
            format!("HorizontalPodAutoscaler {name} has not looked yet"),
        );
    };
    match conditions.iter().find(|condition| condition.type_ == "ScalingActive") {
        Some(active) if active.status == "True" => {
            Verdict::on(reason::SCALING_ACTIVE, format!("between {min} and {max} pods"))
        }
        Some(inactive) => Verdict::off(
            reason::SCALING_INACTIVE,
            format!(
                "HorizontalPodAutoscaler {name} keeps the pods within {min} and {max} but cannot follow the load: {}",
                inactive.message.as_deref().unwrap_or("no message")
            ),
        ),
        None => Verdict::off(
            reason::SCALING_INACTIVE,
            format!("HorizontalPodAutoscaler {name} has not decided yet"),
        ),
    }
}
