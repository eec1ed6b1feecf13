//! Sets the conditions of pods. IO.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::Turn;
use crate::names::{CONDITION_MEMBER, OPERATOR};

/// Reason of the event about a condition that could not be set.
pub(in crate::drive) const READINESS_FAILED: &str = "ReadinessFailed";
/// The watch shows a condition long before this.
const TOLD_FOR: Duration = Duration::from_secs(10);

/// What was told last, by pod. Losing it costs a request.
#[derive(Debug, Default)]
pub struct Told(Mutex<HashMap<String, (Turn, Instant)>>);

impl Told {
    /// Whether this was told a moment ago, so that the watch may not show it yet.
    fn is_on_its_way(&self, turn: &Turn, now: Instant) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&turn.pod).is_some_and(|(told, at)| {
            (&told.uid, told.ready) == (&turn.uid, turn.ready) && now.duration_since(*at) < TOLD_FOR
        })
    }

    fn remember(&self, turn: &Turn, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(turn.pod.clone(), (turn.clone(), at));
    }
}

/// Sets each; returns what failed. A pod that is gone or another by now is for the next pass.
pub(in crate::drive) async fn all(
    client: &Client,
    namespace: &str,
    turns: &[Turn],
    told: &Told,
    now: &Time,
) -> Vec<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let fresh = turns.iter().filter(|turn| !told.is_on_its_way(turn, Instant::now()));
    let results = join_all(fresh.map(async |turn| (turn, set(&pods, turn, now).await))).await;
    let mut failed = Vec::new();
    for (turn, result) in results {
        match result {
            Ok(()) => told.remember(turn, Instant::now()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => {
                failed.push(format!("cannot set the condition {CONDITION_MEMBER} of {}: {error}", turn.pod));
            }
        }
    }
    failed
}

/// The other conditions of the pod are the kubelet's: a strategic merge touches this one alone.
async fn set(pods: &Api<Pod>, turn: &Turn, now: &Time) -> Result<(), kube::Error> {
    let patch = json!({
        "metadata": {"uid": turn.uid},
        "status": {"conditions": [{
            "type": CONDITION_MEMBER,
            "status": if turn.ready { "True" } else { "False" },
            "reason": turn.reason,
            "message": turn.message,
            "lastTransitionTime": now,
        }]},
    });
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    pods.patch_status(&turn.pod, &parameters, &Patch::Strategic(patch)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(uid: &str, ready: bool) -> Turn {
        let (pod, message) = ("db-0".to_owned(), String::new());
        Turn { pod, uid: uid.to_owned(), ready, reason: "MemberServes", message }
    }

    #[test]
    fn what_was_told_of_this_very_pod_is_not_told_again_at_once() {
        let (told, start) = (Told::default(), Instant::now());
        told.remember(&turn("p-0", true), start);
        assert!(told.is_on_its_way(&turn("p-0", true), start + Duration::from_secs(9)));
        assert!(!told.is_on_its_way(&turn("p-0", true), start + TOLD_FOR));
        assert!(!told.is_on_its_way(&turn("p-0", false), start), "it turned back");
        assert!(!told.is_on_its_way(&turn("p-1", true), start), "its successor");
    }
}
