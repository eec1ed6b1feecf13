//! Decides the one next step towards the wanted replica set. Pure and deterministic.
//!
//! Rules, in this order; the first that has something to do decides:
//!
//! 1. Two sets, or a set of another name: never act.
//! 2. Nothing initiated anywhere: initiate, once every member says it is empty.
//! 3. No primary, or no majority of voters up: wait.
//! 4. The application user, early, so that applications can start while members join.
//! 5. A pod that the set knows by another of its names gets the right one.
//! 6. Members nobody wants lose their votes, then leave.
//! 7. Wanted members that are missing join without a vote.
//! 8. Members that caught up get their vote.
//! 9. A primary nobody wants hands over.
//!
//! Members that are no pods of this set were added by hand; they are told of in the status, and never
//! touched. What restarts pods, also to bring them a new key or certificate, is not decided here but
//! in `drive::roll`, which waits until nothing is left to do here. A reconfiguration by force is not a
//! step: only a person can ask for one.
//!
//! Other users have a planner of their own, [`next_of_users`]: nothing waits for them, and they wait
//! for nothing but a primary.
//!
//! A rule that is blocked does not block the rules behind it; its reason is told when no rule acts.
//! Every reconfiguration changes at most one vote, raises the version by one and is never forced.

mod command;
#[cfg(test)]
pub(super) mod mutants;
mod rules;
#[cfg(test)]
mod tests;
mod users;

use std::collections::BTreeSet;
use std::fmt;

use super::outage;
use super::topology::{Observed, Topology, View};
use super::users::UserName;
use super::wanted::Wanted;
use rules::{RULES, Rule, Situation};

pub use command::{Command, command};
pub use users::{MARK, next_of_users};

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Carry out this step, then look again.
    Do(Step),
    /// Nothing can be done now; the sentence names the member or pod that is waited for.
    Wait(String),
    /// The set is what is wanted.
    Settled,
}

