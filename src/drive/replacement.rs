//! Replacing a member: one secondary is emptied and fills itself anew from the others. Pure; [`act`] is
//! the edge.
//!
//! The annotation `mongodb.eaiser.io/replace` names the pod. The order is that of the manual for
//! replacing a member, with the vote taken first: an empty voter could elect one that lacks what it had
//! itself acknowledged. Then the volume claim is deleted, by its uid, and the pod; the StatefulSet makes
//! both anew, the member syncs, and gets its vote as any member that joins.
//!
//! Where it stands is read from the world: whether the claim is still the one that was recorded in the
//! status before anything was deleted. So it goes on behind a crash at any point, and a request is
//! served once: a plain `POD` only as long as that pod was never replaced, which a tool that puts the
//! annotation back cannot change; `POD/UID-OF-ITS-CLAIM` empties that very volume and no other.

pub mod act;
mod grounds;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use kube::ResourceExt;

use crate::crd::{EaiserCluster, EaiserClusterStatus, ReplacedMember, ReplacementStatus};
use crate::mongo::{Next, Step, Topology};
use crate::names::ANNOTATION_REPLACE;
use crate::plan::{Mode, Plan};
use crate::snapshot::{Snapshot, Volume};

/// Phases, as the status names them.
pub mod phase {
    /// Nothing is done: it would put the majority at risk, or there is nothing to do it to.
    pub const REFUSED: &str = "Refused";
    /// Not begun: something else goes first.
    pub const WAITING: &str = "Waiting";
    /// Begun; nothing is deleted yet.
    pub const ACCEPTED: &str = "Accepted";
    /// The old volume is going or gone; the new one fills.
    pub const SYNCING: &str = "Syncing";
    /// The member votes again; the annotation is being taken away.
    pub const DONE: &str = "Done";
    /// The same was asked and done before.
    pub const SERVED: &str = "Served";
}

/// What was asked for, and what the status remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replacements {
    /// Value of the annotation.
    pub request: Option<String>,
    /// `metadata.resourceVersion` of the object that bore it.
    pub resource_version: Option<String>,
    /// What is under way, or was said last.
    pub current: Option<ReplacementStatus>,
    /// Members that were replaced before.
    pub done: Vec<ReplacedMember>,
}

/// What is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replacement {
    /// For the status; none when nothing is asked for.
    pub current: Option<ReplacementStatus>,
    /// Members that were replaced.
    pub done: Vec<ReplacedMember>,
    /// What to do now.
    pub action: Option<Action>,
    /// Host that must not get its vote back yet.
    voteless: Option<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A step of the replica set: the vote is taken, or the primary hands over first.
    Step(Step),
    /// The volume is deleted, and the pod so that both are made anew.
    Empty(Emptying),
    /// The annotation is taken away, in this version of the object.
    Forget {
        /// `metadata.resourceVersion`.
        resource_version: Option<String>,
    },
}

/// What is deleted, in the very incarnations decided upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emptying {
    /// Pod of the member.
    pub pod: String,
    /// Its uid; none while there is no pod, or it is on its way out.
    pub pod_uid: Option<String>,
    /// The claim.
    pub claim: String,
    /// Its uid; none when it is being deleted already.
    pub claim_uid: Option<String>,
    /// What is done and on what grounds, for the event.
    pub sentence: String,
}

