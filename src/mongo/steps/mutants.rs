//! The planner with one of its checks taken out, to show that the model would notice. Tests only.

use super::rules::{RULES, Rule, Situation};
use super::{Next, Step, first_due, next as sound};
use crate::mongo::topology::{Topology, View};
use crate::mongo::wanted::Wanted;

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Initiates as soon as one member says it is empty, whoever is silent.
    InitiatesInDoubt,
    /// Gives a vote to a member that is still syncing.
    VotesBeforeTheSyncEnds,
    /// Takes votes without a look at who is up.
    RevokesRegardless,
    /// Removes members that still vote.
    RemovesVoters,
    /// Asks for changes although no majority stands behind the primary.
    IgnoresALostMajority,
    /// Never lets a primary go that is to leave.
    NeverHandsOver,
    /// Changes the primary's name while it leads others.
    RenamesThePrimary,
    /// Changes a name whoever else is away.
    RenamesRegardless,
}

pub(crate) const ALL: [Mutant; 8] = [
    Mutant::InitiatesInDoubt,
    Mutant::VotesBeforeTheSyncEnds,
    Mutant::RevokesRegardless,
    Mutant::RemovesVoters,
    Mutant::IgnoresALostMajority,
    Mutant::NeverHandsOver,
    Mutant::RenamesThePrimary,
    Mutant::RenamesRegardless,
];

/// As [`super::next`], without that.
pub(crate) fn next(mutant: Mutant, wanted: &Wanted, topology: &Topology) -> Next {
    if mutant == Mutant::InitiatesInDoubt && topology.configured().next().is_none() {
        let empty = topology.members.iter().find(|observed| observed.view == View::NotInitialized);
        return match empty {
            Some(observed) => Next::Do(Step::Initiate { host: observed.host.clone() }),
            None => sound(wanted, topology),
        };
    }
    let Some((primary, member)) = topology.primary() else { return sound(wanted, topology) };
    let majority = topology.voters_up(&member.config) >= member.config.majority();
    if !majority && mutant != Mutant::IgnoresALostMajority {
        return sound(wanted, topology);
    }
    let situation = Situation { wanted, topology, primary, config: &member.config };
    first_due(&rules(mutant), &situation)
}

fn rules(mutant: Mutant) -> Vec<fn(&Situation<'_>) -> Rule> {
    let mut rules = RULES.to_vec();
    match mutant {
        Mutant::VotesBeforeTheSyncEnds => rules.insert(0, grant_early),
        Mutant::RevokesRegardless => rules.insert(0, revoke_any),
        Mutant::RemovesVoters => rules.insert(0, remove_any),
        Mutant::NeverHandsOver => rules.retain(|rule| !hands_over(*rule)),
        Mutant::RenamesThePrimary => rules.insert(0, rename_primary),
        Mutant::RenamesRegardless => rules.insert(0, rename_any),
        Mutant::InitiatesInDoubt | Mutant::IgnoresALostMajority => {}
    }
    rules
}

fn hands_over(rule: fn(&Situation<'_>) -> Rule) -> bool {
    std::ptr::fn_addr_eq(rule, super::rules::hand_over as fn(&Situation<'_>) -> Rule)
}

fn first(step: Option<Step>) -> Rule {
    step.map_or(Rule::Satisfied, Rule::Do)
}

fn grant_early(situation: &Situation<'_>) -> Rule {
    let is_member =
        |host: &str| situation.topology.observed(host).is_some_and(|seen| seen.member().is_some());
    first(
        situation
            .voteless()
            .find(|(_, entry)| is_member(&entry.host))
            .map(|(_, entry)| Step::GrantVote { host: entry.host.clone() }),
    )
}

fn revoke_any(situation: &Situation<'_>) -> Rule {
    let voter =
        situation.unwanted().find(|entry| entry.votes > 0 && entry.host != situation.primary.known_as());
    first(voter.map(|entry| Step::RevokeVote { host: entry.host.clone() }))
}

fn remove_any(situation: &Situation<'_>) -> Rule {
    let member = situation.unwanted().find(|entry| entry.host != situation.primary.known_as());
    first(member.map(|entry| Step::RemoveMember { host: entry.host.clone() }))
}

fn rename_primary(situation: &Situation<'_>) -> Rule {
    let primary = situation.primary;
    let misnamed = primary.host != primary.known_as() && situation.config.voters().count() > 1;
    first(misnamed.then(|| Step::FixHost { from: primary.known_as().to_owned(), to: primary.host.clone() }))
}

fn rename_any(situation: &Situation<'_>) -> Rule {
    let others = || situation.topology.members.iter().filter(|pod| pod.host != situation.primary.host);
    let misnamed = others().find(|pod| pod.host != pod.known_as());
    first(misnamed.map(|pod| Step::FixHost { from: pod.known_as().to_owned(), to: pod.host.clone() }))
}
