//! Creation, its continuation, and the refusal to create over lost data.

use proptest::prelude::*;

use super::*;

#[test]
fn fresh_nodes_get_distinct_epochs() {
    let Step::SetEpoch(epochs) = step(&fresh()) else { panic!() };
    let epochs: Vec<_> = epochs.iter().map(|set| (set.at.pod.as_str(), set.epoch)).collect();
    assert_eq!(epochs[0], ("shard-0-0", 1));
    assert_eq!(epochs[5], ("shard-2-1", 6));
}

#[test]
fn epochs_already_given_are_not_given_again() {
    let mut topology = fresh();
    entry(&mut topology, "shard-1-0", "shard-1-0").config_epoch = 2;
    let Step::SetEpoch(epochs) = step(&topology) else { panic!() };
    let numbers: Vec<_> = epochs.iter().map(|set| set.epoch).collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6]);
    assert!(epochs.iter().all(|set| set.at.pod != "shard-1-0"));
}

#[test]
fn creation_waits_for_every_pod_and_names_the_missing_one() {
    for topology in [fresh(), met()] {
        for (view, reason, words) in [
            (unreachable(), WaitReason::PodsUnreachable, "connection refused"),
            (View::Loading, WaitReason::PodsUnreachable, "loading its data"),
            (View::Refused { reason: "WRONGPASS".to_owned() }, WaitReason::Refused, "WRONGPASS"),
        ] {
            let mut topology = topology.clone();
            silence(&mut topology, "shard-2-1", view);
            assert_waits(&topology, reason, &["shard-2-1", words]);
        }
    }
}

#[test]
fn a_pod_nobody_could_ask_counts_as_missing() {
    let mut topology = met();
    topology.nodes.retain(|node| node.target.pod != "shard-1-1");
    assert_waits(&topology, WaitReason::PodsUnreachable, &["shard-1-1", "no address"]);
}

#[test]
fn creation_waits_for_the_successor_of_a_leaving_pod() {
    let mut topology = met();
    topology.nodes[3].target.terminating = true;
    assert_waits(&topology, WaitReason::PodsUnreachable, &["shard-1-1"]);
}

#[test]
fn keys_without_slots_stop_creation() {
    let mut topology = fresh();
    view(&mut topology, "shard-1-0").keys = 12;
    assert_waits(&topology, WaitReason::StrayData, &["shard-1-0", "12 keys", "delete its volume"]);
}

#[test]
fn a_node_connected_to_a_stranger_stops_creation() {
    let mut topology = met();
    let mut stranger = entry(&mut topology, "shard-0-0", "shard-0-1").clone();
    stranger.id = someone('e');
    view(&mut topology, "shard-2-0").entries.push(stranger);
    assert_waits(&topology, WaitReason::Strangers, &["shard-2-0", "merge two clusters"]);
}

#[test]
fn the_dead_entry_of_a_pod_wiped_during_creation_does_not_stop_it() {
    let mut topology = met();
    let mut dead = entry(&mut topology, "shard-0-0", "shard-0-1").clone();
    dead.id = someone('e');
    dead.flags.no_address = true;
    dead.link_connected = false;
    view(&mut topology, "shard-2-0").entries.push(dead);
    assert!(matches!(step(&topology), Step::AddSlots(_)));
}

#[test]
fn first_pods_get_even_shares_once_all_know_each_other() {
    let Step::AddSlots(shares) = step(&met()) else { panic!() };
    let whole = shares.iter().fold(SlotSet::new(), |sum, share| sum.union(&share.slots));
    assert_eq!(whole, SlotSet::full());
    let pods: Vec<_> = shares.iter().map(|share| share.at.pod.as_str()).collect();
    assert_eq!(pods, ["shard-0-0", "shard-1-0", "shard-2-0"]);
}

