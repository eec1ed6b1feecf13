//! The rules for a set that has a primary and a majority, one function each. Pure.

mod fix_host;

use super::Step;
use crate::mongo::config::{ConfigMember, ReplicaSetConfig};
use crate::mongo::topology::{MemberState, Observed, Topology, UserState, View};
use crate::mongo::users::UserName;
use crate::mongo::wanted::{Wanted, WantedMember};

/// What a rule says.
pub(super) enum Rule {
    /// Nothing to do.
    Satisfied,
    /// This step is due and safe.
    Do(Step),
    /// Something is due and not safe yet, or not possible.
    Blocked(String),
}

/// What every rule looks at.
pub(super) struct Situation<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) topology: &'a Topology,
    pub(super) primary: &'a Observed,
    /// The primary's configuration.
    pub(super) config: &'a ReplicaSetConfig,
}

/// In order of precedence. All votes are revoked before the first member is removed, so that the
/// count of voters is even for as short as can be; both come before others join, so that a set
/// does not grow past the server's limit of seven voters.
pub(super) const RULES: [fn(&Situation<'_>) -> Rule; 9] = [
    application_user,
    fix_host::fix_host,
    revoke_vote,
    remove_member,
    add_member,
    grant_vote,
    hand_over,
    unwanted_held_back,
    wanted_members_up,
];

fn application_user(situation: &Situation<'_>) -> Rule {
    match situation.topology.application_user {
        UserState::Matches => Rule::Satisfied,
        UserState::Missing => Rule::Do(Step::CreateUser { user: situation.application_user() }),
        UserState::PasswordDiffers | UserState::RolesDiffer => {
            Rule::Do(Step::UpdateUser { user: situation.application_user() })
        }
        UserState::Unknown => Rule::Blocked(format!(
            "{} did not say whether the application user exists",
            situation.primary.pod
        )),
    }
}

fn revoke_vote(situation: &Situation<'_>) -> Rule {
    if !situation.may_shed() {
        return Rule::Satisfied;
    }
    let voters =
        situation.unwanted().filter(|member| member.votes > 0 && member.host != situation.primary.known_as());
    // A voter that is down costs nothing to lose: it goes first.
    let Some(leaving) = voters
        .min_by_key(|member| (situation.topology.voter_is_up(&member.host), std::cmp::Reverse(member.id)))
    else {
        return Rule::Satisfied;
    };
    // `may_shed` implies it for odd counts; asked again because a lost majority cannot be undone.
    let (up, voters) = situation.voters_without(&leaving.host);
    if up > voters / 2 {
        return Rule::Do(Step::RevokeVote { host: leaving.host.clone() });
    }
    Rule::Blocked(format!(
        "{} keeps its vote: without it only {up} of {voters} voting members are up",
        situation.topology.pod_name(&leaving.host)
    ))
}

fn remove_member(situation: &Situation<'_>) -> Rule {
    if !situation.may_shed() {
        return Rule::Satisfied;
    }
    let leaving = situation.unwanted().find(|member| member.votes == 0);
    leaving.map_or(Rule::Satisfied, |member| Rule::Do(Step::RemoveMember { host: member.host.clone() }))
}

fn add_member(situation: &Situation<'_>) -> Rule {
    let mut blocked = Vec::new();
    for member in situation.missing() {
        let Some(observed) = situation.topology.observed(&member.host) else {
            blocked.push(format!("{} does not exist yet", member.pod));
            continue;
        };
        match &observed.view {
            View::Unreachable { .. } | View::Refused { .. } => {
                blocked.push(format!("{} cannot join: it is {}", member.pod, observed.view.describe()));
            }
            _ if observed.terminating => {
                blocked.push(format!("{} cannot join: it is being deleted", member.pod));
            }
            View::NotInitialized | View::Member(_) => {
                let id = situation.config.lowest_free_id();
                return Rule::Do(Step::AddMember { host: member.host.clone(), id });
            }
        }
    }
    Rule::blocked_by(&blocked)
}

/// Two voters stand worse than one, and four no better than three. So a vote that would make the
/// count even is granted only when the next one can follow at once, or none is to follow.
fn grant_vote(situation: &Situation<'_>) -> Rule {
    let (ready, not_ready): (Vec<_>, Vec<_>) =
        situation.voteless().partition(|(_, entry)| situation.ready_to_vote(&entry.host));
    let still_to_come = not_ready.len() + situation.missing().count();
    let odd_now = situation.config.voters().count() % 2 == 1;
    match ready.first() {
        Some((_, entry)) if !odd_now || ready.len() > 1 || still_to_come == 0 => {
            Rule::Do(Step::GrantVote { host: entry.host.clone() })
        }
        Some((member, _)) if not_ready.is_empty() => {
            Rule::Blocked(format!("{} gets its vote together with the next member", member.pod))
        }
        _ => Rule::blocked_by(
            &not_ready.iter().map(|(member, entry)| situation.why_no_vote(member, entry)).collect::<Vec<_>>(),
        ),
    }
}

pub(super) fn hand_over(situation: &Situation<'_>) -> Rule {
    let primary = situation.primary;
    if situation.wanted.member(&primary.host).is_some() || !situation.may_shed() {
        return Rule::Satisfied;
    }
    let can_follow = |member: &&WantedMember| {
        situation.entry(member).is_some_and(|entry| {
            entry.votes > 0 && entry.priority > 0.0 && situation.ready_to_vote(&entry.host)
        })
    };
    if situation.wanted.by_ordinal().iter().any(can_follow) {
        return Rule::Do(Step::StepDown { host: primary.host.clone() });
    }
    Rule::Blocked(format!("{} stays primary: no wanted member is a caught-up voter", primary.pod))
}

fn unwanted_held_back(situation: &Situation<'_>) -> Rule {
    let hosts: Vec<_> =
        situation.unwanted().map(|member| situation.topology.pod_name(&member.host)).collect();
    if hosts.is_empty() || situation.may_shed() {
        return Rule::Satisfied;
    }
    Rule::Blocked(format!("{} stay until a majority of the wanted members votes and is up", hosts.join(", ")))
}

fn wanted_members_up(situation: &Situation<'_>) -> Rule {
    let down = situation.wanted.by_ordinal().into_iter().filter(|member| {
        situation
            .entry(member)
            .is_some_and(|entry| entry.votes > 0 && !situation.topology.voter_is_up(&entry.host))
    });
    Rule::blocked_by(&down.map(|member| situation.why_down(member)).collect::<Vec<_>>())
}

impl Rule {
    fn blocked_by(reasons: &[String]) -> Self {
        if reasons.is_empty() { Self::Satisfied } else { Self::Blocked(reasons.join("; ")) }
    }
}

impl<'a> Situation<'a> {
    fn application_user(&self) -> UserName {
        self.wanted.application_user.user().name
    }

    /// What the configuration lists a wanted member as: by its host, else by another of its names.
    fn entry(&self, member: &WantedMember) -> Option<&'a ConfigMember> {
        let by_any_name = || {
            let mut members = self.config.members.iter();
            members.find(|entry| self.wanted.pod_of(&entry.host).as_deref() == Some(&member.pod))
        };
        self.config.member(&member.host).or_else(by_any_name)
    }

    /// Configured pods of this set that nobody wants, highest id first.
    pub(super) fn unwanted(&self) -> impl Iterator<Item = &'a ConfigMember> {
        let is_unwanted = |entry: &&ConfigMember| {
            let asked = || self.topology.observed(&entry.host).map(|observed| observed.pod.clone());
            let pod = self.wanted.pod_of(&entry.host).or_else(asked);
            pod.is_some_and(|pod| self.wanted.members.iter().all(|member| member.pod != pod))
        };
        let mut members: Vec<_> = self.config.members.iter().filter(is_unwanted).collect();
        members.sort_by_key(|member| std::cmp::Reverse(member.id));
        members.into_iter()
    }

    /// Wanted members the configuration does not list.
    fn missing(&self) -> impl Iterator<Item = &'a WantedMember> {
        self.wanted.by_ordinal().into_iter().filter(|member| self.entry(member).is_none())
    }

    /// Wanted members without a vote.
    pub(super) fn voteless(&self) -> impl Iterator<Item = (&'a WantedMember, &'a ConfigMember)> {
        let members = self.wanted.by_ordinal().into_iter();
        members.filter_map(|member| Some((member, self.entry(member)?))).filter(|(_, entry)| entry.votes == 0)
    }

    /// Hosts nobody wants may be hosts of a set that is not the one described, so they leave only
    /// while a majority of the wanted members votes and is up.
    fn may_shed(&self) -> bool {
        let voting = self.wanted.members.iter().filter(|member| {
            self.entry(member).is_some_and(|entry| entry.votes > 0 && self.topology.voter_is_up(&entry.host))
        });
        voting.count() > self.wanted.members.len() / 2
    }

    /// Voters up and voters in all, were this one's vote gone.
    fn voters_without(&self, host: &str) -> (usize, usize) {
        let others = || self.config.voters().filter(|voter| voter.host != host);
        (others().filter(|voter| self.topology.voter_is_up(&voter.host)).count(), others().count())
    }

    fn ready_to_vote(&self, host: &str) -> bool {
        let stays = |observed: &Observed| !observed.terminating;
        self.topology.caught_up(host) && self.topology.observed(host).is_some_and(stays)
    }

    fn why_no_vote(&self, member: &WantedMember, entry: &ConfigMember) -> String {
        let state = match self.topology.observed(&member.host) {
            Some(observed) if observed.terminating => "being deleted".to_owned(),
            Some(observed) => observed.view.describe(),
            None => "not there".to_owned(),
        };
        let position = match self.topology.lag_seconds(&entry.host) {
            None => ", its position not yet known to the primary".to_owned(),
            Some(0) => String::new(),
            Some(lag) => format!(", {lag} s behind"),
        };
        format!("{} has no vote yet: it is {state}{position}", member.pod)
    }

    fn why_down(&self, member: &WantedMember) -> String {
        match self.topology.observed(&member.host) {
            None => format!("{} does not exist", member.pod),
            Some(observed) if observed.view.state() == MemberState::Secondary.name() => {
                format!("{} is SECONDARY and not in contact with the primary", member.pod)
            }
            Some(observed) => format!("{} is {}", member.pod, observed.view.describe()),
        }
    }
}
