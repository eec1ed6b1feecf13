//! Roles of a running cluster, and what it waits for.

use super::*;
use crate::redis_cluster::topology::{LinkStatus, OpenSlot, OpenSlotKind, Replication};

fn replicas(topology: &Topology) -> Vec<(String, String)> {
    let Step::Replicate(replicas) = step(topology) else { panic!("{:?}", step(topology)) };
    replicas.iter().map(|replica| (replica.at.pod.clone(), replica.primary.pod.clone())).collect()
}

fn make_idle_primary(topology: &mut Topology, pod: &str) {
    view(topology, pod).replication = Replication::Primary;
    view(topology, pod).keys = 0;
    everywhere(topology, pod, |entry| {
        (entry.flags.primary, entry.flags.replica) = (true, false);
        entry.primary_id = None;
    });
}

#[test]
fn an_empty_member_follows_its_shards_primary() {
    let mut topology = settled();
    make_idle_primary(&mut topology, "shard-1-1");
    assert_eq!(replicas(&topology), [("shard-1-1".to_owned(), "shard-1-0".to_owned())]);
}

#[test]
fn after_a_failover_the_first_pod_follows_the_second() {
    let mut model = Model::settled(3, 2);
    model.stop(0);
    model.gossip_all();
    model.fail_over();
    model.gossip_all();
    model.wipe(0);
    for _ in 0..2 {
        model.operate(usize::MAX);
        model.gossip_all();
    }
    let topology = model.topology();
    let primary = topology.summary(&wanted()).shards[0].primary.clone();
    assert_eq!(primary.as_deref(), Some("shard-0-1"));
    model.settle();
    let summary = model.topology().summary(&wanted());
    assert_eq!(summary.shards[0].primary.as_deref(), Some("shard-0-1"));
    assert_eq!(summary.shards[0].replicas, ["shard-0-0"]);
}

#[test]
fn a_replica_of_another_shard_comes_home() {
    let mut topology = settled();
    let stranger = id(&topology, "shard-2-0");
    everywhere(&mut topology, "shard-1-1", |entry| {
        entry.primary_id = Some(stranger.clone());
    });
    assert_eq!(replicas(&topology), [("shard-1-1".to_owned(), "shard-1-0".to_owned())]);
}

#[test]
fn a_primary_with_keys_and_without_slots_is_not_overwritten() {
    let mut topology = settled();
    make_idle_primary(&mut topology, "shard-1-1");
    view(&mut topology, "shard-1-1").keys = 3;
    assert_waits(&topology, WaitReason::Gossip, &["shard-1-1", "3 keys"]);
}

#[test]
fn nobody_is_sent_to_a_primary_it_holds_for_failed_or_for_a_replica() {
    let changes: [fn(&mut NodeEntry); 2] = [
        |entry| entry.flags.failed = true,
        |entry| {
            (entry.flags.primary, entry.flags.replica) = (false, true);
        },
    ];
    for change in changes {
        let mut topology = settled();
        make_idle_primary(&mut topology, "shard-1-1");
        change(entry(&mut topology, "shard-1-1", "shard-1-0"));
        assert!(!matches!(next(&wanted(), &topology), Next::Do(Step::Replicate(_))));
    }
}

#[test]
fn replicas_are_repaired_while_another_shards_pod_is_silent() {
    let mut topology = settled();
    make_idle_primary(&mut topology, "shard-1-1");
    silence(&mut topology, "shard-2-1", unreachable());
    assert_eq!(replicas(&topology).len(), 1);
}

#[test]
fn a_silent_pod_of_a_running_cluster_is_named() {
    let mut topology = settled();
    silence(&mut topology, "shard-2-1", View::Loading);
    assert_waits(&topology, WaitReason::PodsUnreachable, &["shard-2-1", "loading"]);
    silence(&mut topology, "shard-2-1", View::Refused { reason: "NOAUTH".to_owned() });
    assert_waits(&topology, WaitReason::Refused, &["shard-2-1", "NOAUTH"]);
}

/// A primary is replaced by an empty node, and everybody has met it.
fn replaced_primary(pods_per_shard: usize) -> (Wanted, Topology) {
    let mut model = Model::settled(3, pods_per_shard);
    model.wipe(0);
    for _ in 0..3 {
        model.operate(usize::MAX);
        model.gossip_all();
    }
    (model.wanted(), model.topology())
}

fn waiting((wanted, topology): (Wanted, Topology)) -> Waiting {
    match next(&wanted, &topology) {
        Next::Wait(waiting) => waiting,
        other => panic!("expected to wait, got {other:?}"),
    }
}

#[test]
fn a_replaced_primary_without_replica_is_waited_for() {
    let waiting = waiting(replaced_primary(1));
    assert_eq!(waiting.reason, WaitReason::OwnerGone);
    assert!(waiting.reason.needs_human());
    assert!(waiting.message.contains("slots 0-5460 belong to node"), "{}", waiting.message);
    assert!(waiting.message.contains("its volume"), "{}", waiting.message);
}

#[test]
fn a_replaced_primary_with_a_replica_is_a_failover_under_way() {
    let waiting = waiting(replaced_primary(2));
    assert_eq!(waiting.reason, WaitReason::Failover);
    assert!(!waiting.reason.needs_human());
    assert!(waiting.message.contains("shard-0-1 is about to take over"), "{}", waiting.message);
}

