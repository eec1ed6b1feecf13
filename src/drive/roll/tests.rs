//! Rolls as a table of situations: one set of pods, one topology, one move.

use super::*;
use crate::mongo::fixture::topology;
use crate::mongo::{Next, Step};
use crate::redis_cluster::ShardSummary;

mod coordination;
mod members;
mod shards;

/// Pods from words: `"0 old, 1 new, 2 old unready"`. Flags: `unready`, `stopping`, `stalled`.
fn pods(set: &str, words: &str) -> StatefulPods {
    let pod = |words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        let has = |flag| words.contains(&flag);
        PodRevision {
            name: format!("{set}-{}", words[0]),
            uid: format!("uid-{set}-{}", words[0]),
            ready: !has("unready") && !has("stalled"),
            terminating: has("stopping"),
            stalled: has("stalled"),
            outdated: has("old").then(|| "image changes from a to b".to_owned()),
        }
    };
    let pods: Vec<PodRevision> = words.split(", ").map(pod).collect();
    StatefulPods { stateful_set: set.to_owned(), wanted: pods.len(), is_current: true, pods }
}

fn deleted(roll: &Roll) -> &Deletion {
    match roll.action() {
        Some(Action::Delete(deletion)) => deletion,
        other => panic!("expected a deletion, got {other:?} of {roll:?}"),
    }
}

/// What is waited for, after the progress.
fn waits(roll: &Roll) -> &str {
    match roll {
        Roll::Rolling { message, action: None } => {
            message.split_once("; ").map_or(message, |(_, reason)| reason)
        }
        other => panic!("expected to wait, got {other:?}"),
    }
}

fn message(roll: &Roll) -> &str {
    match roll {
        Roll::Rolling { message, .. } => message,
        Roll::Done => panic!("the roll is done"),
    }
}
