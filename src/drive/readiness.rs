//! Readiness of MongoDB pods by the state of their members: which pod's condition turns. Pure; [`tell`]
//! is the edge.
//!
//! A probe can only see that mongod listens, which it also does while it fills for the first time, rolls
//! back or is out of its set. The pods therefore bear a readiness gate, and the operator sets its
//! condition when it turns, so that a disruption budget counts only members that serve. What it cannot
//! see, and while it is away, stays as it was; the probe still tells a mongod that is down.

pub mod tell;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::mongo::topology::MemberState;
use crate::mongo::{Observed, View};
use crate::names::CONDITION_MEMBER;
use crate::plan::{Mode, Plan};
use crate::snapshot::Snapshot;

/// A pod whose condition turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Pod name.
    pub pod: String,
    /// The very pod that was looked at.
    pub uid: String,
    /// Whether its member serves, or will as soon as there is a set.
    pub ready: bool,
    /// Why, as a word.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
}

/// Every pod whose condition is not what its member's state says.
pub fn next(plan: &Plan, snapshot: &Snapshot) -> Vec<Turn> {
    if plan.mode == Mode::Paused {
        return Vec::new();
    }
    let is_initiated = snapshot.mongodb.configured().next().is_some();
    let turn = |observed: &Observed| {
        let pod = snapshot.children.pod(&observed.pod).filter(|pod| is_gated(pod))?;
        let (ready, reason) = verdict(&observed.view, is_initiated)?;
        (told(pod) != Some(ready)).then(|| Turn {
            pod: observed.pod.clone(),
            uid: pod.uid().unwrap_or_default(),
            ready,
            reason,
            message: format!("the member is {}", observed.view.state()),
        })
    };
    snapshot.mongodb.members.iter().filter_map(turn).collect()
}

/// None where the state says nothing of the kind: the condition stays as it is, and false where it was
/// never set.
fn verdict(view: &View, is_initiated: bool) -> Option<(bool, &'static str)> {
    match view {
        // Nothing can be served before there is a set, and nothing is missing either.
        View::NotInitialized if !is_initiated => Some((true, "NotInitiated")),
        View::NotInitialized | View::Unreachable { .. } | View::Refused { .. } => None,
        View::Member(member) => match member.state {
            MemberState::Primary | MemberState::Secondary | MemberState::Arbiter => {
                Some((true, "MemberServes"))
            }
            // It is loading its configuration.
            MemberState::Startup => None,
            MemberState::Startup2
            | MemberState::Recovering
            | MemberState::Rollback
            | MemberState::Removed
            | MemberState::Down
            | MemberState::Unknown => Some((false, "MemberDoesNotServe")),
        },
    }
}

/// Pods made from an older template have no gate, and their readiness is the probe's.
fn is_gated(pod: &Pod) -> bool {
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && gates.into_iter().any(|gate| gate.condition_type == CONDITION_MEMBER)
}

fn told(pod: &Pod) -> Option<bool> {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ours = conditions.into_iter().find(|condition| condition.type_ == CONDITION_MEMBER)?;
    Some(ours.status == "True")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mongo::fixture::topology;
    use crate::names::Identity;
    use crate::settings::Settings;
    use crate::snapshot::{Children, ServedKinds};

    fn pod(words: &str) -> Arc<Pod> {
        let condition = match words {
            "true" => "[{type: mongodb.eaiser.io/member, status: 'True'}]",
            "false" => "[{type: mongodb.eaiser.io/member, status: 'False'}]",
            _ => "[]",
        };
        let gates = if words == "ungated" { "[]" } else { "[{conditionType: mongodb.eaiser.io/member}]" };
        let text = format!(
            "{{metadata: {{name: db-0, uid: p-0}}, spec: {{containers: [], readinessGates: {gates}}}, status: {{conditions: {condition}}}}}"
        );
        Arc::new(serde_saphyr::from_str(&text).unwrap())
    }

    /// What `db-0` is told to be: itself in `state`, beside a primary if there is a set.
    fn turned(before: &str, state: &str) -> Option<bool> {
        let beside = if state == "new" { "" } else { "1 PRIMARY vote" };
        turned_beside(before, state, beside)
    }

    fn turned_beside(before: &str, state: &str, beside: &str) -> Option<bool> {
        let vote = if ["new", "unreachable", "refused"].contains(&state) { "" } else { "vote" };
        let identity = Identity { namespace: "shop".to_owned(), name: "db".to_owned(), uid: "u".to_owned() };
        let spec = serde_saphyr::from_str("{capacity: {users: 100}, api: {image: a}}").unwrap();
        let plan = crate::plan::plan(identity, &spec, &Settings::default()).unwrap();
        let children = Children { pods: vec![pod(before)], ..Children::default() };
        let mongodb = topology(&format!("0 {state} {vote}\n{beside}"));
        let snapshot = Snapshot { children, mongodb, ..Snapshot::offline(ServedKinds::default()) };
        next(&plan, &snapshot).into_iter().next().map(|turn| turn.ready)
    }

    #[test]
    fn a_pod_is_ready_before_there_is_a_set() {
        assert_eq!(turned("absent", "new"), Some(true));
    }

    #[test]
    fn readiness_follows_the_state_of_the_member() {
        for (state, ready) in [
            ("PRIMARY", true),
            ("SECONDARY", true),
            ("ARBITER", true),
            ("STARTUP2", false),
            ("RECOVERING", false),
            ("ROLLBACK", false),
            ("REMOVED", false),
        ] {
            for before in ["absent", "true", "false"] {
                let turn = (before != ready.to_string()).then_some(ready);
                assert_eq!(turned(before, state), turn, "{before} {state}");
            }
        }
    }

    #[test]
    fn what_cannot_be_seen_stays_as_it_was() {
        for before in ["absent", "true", "false"] {
            for state in ["unreachable", "refused", "STARTUP"] {
                assert_eq!(turned(before, state), None, "{before} {state}");
            }
        }
    }

    #[test]
    fn an_empty_member_beside_a_set_is_not_ready_until_it_holds_the_data() {
        assert_eq!(turned_beside("absent", "new", "1 PRIMARY vote"), None);
    }

    #[test]
    fn a_pod_without_the_gate_is_left_alone() {
        assert_eq!(turned("ungated", "STARTUP2"), None);
    }
}