/// One change to the replica set. Every one is decided anew from what was seen: an operator that
/// stops at any point leaves nothing behind that its successor would have to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Precondition: every pod asked answers and says it has no configuration.
    /// Command: `replSetInitiate` with this one member, sent to it.
    /// Effect: a set of one member, which is primary a moment later.
    /// Idempotent: a member that has a configuration answers `AlreadyInitialized`.
    /// Crash right after: the next pass sees one member and adds the others.
    Initiate {
        /// Host of the member with the lowest ordinal.
        host: String,
    },
    /// Precondition: a wanted, reachable, not terminating pod is missing from the configuration.
    /// Command: `replSetReconfig` with the member added, votes 0 and priority 0.
    /// Effect: initial sync starts; majorities are untouched.
    /// Idempotent: a repeated command carries a version the server has passed, and is refused.
    /// Crash right after: the next pass sees the member and waits for its sync.
    AddMember {
        /// Host to add.
        host: String,
        /// Its id, free in the configuration.
        id: i64,
    },
    /// Precondition: a wanted, reachable, not terminating pod says by itself that the set knows it by
    /// another of its names; it is a caught-up secondary without which a majority stays up, or alone.
    /// Command: `replSetReconfig` with the host of that member changed; its id and vote stay.
    /// Effect: the members dial it by its right name; its data is untouched.
    /// Idempotent: by version, as with adding.
    /// Crash right after: the next pass sees the right name and goes on with the next member.
    FixHost {
        /// Host it is listed by.
        from: String,
        /// Host it shall be listed by.
        to: String,
    },
    /// Precondition: a wanted member without a vote is a caught-up secondary.
    /// Command: `replSetReconfig` with its votes and priority at 1.
    /// Effect: it counts for majorities and may be elected.
    /// Idempotent: by version, as with adding.
    /// Crash right after: the next pass sees the vote.
    GrantVote {
        /// Host to give the vote to.
        host: String,
    },
    /// Precondition: an unwanted member, or one about to be emptied, that is not primary has a vote,
    /// and the remaining voters have a majority up.
    /// Command: `replSetReconfig` with its votes and priority at 0.
    /// Effect: it no longer counts for majorities.
    /// Idempotent: by version, as with adding.
    /// Crash right after: the next pass sees a member without a vote and removes it.
    RevokeVote {
        /// Host to take the vote from.
        host: String,
    },
    /// Precondition: an unwanted member has no vote.
    /// Command: `replSetReconfig` without it.
    /// Effect: its pod is no longer occupied and may be deleted.
    /// Idempotent: by version, as with adding.
    /// Crash right after: the next pass no longer sees it.
    RemoveMember {
        /// Host to remove.
        host: String,
    },
    /// Precondition: the primary is to leave (or to restart) and a caught-up voter can follow.
    /// Command: `replSetStepDown` for [`STEP_DOWN_SECONDS`], never forced, sent to the primary.
    /// Effect: another voter is elected; writes pause for about a second.
    /// Idempotent: a member that is no longer primary refuses it.
    /// Crash right after: the next pass sees the new primary, or waits for its election.
    StepDown {
        /// Host of the primary.
        host: String,
    },
    /// Precondition: the primary does not know the user.
    /// Command: `createUser` with SCRAM-SHA-256 and its roles, majority write.
    /// Effect: applications can log in.
    /// Idempotent: an existing user is answered with "already exists", which counts as done.
    /// Crash right after: the next pass logs in as the user and finds it as wanted.
    CreateUser {
        /// The user.
        user: UserName,
    },
    /// Precondition: the wanted password is refused, or the roles are not exactly the wanted ones.
    /// Command: `updateUser` with password, mechanism and roles, majority write.
    /// Effect: new logins need the wanted password; sessions already logged in go on.
    /// Idempotent: it states the outcome, not a difference.
    /// Crash right after: as after creating.
    UpdateUser {
        /// The user.
        user: UserName,
    },
    /// Precondition: the user is there and unwanted: it left the spec, which asks for pruning, or it
    /// is the API's earlier one and no API pod uses it any more.
    /// Command: `dropUser`, majority write.
    /// Effect: nobody logs in as this user any more.
    /// Idempotent: a missing user is answered with "not found", which counts as done.
    /// Crash right after: the next pass does not find it.
    DropUser {
        /// The user.
        user: UserName,
    },
}

/// Reason of [`Step::StepDown`].
pub const STEP_DOWN: &str = "StepDown";

/// How long a member that stepped down does not stand for election. Its successor is elected within
/// a second or two; longer would leave a set without a candidate when two hand over in a row.
pub const STEP_DOWN_SECONDS: i32 = 10;

/// The next step towards `wanted`, given what was seen.
pub fn next(wanted: &Wanted, topology: &Topology) -> Next {
    if let Some(reason) = disagreement(wanted, topology) {
        return Next::Wait(reason);
    }
    if topology.configured().next().is_none() {
        return initiate(wanted, topology);
    }
    let Some((primary, member)) = topology.primary() else {
        return Next::Wait(outage::of(topology).map(|outage| outage.message).unwrap_or_default());
    };
    let (up, majority) = (topology.voters_up(&member.config), member.config.majority());
    if up < majority {
        return Next::Wait(format!(
            "only {up} of {} voting members are up and a majority is {majority}: {}",
            member.config.voters().count(),
            roll_call(topology)
        ));
    }
    first_due(&RULES, &Situation { wanted, topology, primary, config: &member.config })
}

