//! Why a replica set has no primary, and what would give it one. Pure.

use super::config::ReplicaSetConfig;
use super::topology::{Member, MemberState, Topology};

/// A replica set without a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// What kind of absence it is.
    pub kind: Kind,
    /// Who is there, who is not, and what is waited for.
    pub message: String,
}

/// Why there is no primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is one by the word of others, and it does not answer the operator.
    PrimaryOutOfReach,
    /// Enough voting members answer to elect one.
    Electing,
    /// Fewer voting members answer than it takes to elect one.
    MajorityLost,
}

/// The outage; none while there is a primary, or nobody who could tell.
pub fn of(topology: &Topology) -> Option<Outage> {
    if topology.primary().is_some() {
        return None;
    }
    let config = newest_config(topology)?;
    Some(out_of_reach(topology).unwrap_or_else(|| count_votes(topology, config)))
}

/// The newest configuration that any member has.
pub(super) fn newest_config(topology: &Topology) -> Option<&ReplicaSetConfig> {
    let configs = topology.configured().map(|(_, member)| &member.config);
    configs.reduce(|newest, config| if config.is_newer_than(newest) { config } else { newest })
}

/// Hosts that a member still in contact with the others hears as primary.
pub(super) fn heard_primary(topology: &Topology) -> Option<&str> {
    let heard = |member: &&Member| member.state != MemberState::Removed;
    let members = topology.configured().map(|(_, member)| member).filter(heard);
    let mut peers = members.flat_map(|member| &member.peers);
    peers.find(|(_, peer)| peer.healthy && peer.state == MemberState::Primary).map(|(host, _)| host.as_str())
}

fn out_of_reach(topology: &Topology) -> Option<Outage> {
    let host = heard_primary(topology)?;
    let answer = topology.observed(host).map_or_else(|| "UNKNOWN".to_owned(), |pod| pod.view.describe());
    let message = format!(
        "the primary {} does not answer the operator as such; it is {answer}, and the other members follow it: nothing is changed meanwhile",
        topology.pod_name(host)
    );
    Some(Outage { kind: Kind::PrimaryOutOfReach, message })
}

fn count_votes(topology: &Topology, config: &ReplicaSetConfig) -> Outage {
    let (there, missing): (Vec<&str>, Vec<&str>) =
        config.voters().map(|voter| voter.host.as_str()).partition(|host| may_vote(topology, host));
    let (voters, majority) = (config.voters().count(), config.majority());
    let names = |hosts: &[&str], word: &str| {
        let names: Vec<&str> = hosts.iter().map(|host| topology.pod_name(host)).collect();
        match names.split_last() {
            None => "nobody".to_owned(),
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
        }
    };
    let holds = if there.len() > 1 { "hold" } else { "holds" };
    let votes = format!(
        "{} {holds} {} of {voters} votes and a majority is {majority}",
        names(&there, "and"),
        there.len()
    );
    let away: Vec<String> = missing.iter().map(|host| describe(topology, host)).collect();
    let away = if away.is_empty() { String::new() } else { format!("; {}", away.join(", ")) };
    if there.len() >= majority {
        let message = format!("the replica set has no primary and an election is under way: {votes}{away}");
        return Outage { kind: Kind::Electing, message };
    }
    let lacking = majority - there.len();
    let restores = if lacking == missing.len() {
        names(&missing, "and")
    } else if lacking == 1 {
        format!("one of {}", names(&missing, "and"))
    } else {
        format!("{lacking} of {}", names(&missing, "and"))
    };
    let message =
        format!("the replica set has no primary and cannot elect one: {votes}{away}; bring back {restores}");
    Outage { kind: Kind::MajorityLost, message }
}

/// Whether a member answers in a state in which it may vote. Of one that is no pod of ours the others
/// tell.
fn may_vote(topology: &Topology, host: &str) -> bool {
    let votes = |state| {
        !matches!(
            state,
            MemberState::Startup | MemberState::Unknown | MemberState::Down | MemberState::Removed
        )
    };
    match topology.observed(host) {
        Some(observed) => observed.member().is_some_and(|member| votes(member.state)),
        None => topology
            .configured()
            .filter_map(|(_, member)| member.peers.get(host))
            .any(|peer| peer.healthy && votes(peer.state)),
    }
}

fn describe(topology: &Topology, host: &str) -> String {
    let state =
        topology.observed(host).map_or_else(|| "not heard from".to_owned(), |pod| pod.view.describe());
    format!("{} is {state}", topology.pod_name(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::fixture::topology;

    fn outage(lines: &str) -> (Kind, String) {
        let outage = of(&topology(lines)).unwrap();
        (outage.kind, outage.message)
    }

    #[test]
    fn a_set_with_a_primary_and_one_that_does_not_exist_have_none() {
        assert_eq!(of(&topology("0 PRIMARY vote\n 1 SECONDARY vote")), None);
        assert_eq!(of(&topology("0 new\n 1 unreachable")), None);
    }

    #[test]
    fn an_election_is_told_apart_from_a_lost_majority() {
        let (kind, message) = outage("0 unreachable vote\n 1 SECONDARY vote\n 2 SECONDARY vote");
        assert_eq!(kind, Kind::Electing);
        assert_eq!(
            message,
            "the replica set has no primary and an election is under way: db-1 and db-2 hold 2 of 3 votes and a majority is 2; db-0 is UNREACHABLE: connection refused"
        );
    }

    #[test]
    fn a_lost_majority_says_who_is_left_who_is_not_and_who_would_restore_it() {
        let (kind, message) = outage("0 unreachable vote\n 1 SECONDARY vote\n 2 refused vote");
        assert_eq!(kind, Kind::MajorityLost);
        assert_eq!(
            message,
            "the replica set has no primary and cannot elect one: db-1 holds 1 of 3 votes and a majority is 2; db-0 is UNREACHABLE: connection refused, db-2 is REFUSED: authentication failed; bring back one of db-0 and db-2"
        );
    }

    #[test]
    fn how_many_have_to_come_back_is_counted() {
        let five = "0 SECONDARY vote\n 1 unreachable vote\n 2 unreachable vote\n 3 unreachable vote\n 4 unreachable vote";
        assert!(outage(five).1.ends_with("bring back 2 of db-1, db-2, db-3 and db-4"), "{}", outage(five).1);
        let two = "0 SECONDARY vote\n 1 unreachable vote";
        assert!(outage(two).1.ends_with("bring back db-1"), "{}", outage(two).1);
    }

    #[test]
    fn a_member_with_an_empty_disk_is_no_vote_and_one_in_initial_sync_is() {
        assert_eq!(outage("0 new vote\n 1 SECONDARY vote\n 2 unreachable vote").0, Kind::MajorityLost);
        assert_eq!(outage("0 STARTUP2 vote\n 1 SECONDARY vote\n 2 unreachable vote").0, Kind::Electing);
    }

    #[test]
    fn a_primary_that_only_the_operator_cannot_reach_is_no_lost_primary() {
        let (kind, message) =
            outage("0 unreachable vote heard=PRIMARY\n 1 SECONDARY vote\n 2 SECONDARY vote");
        assert_eq!(kind, Kind::PrimaryOutOfReach);
        assert_eq!(
            message,
            "the primary db-0 does not answer the operator as such; it is UNREACHABLE: connection refused, and the other members follow it: nothing is changed meanwhile"
        );
    }

    #[test]
    fn the_newest_configuration_says_who_votes() {
        let seen =
            topology("0 SECONDARY vote version=4\n 1 REMOVED vote version=6\n 2 SECONDARY vote version=5");
        assert_eq!(newest_config(&seen).unwrap().version, 6);
    }
}
