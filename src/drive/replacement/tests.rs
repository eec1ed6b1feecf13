//! Replacements as a table of situations: what is asked, what is seen, what is done.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use mongodb::bson::Bson;

use super::*;
use crate::mongo::fixture;
use crate::mongo::topology::View;
use crate::mongo::{ReplicaSetConfig, Topology};
use crate::names::Identity;
use crate::settings::Settings;
use crate::snapshot::{Children, ServedKinds};

pub(super) const REQUEST: &str = "eaiser-mongodb-1";
const THREE: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
const WITHOUT_VOTE: &str = "0 PRIMARY vote\n 1 SECONDARY no-vote\n 2 SECONDARY vote";

/// A set of three, a request, and what the status remembers.
pub(super) struct Case {
    plan: Plan,
    snapshot: Snapshot,
}

impl Case {
    pub(super) fn of(request: Option<&str>, seen: &str) -> Self {
        Self::with_members(3, request, seen)
    }

    fn with_members(members: usize, request: Option<&str>, seen: &str) -> Self {
        let identity =
            Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u-1".to_owned() };
        let spec =
            format!("{{capacity: {{users: 100}}, api: {{image: a}}, mongodb: {{members: {members}}}}}");
        let plan = crate::plan::plan(identity, &serde_saphyr::from_str(&spec).unwrap(), &Settings::default())
            .unwrap();
        let set: StatefulSet = serde_saphyr::from_str(&format!(
            "{{metadata: {{name: eaiser-mongodb, generation: 1}}, spec: {{replicas: {members}, selector: {{}}, serviceName: db, template: {{}}}}, status: {{replicas: {members}, observedGeneration: 1, updateRevision: r1}}}}"
        ))
        .unwrap();
        let children = Children {
            stateful_sets: vec![Arc::new(set)],
            pods: (0..members).map(|n| pod(n, "", "r1", "True")).collect(),
            claims: (0..members).map(|n| claim(n, &format!("c-{n}"), "")).collect(),
            ..Children::default()
        };
        let replacements = Replacements {
            request: request.map(str::to_owned),
            resource_version: Some("7".to_owned()),
            ..Replacements::default()
        };
        let mongodb = renamed(fixture::topology(seen));
        let offline = Snapshot::offline(ServedKinds::default());
        Self { plan, snapshot: Snapshot { children, mongodb, replacements, ..offline } }
    }

    /// The request was accepted for the claim `c-1`.
    fn accepted(mut self) -> Self {
        self.snapshot.replacements.current = Some(record(phase::ACCEPTED));
        self
    }

    fn with_claim(mut self, uid: &str, more: &str) -> Self {
        self.snapshot.children.claims[1] = claim(1, uid, more);
        self
    }

    fn with_pod(mut self, n: usize, more: &str, revision: &str, ready: &str) -> Self {
        self.snapshot.children.pods[n] = pod(n, more, revision, ready);
        self
    }

    /// Claim number `uid` of the member, or none.
    pub(super) fn with_only_volume(mut self, uid: Option<u8>, leaving: bool) -> Self {
        if let Some(uid) = uid {
            return self.with_claim(&format!("c-{uid}"), if leaving { GOING } else { "" });
        }
        self.snapshot.children.claims.remove(1);
        self
    }

    pub(super) fn with_pod_state(mut self, stopping: bool, absent: bool) -> Self {
        if stopping {
            self = self.with_pod(1, GOING, "r1", "True");
        }
        if absent {
            self.snapshot.children.pods.remove(1);
        }
        self
    }

    /// The status that was published last.
    pub(super) fn told(&mut self, told: Option<(String, Option<String>)>, recorded: bool) {
        self.snapshot.replacements.current =
            told.map(|(phase, claim_uid)| ReplacementStatus { claim_uid, ..record(&phase) });
        if recorded {
            self.snapshot.replacements.done =
                vec![ReplacedMember { pod: REQUEST.to_owned(), claim_uid: "c-1".to_owned() }];
        }
    }

    pub(super) fn decided(&self) -> Replacement {
        next(&self.plan, &self.snapshot)
    }