/// Why a replacement does not begin or go on: phase and sentence.
type Hindrance = (&'static str, String);

impl Replacements {
    /// From the object and the status it got last.
    pub fn of(cluster: &EaiserCluster, previous: Option<&EaiserClusterStatus>) -> Self {
        let mongodb = previous.and_then(|status| status.mongodb.as_ref());
        Self {
            request: cluster.annotations().get(ANNOTATION_REPLACE).cloned(),
            resource_version: cluster.resource_version(),
            current: mongodb.and_then(|mongodb| mongodb.replacement.clone()),
            done: mongodb.map(|mongodb| mongodb.replaced.clone()).unwrap_or_default(),
        }
    }
}

/// Decides.
pub fn next(plan: &Plan, snapshot: &Snapshot) -> Replacement {
    let Replacements { request, current, done, resource_version } = &snapshot.replacements;
    if plan.mode == Mode::Paused {
        return Replacement { current: current.clone(), done: done.clone(), ..Replacement::default() };
    }
    let scene = Scene { plan, snapshot, topology: &snapshot.mongodb };
    let finished = current.as_ref().filter(|current| current.phase == phase::DONE);
    if let Some(finished) = finished.filter(|finished| Some(&finished.request) == request.as_ref()) {
        let action = Some(Action::Forget { resource_version: resource_version.clone() });
        return Replacement { current: Some(finished.clone()), done: done.clone(), action, voteless: None };
    }
    let begun = current.as_ref().filter(|_| finished.is_none());
    let begun = begun.and_then(|current| Some((current, current.claim_uid.as_deref()?)));
    let going_on = begun.and_then(|(current, claim_uid)| scene.go_on(current, claim_uid));
    let fresh = || request.as_ref().map(|request| scene.begin(request)).unwrap_or_default();
    let mut next = going_on.unwrap_or_else(fresh);
    next.done = finished_too(done, next.done);
    next
}

/// The records, with new ones in the place of older ones of the same pod.
fn finished_too(before: &[ReplacedMember], new: Vec<ReplacedMember>) -> Vec<ReplacedMember> {
    let stays = |member: &&ReplacedMember| new.iter().all(|new| new.pod != member.pod);
    let mut all: Vec<ReplacedMember> = before.iter().filter(stays).cloned().collect();
    all.extend(new);
    all.sort_by(|one, other| one.pod.cmp(&other.pod));
    all
}

impl Replacement {
    /// The replica set's verdict, with the replacement's own step in its place, or without a vote that
    /// would come too early.
    pub fn overlaid(&self, verdict: Next) -> Next {
        if let Some(Action::Step(step)) = &self.action {
            return Next::Do(step.clone());
        }
        match (verdict, &self.voteless) {
            (Next::Do(Step::GrantVote { host }), Some(voteless)) if host == *voteless => {
                let message = self.current.as_ref().map(|current| current.message.clone());
                Next::Wait(message.unwrap_or_default())
            }
            (verdict, _) => verdict,
        }
    }
}

/// What decisions look at.
struct Scene<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    topology: &'a Topology,
}

