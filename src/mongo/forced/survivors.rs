//! Who is left of a set that lost its majority, and who of them leads. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::crd::{ForcedOutcome, ForcedReconfiguration};
use crate::mongo::config::{ConfigMember, ReplicaSetConfig};
use crate::mongo::outage::{self, Kind};
use crate::mongo::steps;
use crate::mongo::topology::{MemberState, Observed, Optime, Topology, View};
use crate::mongo::wanted::Wanted;

/// Who goes on and who does not.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    /// Host of the leader's pod, to send the command to.
    pub(super) to: String,
    /// Host the set knows the leader by.
    pub(super) leader: String,
    /// Hosts of all that stay, the leader's included.
    pub(super) kept: Vec<String>,
    /// The configuration to start from.
    pub(super) newest: ReplicaSetConfig,
    pub(super) evidence: String,
    leader_pod: String,
    dropped: Vec<String>,
}

impl Decision {
    pub(super) fn record(&self, request: &str) -> ForcedReconfiguration {
        ForcedReconfiguration {
            request: request.to_owned(),
            outcome: ForcedOutcome::Recorded,
            config_version: self.newest.version,
            leader: Some(self.leader_pod.clone()),
            dropped: self.dropped.clone(),
            evidence: self.evidence.clone(),
        }
    }

    /// Whether it is what was written down. The words of the evidence may differ from pass to pass.
    pub(super) fn is_what(&self, record: &ForcedReconfiguration) -> bool {
        record.config_version == self.newest.version
            && record.leader.as_ref() == Some(&self.leader_pod)
            && record.dropped == self.dropped
    }
}

/// A configured member with what is known of it.
struct Seen<'a> {
    entry: &'a ConfigMember,
    name: &'a str,
    observed: Option<&'a Observed>,
    state: MemberState,
    position: Option<Optime>,
}

/// Decides; an error is the reason for waiting. The survivor with the newest operation gets the only
/// vote, so that nobody but it can win the election. The others follow it without one and get theirs
/// back when they have caught up.
pub(super) fn decide(
    wanted: &Wanted,
    topology: &Topology,
    ready: &BTreeSet<String>,
) -> Result<Decision, String> {
    if let Some(reason) = steps::disagreement(wanted, topology) {
        return Err(reason);
    }
    let kind = outage::of(topology).map(|outage| outage.kind);
    let newest = match (kind, outage::newest_config(topology)) {
        (Some(Kind::MajorityLost), Some(newest)) => newest,
        (Some(Kind::Electing), _) => return Err("a majority answers and may elect a primary".to_owned()),
        (Some(Kind::PrimaryOutOfReach), _) => return Err("the members follow a primary".to_owned()),
        _ => return Err("no member that holds the set answers".to_owned()),
    };
    let mut survivors = Vec::new();
    let mut dropped = Vec::new();
    for entry in &newest.members {
        match look_at(topology, entry, ready)? {
            Ok(seen) => survivors.push(seen),
            Err(why) => dropped.push((topology.pod_name(&entry.host), why)),
        }
    }
    let leader = leader(&survivors)?;
    let Some(pod) = leader.observed else {
        return Err(format!("{} is no pod of this cluster", leader.name));
    };
    Ok(Decision {
        to: pod.host.clone(),
        leader: leader.entry.host.clone(),
        leader_pod: pod.pod.clone(),
        kept: survivors.iter().map(|seen| seen.entry.host.clone()).collect(),
        dropped: dropped.iter().map(|(name, _)| (*name).to_owned()).collect(),
        evidence: evidence(newest, leader, &survivors, &dropped),
        newest: newest.clone(),
    })
}

/// A survivor, or why the member counts as lost. An error means that it may live: then nothing is
/// forced.
fn look_at<'a>(
    topology: &'a Topology,
    entry: &'a ConfigMember,
    ready: &BTreeSet<String>,
) -> Result<Result<Seen<'a>, String>, String> {
    let name = topology.pod_name(&entry.host);
    let heard_by = topology.configured().find_map(|(observed, member)| {
        let peer = member.peers.get(&entry.host).filter(|peer| peer.healthy)?;
        (observed.known_as() != entry.host).then_some((observed.pod.as_str(), peer))
    });
    let observed = topology.observed(&entry.host);
    if entry.arbiter {
        return Ok(Err("an arbiter, which holds no data".to_owned()));
    }
    let survivor = |state, position| Ok(Ok(Seen { entry, name, observed, state, position }));
    match (observed.map(|observed| &observed.view), heard_by) {
        (Some(View::Member(member)), _) if member.state != MemberState::Removed => {
            survivor(member.state, member.peers.get(&entry.host).and_then(|own| own.optime))
        }
        (None, Some((_, peer))) => survivor(peer.state, peer.optime),
        (Some(View::Refused { reason }), _) => {
            Err(format!("{name} is there and refuses the login: {reason}"))
        }
        (Some(View::NotInitialized), _) => Ok(Err("its disk is empty".to_owned())),
        (_, Some((by, _))) => Err(format!("{name} is not lost: {by} hears it")),
        _ if ready.contains(name) => Err(format!(
            "{name} is not lost: Kubernetes calls it ready, although it does not answer the operator"
        )),
        (Some(view), None) => Ok(Err(view.describe())),
        (None, None) => Ok(Err("not heard from".to_owned())),
    }
}

/// The member with the newest operation; the one with the lowest id where several have it.
fn leader<'a, 'b>(survivors: &'b [Seen<'a>]) -> Result<&'b Seen<'a>, String> {
    let can_lead = |seen: &&Seen<'_>| {
        seen.state == MemberState::Secondary
            && !seen.entry.kept_back
            && seen.observed.is_some_and(|observed| !observed.terminating)
    };
    let leader = survivors
        .iter()
        .filter(can_lead)
        .filter(|seen| seen.position.is_some())
        .max_by_key(|seen| (seen.position, Reverse(seen.entry.id)))
        .ok_or_else(|| "no member that is left is a secondary that could lead".to_owned())?;
    match survivors.iter().find(|seen| seen.position > leader.position) {
        Some(fresher) => Err(format!(
            "{} holds newer operations than {} and cannot lead: it is {}{}",
            fresher.name,
            leader.name,
            fresher.state.name(),
            if fresher.entry.kept_back { ", hidden or delayed" } else { "" }
        )),
        None => Ok(leader),
    }
}

fn evidence(
    newest: &ReplicaSetConfig,
    leader: &Seen<'_>,
    survivors: &[Seen<'_>],
    dropped: &[(&str, String)],
) -> String {
    let of_survivor = |seen: &Seen<'_>| {
        let position = seen.position.map_or_else(
            || "position unknown".to_owned(),
            |at| format!("newest operation {}.{} of term {}", at.seconds, at.increment, at.term),
        );
        format!("{} ({}, {position})", seen.name, seen.state.name())
    };
    let others = survivors.iter().filter(|seen| seen.entry.host != leader.entry.host).map(of_survivor);
    let others: Vec<String> = others.collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(", with {} without a vote", others.join(", "))
    };
    let dropped: Vec<String> = dropped.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    format!(
        "from version {}, replica set {} goes on as {}{others}; dropped: {}; what only the dropped members hold is lost",
        newest.version,
        newest.name,
        of_survivor(leader),
        dropped.join(", ")
    )
}