    fn phase(&self) -> String {
        self.decided().current.map(|current| current.phase).unwrap_or_default()
    }

    fn message(&self) -> String {
        self.decided().current.map(|current| current.message).unwrap_or_default()
    }
}

fn record(phase: &str) -> ReplacementStatus {
    ReplacementStatus {
        request: REQUEST.to_owned(),
        phase: phase.to_owned(),
        message: "evidence".to_owned(),
        claim_uid: Some("c-1".to_owned()),
    }
}

fn pod(n: usize, more: &str, revision: &str, ready: &str) -> Arc<Pod> {
    let owner = "{apiVersion: apps/v1, kind: StatefulSet, name: eaiser-mongodb, uid: s, controller: true}";
    let labels = format!("{{app.kubernetes.io/component: mongodb, controller-revision-hash: {revision}}}");
    let text = format!(
        "{{metadata: {{name: eaiser-mongodb-{n}, uid: p-{n}, labels: {labels}, ownerReferences: [{owner}]{more}}}, status: {{conditions: [{{type: Ready, status: '{ready}'}}]}}}}"
    );
    Arc::new(serde_saphyr::from_str(&text).unwrap())
}

fn claim(n: usize, uid: &str, more: &str) -> Arc<PersistentVolumeClaim> {
    let text = format!(
        "{{metadata: {{name: data-eaiser-mongodb-{n}, uid: {uid}{more}}}, spec: {{}}, status: {{phase: Bound, capacity: {{storage: 1Gi}}}}}}"
    );
    Arc::new(serde_saphyr::from_str(&text).unwrap())
}

const GOING: &str = ", deletionTimestamp: 2026-01-01T00:00:00Z";

/// The fixture's pods under the names of the cluster.
fn renamed(topology: Topology) -> Topology {
    let host = |host: &str| host.replace("db-", "eaiser-mongodb-").replace(".db.", ".eaiser-mongodb.");
    let mut topology = topology;
    for observed in &mut topology.members {
        observed.pod = observed.pod.replace("db-", "eaiser-mongodb-");
        observed.host = host(&observed.host);
        if let View::Member(member) = &mut observed.view {
            let mut document = member.config.document().clone();
            for one in document.get_array_mut("members").unwrap() {
                let Bson::Document(one) = one else { panic!("{one}") };
                let renamed = host(one.get_str("host").unwrap());
                one.insert("host", renamed);
            }
            member.config = ReplicaSetConfig::parse(document).unwrap();
            member.own_host = member.own_host.as_deref().map(host);
            let peers = std::mem::take(&mut member.peers);
            member.peers = peers.into_iter().map(|(name, peer)| (host(&name), peer)).collect();
        }
    }
    topology
}

pub(super) fn host() -> String {
    "eaiser-mongodb-1.eaiser-mongodb.shop.svc.cluster.local:27017".to_owned()
}

#[test]
fn nothing_asked_is_nothing_done() {
    assert_eq!(Case::of(None, THREE).decided(), Replacement::default());
}

#[test]
fn a_request_is_recorded_with_its_evidence_before_anything_is_done() {
    let decided = Case::of(Some(REQUEST), THREE).decided();
    assert_eq!(decided.action, None);
    let current = decided.current.unwrap();
    assert_eq!((current.phase.as_str(), current.claim_uid.as_deref()), ("Accepted", Some("c-1")));
    for words in [
        "eaiser-mongodb-1 (SECONDARY, 0 s behind) is emptied",
        "data-eaiser-mongodb-1 (uid c-1, 1Gi)",
        "eaiser-mongodb-0 (PRIMARY), eaiser-mongodb-2 (SECONDARY, 0 s behind) hold the data",
    ] {
        assert!(current.message.contains(words), "{}", current.message);
    }
}

#[test]
fn the_vote_goes_before_the_volume() {
    let decided = Case::of(Some(REQUEST), THREE).accepted().decided();
    assert_eq!(decided.action, Some(Action::Step(Step::RevokeVote { host: host() })));
    assert_eq!(decided.overlaid(Next::Settled), Next::Do(Step::RevokeVote { host: host() }));
}

