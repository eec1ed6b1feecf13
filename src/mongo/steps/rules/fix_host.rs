//! The rule for a pod that the set knows by another of its names. Pure.

use super::{Rule, Situation, Step};
use crate::mongo::config::ConfigMember;
use crate::mongo::wanted::WantedMember;

/// A set that was made in another cluster domain, or initiated by hand with short names. Secondaries
/// go first, and a primary hands over before its own name changes, as the manual asks: who does not
/// find itself in a configuration at once is no primary any more.
pub(super) fn fix_host(situation: &Situation<'_>) -> Rule {
    let mut blocked = situation.listed_twice();
    let misnamed = situation.misnamed();
    let is_primary = |entry: &ConfigMember| entry.host == situation.primary.known_as();
    for (member, entry) in misnamed.iter().filter(|(_, entry)| !is_primary(entry)) {
        match may_rename(situation, member, entry) {
            Ok(()) => return rename(member, entry),
            Err(reason) => blocked.push(reason),
        }
    }
    if let Some((member, entry)) = misnamed.iter().find(|(_, entry)| is_primary(entry)) {
        match rename_primary(situation, member, entry) {
            Ok(rule) if blocked.is_empty() => return rule,
            Ok(_) => {}
            Err(reason) => blocked.push(reason),
        }
    }
    Rule::blocked_by(&blocked)
}

fn rename(member: &WantedMember, entry: &ConfigMember) -> Rule {
    Rule::Do(Step::FixHost { from: entry.host.clone(), to: member.host.clone() })
}

fn may_rename(situation: &Situation<'_>, member: &WantedMember, entry: &ConfigMember) -> Result<(), String> {
    let topology = situation.topology;
    not_in_doubt(situation, member, entry)?;
    if !topology.caught_up(&entry.host) {
        return Err(format!("{} is listed as {} until it has caught up", member.pod, entry.host));
    }
    topology
        .survives_loss_of(&entry.host)
        .map_err(|reason| format!("{} is listed as {}: {reason}", member.pod, entry.host))
}

/// The name alone proves nothing: the pod itself must say that it goes by it.
fn not_in_doubt(
    situation: &Situation<'_>,
    member: &WantedMember,
    entry: &ConfigMember,
) -> Result<(), String> {
    let Some(observed) = situation.topology.observed(&member.host) else {
        return Err(format!("{} is listed as {} and does not exist", member.pod, entry.host));
    };
    if observed.terminating {
        return Err(format!("{} is listed as {} and is being deleted", member.pod, entry.host));
    }
    if observed.member().and_then(|seen| seen.own_host.as_deref()) != Some(entry.host.as_str()) {
        return Err(format!(
            "{} is listed as {} and does not say so itself: it is {}",
            member.pod,
            entry.host,
            observed.view.describe()
        ));
    }
    Ok(())
}

fn rename_primary(
    situation: &Situation<'_>,
    member: &WantedMember,
    entry: &ConfigMember,
) -> Result<Rule, String> {
    not_in_doubt(situation, member, entry)?;
    if situation.config.voters().count() == 1 {
        return Ok(rename(member, entry));
    }
    // A successor that is to leave, or to be renamed in its turn, would hand the role back.
    let can_follow = |other: &&WantedMember| {
        situation.config.member(&other.host).is_some_and(|entry| entry.votes > 0 && entry.priority > 0.0)
            && situation.ready_to_vote(&other.host)
    };
    if situation.wanted.by_ordinal().iter().any(can_follow) {
        return Ok(Rule::Do(Step::StepDown { host: situation.primary.host.clone() }));
    }
    Err(format!("{} is primary, listed as {}, and nobody can follow it", member.pod, entry.host))
}

impl<'a> Situation<'a> {
    /// Wanted members that are listed by another of their names alone.
    fn misnamed(&self) -> Vec<(&'a WantedMember, &'a ConfigMember)> {
        let by_other_name = |member: &'a WantedMember| match self.entries(member)[..] {
            [entry] if entry.host != member.host => Some((member, entry)),
            _ => None,
        };
        self.wanted.by_ordinal().into_iter().filter_map(by_other_name).collect()
    }

    /// Which of two names is the mistake nobody but a person can tell.
    fn listed_twice(&self) -> Vec<String> {
        let twice = |member: &'a WantedMember| {
            let entries = self.entries(member);
            let hosts: Vec<&str> = entries.iter().map(|entry| entry.host.as_str()).collect();
            (hosts.len() > 1).then(|| {
                format!(
                    "{} is listed more than once, as {}; remove the wrong one by hand",
                    member.pod,
                    hosts.join(" and ")
                )
            })
        };
        self.wanted.by_ordinal().into_iter().filter_map(twice).collect()
    }

    fn entries(&self, member: &WantedMember) -> Vec<&'a ConfigMember> {
        let names = |entry: &&ConfigMember| self.wanted.pod_of(&entry.host).as_deref() == Some(&member.pod);
        self.config.members.iter().filter(names).collect()
    }
}