fn first_due(rules: &[fn(&Situation<'_>) -> Rule], situation: &Situation<'_>) -> Next {
    let mut blocked = Vec::new();
    for rule in rules {
        match rule(situation) {
            Rule::Satisfied => {}
            Rule::Do(step) => return Next::Do(step),
            Rule::Blocked(reason) => blocked.push(reason),
        }
    }
    if blocked.is_empty() { Next::Settled } else { Next::Wait(blocked.join("; ")) }
}

/// Why the members seen cannot be one set of the wanted name.
pub(super) fn disagreement(wanted: &Wanted, topology: &Topology) -> Option<String> {
    for (observed, member) in topology.configured() {
        if member.config.name != wanted.replica_set {
            return Some(format!(
                "{} belongs to replica set {}, not to {}: nothing is changed until a person decides which data to keep",
                observed.pod, member.config.name, wanted.replica_set
            ));
        }
    }
    let identities = topology.configured().filter_map(|(_, member)| member.config.replica_set_id.as_deref());
    let identities: BTreeSet<_> = identities.collect();
    let mut by_identity = identities.iter().map(|identity| {
        let of_this =
            topology.configured().filter(|(_, m)| m.config.replica_set_id.as_deref() == Some(*identity));
        of_this.map(|(observed, _)| observed.pod.as_str()).collect::<Vec<_>>().join(", ")
    });
    match (by_identity.next(), by_identity.next()) {
        (Some(first), Some(second)) => Some(format!(
            "two replica sets named {}: {first} against {second}; nothing is changed until a person decides which data to keep",
            wanted.replica_set
        )),
        _ => None,
    }
}

/// A second set would be a second, empty truth, so every doubt means waiting.
fn initiate(wanted: &Wanted, topology: &Topology) -> Next {
    let members = wanted.by_ordinal();
    let empty = |observed: &Observed| observed.view == View::NotInitialized;
    if wanted.initiated_before && !topology.members.iter().all(empty) {
        return Next::Wait(format!(
            "no member that holds replica set {} answers, and nothing is changed until one does: {}",
            wanted.replica_set,
            roll_call(topology)
        ));
    }
    let silent = topology.members.iter().find(|observed| observed.view != View::NotInitialized);
    if let Some(observed) = silent {
        return Next::Wait(format!(
            "not initiated before every member answers: {} is {}",
            observed.pod,
            observed.view.describe()
        ));
    }
    if let Some(member) = members.iter().find(|member| topology.observed(&member.host).is_none()) {
        return Next::Wait(format!(
            "not initiated before every member answers: {} does not exist yet",
            member.pod
        ));
    }
    if wanted.initiated_before {
        return Next::Wait(format!(
            "replica set {} was initiated before, but every member's disk is empty now: restore a volume, or delete the cluster",
            wanted.replica_set
        ));
    }
    let Some(first) = members.first() else {
        return Next::Settled;
    };
    if topology.observed(&first.host).is_some_and(|observed| observed.terminating) {
        return Next::Wait(format!("not initiated yet: {} is being deleted", first.pod));
    }
    Next::Do(Step::Initiate { host: first.host.clone() })
}

/// Every pod with its state.
fn roll_call(topology: &Topology) -> String {
    let states =
        topology.members.iter().map(|observed| format!("{} is {}", observed.pod, observed.view.describe()));
    states.collect::<Vec<_>>().join(", ")
}

impl Step {
    /// A stable word for events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Initiate { .. } => "InitiateReplicaSet",
            Self::AddMember { .. } => "AddMember",
            Self::FixHost { .. } => "FixHost",
            Self::GrantVote { .. } => "GrantVote",
            Self::RevokeVote { .. } => "RevokeVote",
            Self::RemoveMember { .. } => "RemoveMember",
            Self::StepDown { .. } => STEP_DOWN,
            Self::CreateUser { .. } => "CreateUser",
            Self::UpdateUser { .. } => "UpdateUser",
            Self::DropUser { .. } => "DropUser",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initiate { host } => write!(formatter, "initiate the replica set on {host}"),
            Self::AddMember { host, .. } => write!(formatter, "add {host} without a vote"),
            Self::FixHost { from, to } => write!(formatter, "list {from} as {to}"),
            Self::GrantVote { host } => write!(formatter, "give {host} a vote"),
            Self::RevokeVote { host } => write!(formatter, "take the vote of {host}"),
            Self::RemoveMember { host } => write!(formatter, "remove {host} from the replica set"),
            Self::StepDown { host } => write!(formatter, "step down the primary {host}"),
            Self::CreateUser { user } => write!(formatter, "create user {user}"),
            Self::UpdateUser { user } => write!(formatter, "give user {user} its password and roles"),
            Self::DropUser { user } => write!(formatter, "drop user {user}"),
        }
    }
}