#[test]
fn a_primary_hands_over_first() {
    let seen = "0 SECONDARY vote\n 1 PRIMARY vote\n 2 SECONDARY vote";
    let decided = Case::of(Some(REQUEST), seen).accepted().decided();
    assert_eq!(decided.action, Some(Action::Step(Step::StepDown { host: host() })));
}

#[test]
fn a_member_without_a_vote_is_emptied_in_the_incarnations_that_were_seen() {
    let decided = Case::of(Some(REQUEST), WITHOUT_VOTE).accepted().decided();
    let Some(Action::Empty(emptying)) = &decided.action else { panic!("{decided:?}") };
    assert_eq!(emptying.claim_uid.as_deref(), Some("c-1"));
    assert_eq!(emptying.pod_uid.as_deref(), Some("p-1"));
    let early = Next::Do(Step::GrantVote { host: host() });
    assert!(matches!(decided.overlaid(early), Next::Wait(_)), "the vote waits for the data");
}

#[test]
fn a_marked_claim_takes_its_pod_along_whatever_else_happens() {
    let case = Case::of(None, "0 PRIMARY vote\n 1 SECONDARY no-vote\n 2 unreachable vote").accepted();
    let decided = case.with_claim("c-1", GOING).decided();
    let Some(Action::Empty(emptying)) = decided.action else { panic!("{decided:?}") };
    assert_eq!((emptying.claim_uid, emptying.pod_uid.as_deref()), (None, Some("p-1")));
}

#[test]
fn a_pod_on_its_way_out_is_not_deleted_again() {
    let case = Case::of(Some(REQUEST), WITHOUT_VOTE).accepted().with_claim("c-1", GOING);
    let case = case.with_pod(1, GOING, "r1", "True");
    assert_eq!((case.phase().as_str(), case.decided().action), ("Syncing", None));
}

#[test]
fn a_new_claim_means_that_the_member_fills_and_gets_its_vote_as_any_other() {
    let seen = "0 PRIMARY vote\n 1 STARTUP2 no-vote\n 2 SECONDARY vote";
    let decided = Case::of(Some(REQUEST), seen).accepted().with_claim("c-9", "").decided();
    assert_eq!(decided.action, None);
    assert_eq!(decided.current.as_ref().unwrap().phase, "Syncing");
    let grant = Next::Do(Step::GrantVote { host: host() });
    assert_eq!(decided.overlaid(grant.clone()), grant);
}

#[test]
fn a_member_that_votes_again_is_recorded_before_the_annotation_goes() {
    let decided = Case::of(Some(REQUEST), THREE).accepted().with_claim("c-9", "").decided();
    assert_eq!((decided.current.unwrap().phase.as_str(), decided.action), ("Done", None));
    assert_eq!(decided.done, [ReplacedMember { pod: REQUEST.to_owned(), claim_uid: "c-1".to_owned() }]);

    let mut case = Case::of(Some(REQUEST), THREE).with_claim("c-9", "");
    case.snapshot.replacements.current = Some(record(phase::DONE));
    assert_eq!(case.decided().action, Some(Action::Forget { resource_version: Some("7".to_owned()) }));
    case.snapshot.replacements.request = None;
    assert_eq!(case.decided(), Replacement::default());
}

#[test]
fn a_tool_that_puts_the_annotation_back_empties_nothing() {
    let mut case = Case::of(Some(REQUEST), THREE).with_claim("c-9", "");
    case.snapshot.replacements.done =
        vec![ReplacedMember { pod: REQUEST.to_owned(), claim_uid: "c-1".to_owned() }];
    assert_eq!((case.phase().as_str(), case.decided().action), ("Served", None));
    assert!(case.message().contains("eaiser-mongodb-1/c-9"), "{}", case.message());
    assert_eq!(case.decided().done, case.snapshot.replacements.done, "the record stays");

    for (request, phase) in [("eaiser-mongodb-1/c-9", "Accepted"), ("eaiser-mongodb-1/c-1", "Served")] {
        case.snapshot.replacements.request = Some(request.to_owned());
        assert_eq!(case.phase(), phase, "{request}");
    }
}