#[test]
fn a_replaced_primary_whose_address_was_taken_needs_a_person() {
    let (wanted, mut topology) = replaced_primary(2);
    let dead = view(&mut topology, "shard-0-1").primary_id().unwrap().clone();
    for pod in pods(&topology) {
        for entry in view(&mut topology, &pod).entries.iter_mut().filter(|entry| entry.id == dead) {
            (entry.flags.failed, entry.flags.no_address, entry.address) = (false, true, None);
        }
    }
    let waiting = waiting((wanted, topology));
    assert_eq!(waiting.reason, WaitReason::OwnerGone);
    for words in ["pod shard-0-1, holds 1 keys", "CLUSTER FAILOVER FORCE", "slots 0-5460"] {
        assert!(waiting.message.contains(words), "{}", waiting.message);
    }
}

#[test]
fn a_shard_without_slots_is_named() {
    let mut topology = settled();
    for pod in ["shard-0-0", "shard-1-0"] {
        let slots = if pod == "shard-0-0" { "0-10921" } else { "" };
        let slots = SlotSet::parse(slots).unwrap();
        everywhere(&mut topology, pod, |entry| entry.slots = slots.clone());
    }
    assert_waits(&topology, WaitReason::ShardWithoutSlots, &["shard-1"]);
}

#[test]
fn views_that_differ_are_waited_for() {
    type Change = fn(&mut NodeEntry);
    let changes: [(&str, Change); 4] = [
        ("as failing", |entry| entry.flags.suspected = true),
        ("with other slots", |entry| {
            entry.slots = SlotSet::parse("5461-9999").unwrap();
        }),
        ("in another role", |entry| entry.primary_id = Some(someone('e'))),
        ("under another hostname", |entry| {
            entry.hostname = Some("old".to_owned());
        }),
    ];
    for (words, change) in changes {
        let mut topology = settled();
        change(entry(&mut topology, "shard-2-1", "shard-1-0"));
        assert_waits(&topology, WaitReason::Gossip, &["shard-2-1", "shard-1-0", words]);
    }
}

#[test]
fn a_node_that_does_not_serve_is_waited_for() {
    let mut topology = settled();
    view(&mut topology, "shard-2-1").cluster.state_ok = false;
    assert_waits(&topology, WaitReason::Gossip, &["shard-2-1", "cluster_state:fail"]);
}

#[test]
fn a_replica_out_of_step_is_waited_for() {
    for (link, words) in [(LinkStatus::Syncing, "full copy"), (LinkStatus::Down { dialing: None }, "no link")]
    {
        let mut topology = settled();
        view(&mut topology, "shard-2-1").replication = Replication::Replica { link };
        assert_waits(&topology, WaitReason::ReplicaBehind, &["shard-2-1", words]);
    }
}

#[test]
fn a_replica_that_dials_its_primary_where_it_lived_before_is_pointed_anew() {
    let mut topology = settled();
    let dialing = Some("10.9.9.9".parse().unwrap());
    view(&mut topology, "shard-2-1").replication =
        Replication::Replica { link: LinkStatus::Down { dialing } };
    let Next::Do(Step::Replicate(replicas)) = next(&wanted(), &topology) else {
        panic!("{:?}", next(&wanted(), &topology));
    };
    assert_eq!((replicas[0].at.pod.as_str(), replicas[0].primary.pod.as_str()), ("shard-2-1", "shard-2-0"));
}

#[test]
fn a_slot_left_half_moved_is_named_from_either_end() {
    for (kind, words) in [
        (OpenSlotKind::Migrating, "migrating slot 77 to"),
        (OpenSlotKind::Importing, "importing slot 77 from"),
    ] {
        let mut topology = settled();
        let peer = id(&topology, "shard-1-0");
        let open = OpenSlot { kind, slot: 77, peer };
        entry(&mut topology, "shard-0-0", "shard-0-0").open_slots.push(open);
        assert_waits(&topology, WaitReason::OpenSlots, &["shard-0-0", words]);
    }
}

#[test]
fn a_planned_failover_moves_the_primary_and_keeps_every_key() {
    let mut model = Model::settled(3, 2);
    let keys = model.nodes[0].keys.clone();
    let step = fail_over(&wanted(), &model.topology(), "shard-0-1").unwrap();
    assert_eq!(step.describe(), "let shard-0-1 take over from shard-0-0");
    assert_eq!(step.orders()[0].command.words(), ["CLUSTER", "FAILOVER"]);
    assert!(model.take_over(1));
    model.settle();
    let shard = model.topology().summary(&wanted()).shards[0].clone();
    assert_eq!((shard.primary.as_deref(), shard.replicas), (Some("shard-0-1"), vec!["shard-0-0".to_owned()]));
    assert_eq!(model.nodes[1].keys, keys);
}

#[test]
fn a_replica_out_of_step_does_not_take_over() {
    let mut topology = settled();
    view(&mut topology, "shard-0-1").replication =
        Replication::Replica { link: LinkStatus::Down { dialing: None } };
    assert_eq!(fail_over(&wanted(), &topology, "shard-0-1"), None);
}

#[test]
fn a_primary_and_a_pod_on_its_way_out_do_not_take_over() {
    let mut topology = settled();
    assert_eq!(fail_over(&wanted(), &topology, "shard-0-0"), None);
    topology.nodes.iter_mut().find(|node| node.target.pod == "shard-0-1").unwrap().target.terminating = true;
    assert_eq!(fail_over(&wanted(), &topology, "shard-0-1"), None);
}