#[test]
fn a_creation_cut_short_continues_with_the_missing_shares() {
    let mut topology = met();
    everywhere(&mut topology, "shard-1-0", |entry| {
        entry.slots = SlotSet::even_share(1, 3);
    });
    let Step::AddSlots(shares) = step(&topology) else { panic!() };
    let pods: Vec<_> = shares.iter().map(|share| share.at.pod.as_str()).collect();
    assert_eq!(pods, ["shard-0-0", "shard-2-0"]);
}

#[test]
fn slots_lost_by_a_cluster_with_keys_are_not_assigned_again() {
    let mut topology = settled();
    everywhere(&mut topology, "shard-1-0", |entry| entry.slots = SlotSet::new());
    assert_waits(&topology, WaitReason::SlotsMissing, &["5461-10921", "shard-0-0", "keys"]);
}

#[test]
fn missing_slots_are_not_assigned_while_a_pod_is_silent() {
    let mut topology = met();
    everywhere(&mut topology, "shard-1-0", |entry| {
        entry.slots = SlotSet::even_share(1, 3);
    });
    silence(&mut topology, "shard-0-1", unreachable());
    assert_waits(
        &topology,
        WaitReason::SlotsMissing,
        &["0-5460,10922-16383", "shard-0-1", "connection refused"],
    );
}

#[test]
fn a_partial_cluster_of_another_layout_is_left_alone() {
    let mut topology = met();
    everywhere(&mut topology, "shard-1-0", |entry| {
        entry.slots = SlotSet::parse("5461-9000").unwrap();
    });
    assert_waits(&topology, WaitReason::SlotsMissing, &["shard-1-0 owns slots 5461-9000"]);
}

#[test]
fn slots_recorded_for_a_dead_id_are_not_given_to_another() {
    let mut topology = met();
    everywhere(&mut topology, "shard-1-0", |entry| {
        entry.slots = SlotSet::even_share(1, 3);
    });
    let mut dead = entry(&mut topology, "shard-0-0", "shard-0-1").clone();
    dead.id = someone('e');
    dead.flags.failed = true;
    dead.slots = SlotSet::even_share(0, 3);
    view(&mut topology, "shard-2-1").entries.push(dead);
    assert_waits(&topology, WaitReason::SlotsMissing, &["10922-16383"]);
}

#[test]
fn two_claims_to_one_slot_are_left_to_the_epochs() {
    let mut topology = settled();
    entry(&mut topology, "shard-1-0", "shard-1-0").slots = SlotSet::parse("5460-10921").unwrap();
    assert_waits(&topology, WaitReason::Contested, &["shard-0-0, shard-1-0", "slots 5460"]);
}

proptest! {
    #[test]
    fn slots_are_assigned_only_to_empty_clusters_that_answer_in_full(
        silent in prop::collection::btree_set(0_usize..6, 1..6),
        start in 0_usize..3,
    ) {
        let mut topology = [fresh(), met(), settled()][start].clone();
        for index in silent {
            topology.nodes[index].view = unreachable();
        }
        let verdict = next(&wanted(), &topology);
        prop_assert!(!matches!(verdict, Next::Do(Step::AddSlots(_) | Step::SetEpoch(_) | Step::Forget(_))));
    }

    #[test]
    fn no_disturbance_of_a_cluster_with_keys_makes_it_assign_slots(
        changes in prop::collection::vec((0_usize..6, 0_usize..6, 0_u8..6), 1..12),
    ) {
        let mut topology = settled();
        let pods = pods(&topology);
        for (viewer, about, change) in changes {
            let entry = entry(&mut topology, &pods[viewer], &pods[about]);
            match change {
                0 => entry.slots = SlotSet::new(),
                1 => entry.flags.failed = true,
                2 => entry.address = None,
                3 => (entry.flags.primary, entry.flags.replica) = (entry.flags.replica, entry.flags.primary),
                4 => entry.primary_id = None,
                _ => entry.config_epoch = 0,
            }
        }
        prop_assert!(!matches!(next(&wanted(), &topology), Next::Do(Step::AddSlots(_) | Step::SetEpoch(_))));
    }
}