#[test]
fn a_request_that_would_risk_the_majority_or_means_nobody_is_refused_with_the_reason() {
    let cases = [
        (3, "eaiser-mongodb-3", THREE, "is no member; the members are eaiser-mongodb-0, "),
        (3, "eaiser-redis-0-1", THREE, "is no member"),
        (3, "", THREE, "is no member"),
        (1, "eaiser-mongodb-0", "0 PRIMARY vote", "is the only member"),
        (
            3,
            REQUEST,
            "0 PRIMARY vote\n 1 SECONDARY vote\n 2 unreachable vote",
            "eaiser-mongodb-2 is UNREACHABLE",
        ),
        (3, REQUEST, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote lag=60", "not known to hold all"),
        (3, REQUEST, "0 PRIMARY vote\n 1 SECONDARY vote\n 2 RECOVERING vote", "is RECOVERING"),
    ];
    for (members, request, seen, words) in cases {
        let case = Case::with_members(members, Some(request), seen);
        assert_eq!((case.phase().as_str(), case.decided().action), ("Refused", None), "{request} {seen}");
        assert!(case.message().contains(words), "{words}: {}", case.message());
    }
}

#[test]
fn what_goes_first_is_waited_for() {
    let no_primary = "0 SECONDARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
    let growing = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY no-vote";
    let shrinking = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote\n 3 SECONDARY vote";
    let cases = vec![
        (Case::of(Some(REQUEST), no_primary), "has no primary"),
        (Case::of(Some(REQUEST), growing), "eaiser-mongodb-2 does not vote yet"),
        (Case::of(Some(REQUEST), shrinking), "eaiser-mongodb-3 is leaving"),
        (Case::of(Some(REQUEST), THREE).with_pod(2, "", "r0", "True"), "a new template"),
        (Case::of(Some(REQUEST), THREE).with_pod(2, "", "r1", "False"), "eaiser-mongodb-2 is not ready"),
        (Case::of(Some(REQUEST), THREE).with_pod(0, GOING, "r1", "True"), "eaiser-mongodb-0 is not ready"),
    ];
    for (case, words) in cases {
        assert_eq!((case.phase().as_str(), case.decided().action.is_none()), ("Waiting", true), "{words}");
        assert!(case.message().contains(words), "{words}: {}", case.message());
    }
}

#[test]
fn a_member_that_does_not_run_can_be_replaced() {
    let seen = "0 PRIMARY vote\n 1 unreachable vote\n 2 SECONDARY vote";
    let case = Case::of(Some(REQUEST), seen).with_pod(1, "", "r0", "False");
    assert_eq!(case.phase(), "Accepted");
}

#[test]
fn another_member_that_fails_meanwhile_stops_it_before_the_deletion() {
    let seen = "0 PRIMARY vote\n 1 SECONDARY no-vote\n 2 unreachable vote";
    let decided = Case::of(Some(REQUEST), seen).accepted().decided();
    assert_eq!(decided.action, None);
    assert!(decided.current.unwrap().message.contains("nothing of eaiser-mongodb-1 is deleted yet"));
}

#[test]
fn a_request_taken_back_before_the_deletion_ends_it_and_the_vote_returns() {
    let decided = Case::of(None, WITHOUT_VOTE).accepted().decided();
    assert_eq!(decided, Replacement::default());
    let grant = Next::Do(Step::GrantVote { host: host() });
    assert_eq!(decided.overlaid(grant.clone()), grant);
}

#[test]
fn another_request_waits_until_the_one_under_way_is_done() {
    let seen = "0 PRIMARY vote\n 1 STARTUP2 no-vote\n 2 SECONDARY vote";
    let case = Case::of(Some("eaiser-mongodb-2"), seen).accepted().with_claim("c-9", "");
    assert_eq!(case.decided().current.unwrap().request, REQUEST);
}

#[test]
fn a_paused_cluster_goes_on_with_nothing_and_forgets_nothing() {
    let mut case = Case::of(Some(REQUEST), WITHOUT_VOTE).accepted();
    case.plan.mode = Mode::Paused;
    let decided = case.decided();
    assert_eq!((decided.action, decided.current), (None, Some(record(phase::ACCEPTED))));
}