impl Scene<'_> {
    /// A request that is not begun.
    fn begin(&self, request: &str) -> Replacement {
        let (pod, uid) = parts(request);
        let said = |phase: &str, message: String| Replacement {
            current: Some(ReplacementStatus {
                request: request.to_owned(),
                phase: phase.to_owned(),
                message,
                claim_uid: None,
            }),
            ..Replacement::default()
        };
        let volume = match self.target(pod, uid).and_then(|volume| {
            self.may_go(pod)?;
            Ok(volume)
        }) {
            Ok(volume) => volume,
            Err((phase, message)) => return said(phase, message),
        };
        let mut accepted = said(phase::ACCEPTED, self.evidence(pod, &volume));
        if let Some(current) = &mut accepted.current {
            current.claim_uid = Some(volume.uid);
        }
        accepted
    }

    /// A request that is begun: what is next; none when nothing was deleted and it is no longer asked
    /// for.
    fn go_on(&self, current: &ReplacementStatus, claim_uid: &str) -> Option<Replacement> {
        let (pod, _) = parts(&current.request);
        let host = self.plan.identity.mongodb_host(pod, &self.plan.cluster_domain);
        let volume = self.snapshot.children.volumes_of([pod.to_owned()]).into_iter().next();
        let old = volume.as_ref().filter(|volume| volume.uid == claim_uid);
        let is_withdrawn = self.snapshot.replacements.request.as_ref() != Some(&current.request);
        match old {
            Some(old) if !old.is_leaving => {
                (!is_withdrawn).then(|| self.before_deletion(current, old, pod, &host))
            }
            Some(old) => Some(self.finish_deletion(current, old, host)),
            None => Some(self.fill(current, pod, &host, claim_uid)),
        }
    }

    fn before_deletion(
        &self,
        current: &ReplacementStatus,
        volume: &Volume,
        pod: &str,
        host: &str,
    ) -> Replacement {
        let next = |current: ReplacementStatus, action| Replacement {
            current: Some(current),
            action,
            voteless: Some(host.to_owned()),
            ..Replacement::default()
        };
        if let Err((_, why)) = self.may_go(pod) {
            let message = format!("nothing of {pod} is deleted yet: {why}");
            return next(ReplacementStatus { message, ..current.clone() }, None);
        }
        let primary = self.topology.primary();
        if primary.is_some_and(|(observed, _)| observed.host == host) {
            return next(current.clone(), Some(Action::Step(Step::StepDown { host: host.to_owned() })));
        }
        let member = primary.and_then(|(_, primary)| primary.config.member(host));
        if member.is_some_and(|member| member.votes > 0) {
            return next(current.clone(), Some(Action::Step(Step::RevokeVote { host: host.to_owned() })));
        }
        let emptying = Emptying {
            pod: pod.to_owned(),
            pod_uid: self.pod_uid(pod),
            claim: volume.claim.clone(),
            claim_uid: Some(volume.uid.clone()),
            sentence: self.evidence(pod, volume),
        };
        next(current.clone(), Some(Action::Empty(emptying)))
    }

    /// The claim goes when the pod that mounts it has ended.
    fn finish_deletion(&self, current: &ReplacementStatus, volume: &Volume, host: String) -> Replacement {
        let pod_uid = self.pod_uid(&volume.pod);
        let emptying = pod_uid.map(|uid| {
            Action::Empty(Emptying {
                pod: volume.pod.clone(),
                pod_uid: Some(uid),
                claim: volume.claim.clone(),
                claim_uid: None,
                sentence: format!("delete pod {}, whose volume is being deleted", volume.pod),
            })
        });
        let message = format!("the volume of {} is being deleted with its data", volume.pod);
        let syncing = ReplacementStatus { phase: phase::SYNCING.to_owned(), message, ..current.clone() };
        Replacement {
            current: Some(syncing),
            action: emptying,
            voteless: Some(host),
            ..Replacement::default()
        }
    }

    /// The old claim is gone.
    fn fill(&self, current: &ReplacementStatus, pod: &str, host: &str, claim_uid: &str) -> Replacement {
        let votes = self.topology.primary().and_then(|(_, primary)| primary.config.member(host));
        let votes = votes.is_some_and(|member| member.votes > 0);
        // Up and a voter: every vote is given to a member that has caught up.
        if votes && self.topology.voter_is_up(host) {
            let message = format!("{pod} was emptied, holds the data again and votes");
            let done = ReplacementStatus { phase: phase::DONE.to_owned(), message, ..current.clone() };
            let record = ReplacedMember { pod: pod.to_owned(), claim_uid: claim_uid.to_owned() };
            return Replacement { current: Some(done), done: vec![record], ..Replacement::default() };
        }
        let state = self.topology.observed(host).map_or("not there", |observed| observed.view.state());
        let message = format!("{pod} is filled anew from the other members; it is {state}");
        let syncing = ReplacementStatus { phase: phase::SYNCING.to_owned(), message, ..current.clone() };
        Replacement { current: Some(syncing), ..Replacement::default() }
    }

    /// The pod, unless it is on its way out.
    fn pod_uid(&self, pod: &str) -> Option<String> {
        let pod = self.snapshot.children.pod(pod).filter(|pod| pod.metadata.deletion_timestamp.is_none());
        pod.and_then(ResourceExt::uid)
    }
}

/// `POD` or `POD/UID`.
fn parts(request: &str) -> (&str, Option<&str>) {
    match request.trim().split_once('/') {
        Some((pod, uid)) => (pod, Some(uid)),
        None => (request.trim(), None),
    }
}
