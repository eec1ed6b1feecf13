//! On what grounds a member may be emptied: whom a request means, who stays, and whether that is enough.
//! Pure.

use super::{Hindrance, Scene, phase};
use crate::mongo::MemberSummary;
use crate::mongo::topology::MemberState;
use crate::names::Tier;
use crate::snapshot::Volume;

impl Scene<'_> {
    /// The volume that a request means.
    pub(super) fn target(&self, pod: &str, uid: Option<&str>) -> Result<Volume, Hindrance> {
        let members = self.plan.mongodb.members;
        let names: Vec<String> = (0..members).map(|n| self.plan.identity.mongodb_pod(n)).collect();
        if !names.iter().any(|name| name == pod) {
            let message = format!("{pod} is no member; the members are {}", names.join(", "));
            return Err((phase::REFUSED, message));
        }
        let volume = self.snapshot.children.volumes_of([pod.to_owned()]).into_iter().next();
        let Some(volume) = volume.filter(|volume| !volume.is_leaving) else {
            return Err((phase::WAITING, format!("{pod} has no volume claim yet")));
        };
        match uid {
            Some(uid) if uid != volume.uid => {
                let message =
                    format!("{pod}/{uid} names a volume that is gone; that of {pod} now is {}", volume.uid);
                Err((phase::SERVED, message))
            }
            None if self.snapshot.replacements.done.iter().any(|done| done.pod == pod) => {
                let message = format!(
                    "{pod} was replaced before; to empty the volume it has now, write {pod}/{}",
                    volume.uid
                );
                Err((phase::SERVED, message))
            }
            _ => Ok(volume),
        }
    }

    /// Whether the others hold the data, agree and stay a majority without this one.
    pub(super) fn may_go(&self, pod: &str) -> Result<(), Hindrance> {
        let wait = |why: String| Err((phase::WAITING, why));
        let refuse = |why: String| Err((phase::REFUSED, why));
        let identity = &self.plan.identity;
        let host = |pod: &str| identity.mongodb_host(pod, &self.plan.cluster_domain);
        if self.plan.mongodb.members == 1 {
            return refuse(format!("{pod} is the only member: nobody else holds the data"));
        }
        let Some((primary, member)) = self.topology.primary() else {
            return wait("the replica set has no primary".to_owned());
        };
        let wanted: Vec<String> = (0..self.plan.mongodb.members).map(|n| identity.mongodb_pod(n)).collect();
        let is_wanted = |candidate: &str| wanted.iter().any(|pod| host(pod) == candidate);
        if let Some(leaving) = member.config.members.iter().find(|member| !is_wanted(&member.host)) {
            return wait(format!("{} is leaving the replica set", self.topology.pod_name(&leaving.host)));
        }
        for other in wanted.iter().filter(|other| *other != pod) {
            let other_host = host(other);
            if member.config.member(&other_host).is_none_or(|other| other.votes == 0) {
                return wait(format!("{other} does not vote yet"));
            }
            if other_host != primary.host && !self.topology.caught_up(&other_host) {
                let state = self.topology.observed(&other_host).map_or("not there", |o| o.view.state());
                return refuse(format!(
                    "{other} is {state} and not known to hold all of the data: without {pod} the majority would be at risk"
                ));
            }
        }
        self.at_rest(pod)
    }

    /// No pod but this one is on its way in or out.
    fn at_rest(&self, pod: &str) -> Result<(), Hindrance> {
        let wait = |why: String| Err((phase::WAITING, why));
        let Some(set) = self.snapshot.children.stateful_pods(&self.plan.identity.tier(Tier::MongoDb)) else {
            return wait("the StatefulSet of MongoDB is being made anew".to_owned());
        };
        if !set.is_current || set.outdated().any(|outdated| outdated.name != pod) {
            return wait("MongoDB's pods are being replaced by ones of a new template".to_owned());
        }
        let mut others = set.pods.iter().filter(|other| other.name != pod);
        match others.find(|other| other.terminating || !other.ready) {
            Some(other) => wait(format!("{} is not ready", other.name)),
            None => Ok(()),
        }
    }

    /// Who goes and who holds the data meanwhile.
    pub(super) fn evidence(&self, pod: &str, volume: &Volume) -> String {
        let of = |summary: &MemberSummary| {
            let lag = summary.lag_seconds.filter(|_| summary.state != MemberState::Primary.name());
            let lag = lag.map(|lag| format!(", {lag} s behind")).unwrap_or_default();
            format!("{} ({}{lag})", summary.pod, summary.state)
        };
        let members = self.topology.summary();
        let (going, staying): (Vec<_>, Vec<_>) = members.iter().partition(|summary| summary.pod == pod);
        let join = |list: Vec<&MemberSummary>| list.into_iter().map(of).collect::<Vec<_>>().join(", ");
        format!(
            "{} is emptied: PersistentVolumeClaim {} (uid {}, {}) goes with its data; {} hold the data",
            join(going),
            volume.claim,
            volume.uid,
            volume.capacity.text,
            join(staying)
        )
    }
}
