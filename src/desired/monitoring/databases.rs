//! Alerts about the databases and the cluster as a whole, from the operator's gauges. Pure.

use super::cluster::{Alert, Severity, gauge};
use crate::plan::Plan;
use crate::redis_cluster::SLOT_COUNT;

/// Data is unreachable or one failure away from it.
pub fn alerts(plan: &Plan) -> Vec<Alert> {
    let mut alerts = mongodb(plan);
    alerts.extend(redis(plan));
    alerts.extend(whole(plan));
    alerts
}

fn when(plan: &Plan, metric: &str, condition: &str) -> String {
    format!("{} {condition}", gauge(plan, &format!("eaiser_cluster_{metric}")))
}

fn mongodb(plan: &Plan) -> Vec<Alert> {
    let members = plan.mongodb.members;
    let majority = members / 2 + 1;
    let mut alerts = vec![Alert {
        name: "EaiserMongoDBNoPrimary",
        hold: Some("1m"),
        severity: Severity::Critical,
        expr: when(plan, "mongodb_has_primary", "== 0"),
        summary: "MongoDB has no primary: nothing can be written".to_owned(),
    }];
    if members > 1 {
        alerts.extend([
            Alert {
                name: "EaiserMongoDBLagHigh",
                hold: Some("5m"),
                severity: Severity::Warning,
                expr: when(plan, "mongodb_lag_seconds", "> 10"),
                summary: "the slowest MongoDB member is {{ $value | humanizeDuration }} behind the primary".to_owned(),
            },
            Alert {
                name: "EaiserMongoDBMemberLost",
                hold: Some("10m"),
                severity: Severity::Warning,
                expr: when(plan, "mongodb_members_voting", &format!("< {members}")),
                summary: format!("{{{{ $value }}}} of {members} MongoDB members are up and vote"),
            },
            Alert {
                name: "EaiserMongoDBMajorityAtRisk",
                hold: Some("5m"),
                severity: Severity::Critical,
                expr: when(plan, "mongodb_members_voting", &format!("<= {majority}")),
                summary: format!(
                    "{{{{ $value }}}} of {members} MongoDB members vote: below {majority} nothing can be written"
                ),
            },
        ]);
    }
    alerts
}

fn redis(plan: &Plan) -> Vec<Alert> {
    let replicas = plan.redis.shards * plan.redis.replicas_per_shard;
    let mut alerts = vec![Alert {
        name: "EaiserRedisSlotsUnassigned",
        hold: Some("1m"),
        severity: Severity::Critical,
        expr: when(plan, "redis_slots_assigned", &format!("< {SLOT_COUNT}")),
        summary: format!("{{{{ $value }}}} of {SLOT_COUNT} Redis slots have an owner: keys are unreachable"),
    }];
    if replicas > 0 {
        alerts.push(Alert {
            name: "EaiserRedisReplicaOutOfStep",
            hold: Some("10m"),
            severity: Severity::Warning,
            expr: when(plan, "redis_replicas_in_step", &format!("< {replicas}")),
            summary: format!("{{{{ $value }}}} of {replicas} Redis replicas follow their primary"),
        });
    }
    alerts
}

fn whole(plan: &Plan) -> [Alert; 2] {
    [
        Alert {
            name: "EaiserClusterNotReady",
            hold: Some("15m"),
            severity: Severity::Warning,
            expr: when(plan, "ready", "== 0"),
            summary: "the cluster has not been Ready for a quarter of an hour".to_owned(),
        },
        Alert {
            name: "EaiserClusterPaused",
            hold: Some("1d"),
            severity: Severity::Warning,
            expr: when(plan, "paused", "== 1"),
            summary: "the operator has kept its hands off for a day: nothing is repaired meanwhile"
                .to_owned(),
        },
    ]
}
