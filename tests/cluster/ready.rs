//! From `apply` to a serving cluster, and how the time is spent.

use std::time::Instant;

use eaiser_operator::crd::EaiserCluster;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::audit::{Audit, Call};
use crate::support::cluster::{NAME, holds, is_ready, merge};
use crate::support::until::seconds;
use crate::support::{
    Cluster, Kept, Needs, Operator, World, cluster, example, http, lab, operator, scenario, until,
};

/// Acceptance bound: from apply to Ready.
const READY_WITHIN: f64 = 90.0;
/// Acceptance bound: requests beside one for each child, until all children exist.
const SPARE_REQUESTS: usize = 8;

#[test]
#[ignore = "needs a cluster: make test"]
fn an_applied_example_is_ready_within_90_seconds_and_serves() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let _operator = Operator::start(world);
        until("the operator watches", seconds(30), async || watching(world)).await;
        let audit = Audit::begin();
        let begin = Instant::now();
        let cluster = Cluster::apply(world, example()).await;
        let applied = Timestamp::now();
        let mut parts = milestones(world, &cluster, begin).await;
        merge(&mut parts, requests(&audit, world, applied));
        parts["unit"] = json!("seconds from apply");
        record(&parts);
        let total = parts["ready"].as_f64().unwrap();
        assert!(total <= READY_WITHIN, "Ready took {total} s");

        let said = world.kubectl(&["wait", "--for=condition=Ready", "eac/eaiser", "--timeout=5s"]);
        assert!(said.contains("condition met"), "{said}");
        Kept::item(world).await.is_still_there(world).await;
        redis_keeps_an_answer(world).await;
    });
}

fn watching(world: &World) -> Result<(), String> {
    let log = operator::log(world);
    if log.contains("watching EaiserClusters") { Ok(()) } else { Err(log) }
}

/// Seconds at which each part was first seen done; looked at ten times a second.
async fn milestones(world: &World, cluster: &Cluster, begin: Instant) -> Value {
    let mut parts = json!({});
    until("the cluster is Ready", seconds(200), async || {
        let object = cluster.get().await;
        let mut mark = |part: &str, done: bool| {
            if done && parts.get(part).is_none() {
                parts[part] = json!((begin.elapsed().as_secs_f64() * 10.0).round() / 10.0);
            }
        };
        let pods = world.api::<Pod>().list(&kube::api::ListParams::default()).await.unwrap().items;
        let wanted = 13;
        mark("podsReady", pods.iter().filter(|pod| is_ready(pod)).count() >= wanted);
        mark("mongodbFormed", holds(&object, "MongoDBReady"));
        mark("redisFormed", holds(&object, "RedisReady"));
        mark("apiReady", holds(&object, "ApiReady"));
        mark("gatewayReady", holds(&object, "GatewayReady"));
        mark("ready", holds(&object, "Ready"));
        if holds(&object, "Ready") { Ok(()) } else { Err(cluster::message(&object)) }
    })
    .await;
    parts
}

/// What the operator asked of the server, by the server's own audit log: seconds from apply to the last
/// child, and the number of requests until then and until Ready.
fn requests(audit: &Audit, world: &World, applied: Timestamp) -> Value {
    let calls = audit.calls(&operator::user(world));
    let calls: Vec<&Call> = calls.iter().filter(|call| !call.watches()).collect();
    let created: Vec<&&Call> = calls.iter().filter(|call| call.code == 201 && call.is_child()).collect();
    let last = created.iter().map(|call| call.answered).max().unwrap();
    let until_then = calls.iter().filter(|call| call.answered <= last).count();
    let reads: Vec<&&Call> = calls.iter().filter(|call| !call.writes()).collect();
    assert!(reads.is_empty(), "the watches tell everything, and yet: {reads:?}");
    assert!(
        until_then <= created.len() + SPARE_REQUESTS,
        "{until_then} requests for {} children: {calls:?}",
        created.len()
    );
    let seconds = (last.duration_since(applied).as_secs_f64() * 1000.0).round() / 1000.0;
    json!({"childrenExist": seconds, "children": created.len(), "requestsUntilTheyExist": until_then, "requestsUntilReady": calls.len()})
}

fn record(parts: &Value) {
    let directory = lab::target().join("measurements");
    std::fs::create_dir_all(&directory).unwrap();
    let text = serde_json::to_string_pretty(parts).unwrap();
    std::fs::write(directory.join("apply-to-ready.json"), &text).unwrap();
    println!("apply to Ready, in {}:\n{text}", directory.join("apply-to-ready.json").display());
}

async fn redis_keeps_an_answer(world: &World) {
    let url = http::gateway(world, "/ai/answer?question=How+many&think_ms=50");
    let thought = http::get(&url).await.unwrap();
    assert_eq!((thought.status, thought.cache.as_deref()), (200, Some("MISS")), "{thought:?}");
    let cached = http::get(&url).await.unwrap();
    assert_eq!((cached.status, cached.cache.as_deref()), (200, Some("HIT")), "{cached:?}");
    assert_eq!(thought.body["answer"], cached.body["answer"]);
}

#[test]
#[ignore = "needs a cluster: make test"]
fn kubectl_explains_scales_and_lists_the_resource() {
    scenario(Needs::ApiServer, seconds(60), async |world| {
        let cluster = Cluster::apply(world, example()).await;
        let explained = world.kubectl(&["explain", "eaisercluster.spec.capacity.users"]);
        assert!(explained.contains("Peak number of concurrent users"), "{explained}");
        world.kubectl(&["scale", "eac", NAME, "--replicas=3"]);
        let scaled: EaiserCluster = cluster.get().await;
        assert_eq!(scaled.spec.api.replicas, 3);
        let listed = world.kubectl(&["get", "eac"]);
        for column in ["READY", "USERS", "API", "HEADROOM", "MONGO", "PHASE", "AGE", NAME, "4000"] {
            assert!(listed.contains(column), "no {column} in:\n{listed}");
        }
    });
}
