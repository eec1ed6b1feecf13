//! Nodes that stop or are cut off, and an operator that reaches nobody.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use serde_json::json;

use super::LOST;
use super::set::Set;
use crate::support::audit::Audit;
use crate::support::mortal::GROUP;
use crate::support::{Mortal, lab, operator, world::World};

use k8s_openapi::api::apps::v1::StatefulSet;

/// Longer than Kubernetes takes to notice that a node is gone.
const GONE_FOR: Duration = Duration::from_secs(70);
/// A settled cluster is looked at every twenty seconds, a look takes eight at most, and the operator
/// may be dead for a while.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// One pass: an edit starts it at once, silent members cost it eight seconds.
const ONE_PASS: Duration = Duration::from_secs(10);
/// How long an operator that reaches nobody is watched.
const WATCHED: Duration = Duration::from_secs(15);

/// Cuts the power of the primary's node.
pub async fn stop_a_node(set: &Set<'_>) {
    fail_a_node(set, "stop", "start").await;
}

/// Pulls the cable of the primary's node: the primary lives on, and nobody hears it.
pub async fn partition_a_node(set: &Set<'_>) {
    fail_a_node(set, "partition", "heal").await;
}

async fn fail_a_node(set: &Set<'_>, failure: &str, recovery: &str) {
    let primary = set.primary().await;
    let node = set.node_of(&primary).await;
    let version = set.config_version().await;
    set.phase(&format!("node of the primary: {failure}, {recovery}"), Some(LOST), async || {
        let begin = Instant::now();
        lab::output(&["node", failure, &node]);
        set.writer.writes_again(LOST * 2).await;
        let said = set.goes_on_without(&primary, TOLD_WITHIN).await;
        println!("  after {:.1} s: {said}", begin.elapsed().as_secs_f32());
        tokio::time::sleep(GONE_FOR.saturating_sub(begin.elapsed())).await;
        assert_eq!(set.config_version().await, version, "the lost member was taken out, or lost its vote");
        lab::output(&["node", recovery, &node]);
    })
    .await;
    assert_eq!(set.config_version().await, version, "the configuration changed although all came back");
}

/// Cuts the power of two of three nodes: nobody can be elected, and nobody but the nodes brings that back.
pub async fn stop_the_majority(set: &Set<'_>) {
    let version = set.config_version().await;
    let (first, second) = (set.node_of("eaiser-mongodb-0").await, set.node_of("eaiser-mongodb-1").await);
    assert_ne!(first, second, "two members on one node although there are three");
    set.phase("two nodes of three: stop, start", None, async || {
        let begin = Instant::now();
        lab::output(&["node", "stop", &first]);
        lab::output(&["node", "stop", &second]);
        let said = set.complains(&["eaiser-mongodb-0", "eaiser-mongodb-1"], TOLD_WITHIN).await;
        println!("  after {:.1} s: {said}", begin.elapsed().as_secs_f32());
        tokio::time::sleep(WATCHED).await;
        lab::output(&["node", "start", &first]);
        lab::output(&["node", "start", &second]);
    })
    .await;
    assert_eq!(set.config_version().await, version, "the configuration changed without a majority");
}

/// Drops what the operator sends to any member. It says so within one pass and changes nothing, not
/// even when fewer members are asked for; the set and its client notice nothing.
pub async fn cut_off_the_operator(set: &Set<'_>, mortal: &Mortal<'_>) {
    mortal.spare().await;
    let version = set.config_version().await;
    let pods: Vec<_> = set.pods().await.iter().map(ResourceExt::uid).collect();
    set.phase("operator cut off from every member", Some(super::PLANNED), async || {
        let audit = Audit::begin();
        let cut = Cut::new();
        let begin = Instant::now();
        set.cluster.touch(1).await;
        let said = set.complains(&["eaiser-mongodb-0"], ONE_PASS).await;
        println!("  after {:.1} s: {said}", begin.elapsed().as_secs_f32());
        tokio::time::sleep(WATCHED).await;
        let user = operator::user(set.world);
        let written: Vec<_> =
            audit.calls(&user).into_iter().filter(|call| call.writes() && call.is_child()).collect();
        assert!(written.is_empty(), "cut off, it wrote {written:?}");

        set.cluster.change(json!({"mongodb": {"members": 1}})).await;
        tokio::time::sleep(WATCHED).await;
        assert_eq!(replicas(set.world).await, Some(3), "pods of members that nobody could ask are given up");
        set.cluster.change(json!({"mongodb": {"members": 3}})).await;
        // A pass that began with the earlier wish would carry it out once it reaches somebody.
        set.seen_by_the_operator(TOLD_WITHIN).await;
        drop(cut);
    })
    .await;
    let after: Vec<_> = set.pods().await.iter().map(ResourceExt::uid).collect();
    assert_eq!(after, pods, "pods were replaced");
    assert_eq!(set.config_version().await, version, "the configuration changed");
    mortal.fair_game();
}

async fn replicas(world: &World) -> Option<i32> {
    world.get::<StatefulSet>("eaiser-mongodb").await.spec.unwrap().replicas
}

/// A packet filter in this network, where the operator lives.
struct Cut;

impl Cut {
    const TABLE: &str = "eaiser-test-cut";

    fn new() -> Self {
        let chain = "{ type filter hook output priority 0; }";
        for arguments in [
            &["add", "table", "inet", Self::TABLE][..],
            &["add", "chain", "inet", Self::TABLE, "output", chain],
        ] {
            nft(arguments);
        }
        let group = GROUP.to_string();
        let rule = ["add", "rule", "inet", Self::TABLE, "output", "meta", "skgid", &group];
        nft(&[&rule[..], &["tcp", "dport", "27017", "drop"]].concat());
        Self
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        nft(&["delete", "table", "inet", Self::TABLE]);
    }
}

fn nft(arguments: &[&str]) {
    let mut command = std::process::Command::new("nft");
    command.args(arguments);
    lab::run(command);
}
