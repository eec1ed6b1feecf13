//! What every member of a replica set said, and what follows from it. Pure data.

use std::collections::{BTreeMap, BTreeSet};

use crate::mongo::config::ReplicaSetConfig;
use crate::mongo::users::SeenUsers;
pub use crate::mongo::users::UserState;

/// How far behind the primary a member may be and still count as caught up, in seconds. An idle
/// primary writes a no-op every ten seconds, so less would flap.
pub const CAUGHT_UP_SECONDS: u64 = 10;

/// Everything seen in one pass: one entry per pod asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// One per pod asked, in the order asked.
    pub members: Vec<Observed>,
    /// The application user as the primary knows it.
    pub application_user: UserState,
    /// All other users; none when there is no primary, or it did not say.
    pub users: Option<SeenUsers>,
}

/// One pod and what its mongod said.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Pod name.
    pub pod: String,
    /// Name and port under which the set knows, or would know, this pod.
    pub host: String,
    /// The pod is being deleted.
    pub terminating: bool,
    /// What its mongod said.
    pub view: View,
}

/// What one mongod said.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// No usable answer.
    Unreachable {
        /// Why, in words.
        reason: String,
    },
    /// Running, with no configuration on its disk.
    NotInitialized,
    /// It answered and refused us.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// It has a configuration.
    Member(Box<Member>),
}

/// The replica set as one member sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The configuration it runs with.
    pub config: ReplicaSetConfig,
    /// Its own state.
    pub state: MemberState,
    /// Election term it knows of.
    pub term: i64,
    /// Host it goes by in its configuration, by its own word; none when it is not part of it.
    pub own_host: Option<String>,
    /// Every member as seen from here, by host.
    pub peers: BTreeMap<String, Peer>,
}

/// One member seen from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its state.
    pub state: MemberState,
    /// Whether heartbeats reach it.
    pub healthy: bool,
    /// The last operation it applied; none before its first.
    pub optime: Option<Optime>,
}

/// Position in the oplog. One of a later term is newer, whatever its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Optime {
    /// Election term it was written in.
    pub term: i64,
    /// Seconds since 1970.
    pub seconds: u64,
    /// Counter within the second.
    pub increment: u32,
}

/// Member states by the number `replSetGetStatus` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// 0: no configuration loaded.
    Startup,
    /// 1
    Primary,
    /// 2
    Secondary,
    /// 3: cannot serve reads.
    Recovering,
    /// 5: initial sync.
    Startup2,
    /// 6: not heard from yet.
    Unknown,
    /// 7: votes, holds no data.
    Arbiter,
    /// 8: not reachable from the member asked.
    Down,
    /// 9: undoing writes.
    Rollback,
    /// 10: no longer in the configuration.
    Removed,
}

/// One line of status about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSummary {
    /// Pod name, or the host where no pod is known.
    pub pod: String,
    /// State in the server's words, else `NOT_INITIALIZED`, `UNREACHABLE` or `REFUSED`.
    pub state: String,
    /// 0 or 1; none when it is in no configuration.
    pub votes: Option<i64>,
    /// Seconds behind the primary; none without a primary or an optime.
    pub lag_seconds: Option<u64>,
}

impl Topology {
    /// The member that is primary, in the newest term any of them claims: a primary cut off from
    /// the others goes on claiming an older term for a while.
    pub fn primary(&self) -> Option<(&Observed, &Member)> {
        self.configured()
            .filter(|(_, member)| member.state == MemberState::Primary)
            .max_by_key(|(_, member)| member.term)
    }

    /// Members that have a configuration, with it.
    pub fn configured(&self) -> impl Iterator<Item = (&Observed, &Member)> {
        self.members.iter().filter_map(|observed| match &observed.view {
            View::Member(member) => Some((observed, member.as_ref())),
            _ => None,
        })
    }

    /// The entry of the pod with this host, or of the one that goes by it in the set.
    pub fn observed(&self, host: &str) -> Option<&Observed> {
        self.members.iter().find(|observed| observed.host == host || observed.known_as() == host)
    }

    /// Hosts that any live configuration still lists: their pods must stay. `None` when nothing is
    /// known because some member did not answer; then every pod must stay.
    pub fn occupied(&self) -> Option<BTreeSet<String>> {
        let mut live =
            self.configured().filter(|(_, member)| member.state != MemberState::Removed).peekable();
        let all_empty = self.members.iter().all(|observed| observed.view == View::NotInitialized);
        if live.peek().is_none() && !all_empty {
            return None;
        }
        let listed = live.flat_map(|(_, member)| member.config.members.iter().map(|m| &m.host));
        // A pod that is listed by another of its names is occupied all the same.
        let pods = listed.flat_map(|host| self.observed(host).map(|pod| &pod.host).into_iter().chain([host]));
        Some(pods.cloned().collect())
    }

    /// Whether a voter counts as up: by the primary's word and by its own. The primary alone takes up
    /// to ten seconds to notice a pod that is gone or came back with an empty disk. A member that is
    /// none of the pods asked, since somebody added it by hand, has only the primary to speak for it.
    pub fn voter_is_up(&self, host: &str) -> bool {
        let serves =
            |state| matches!(state, MemberState::Primary | MemberState::Secondary | MemberState::Arbiter);
        let not_ours = self.observed(host).is_none() && self.is_strange(host);
        self.heard(host).is_some_and(|peer| peer.healthy && serves(peer.state))
            && (not_ours || self.own_state(host).is_some_and(serves))
    }

    /// Whether the first part of a host is not even the name of a pod of the set.
    fn is_strange(&self, host: &str) -> bool {
        fn stem(name: &str) -> &str {
            name.rsplit_once('-').map_or(name, |(stem, _)| stem)
        }
        let pod = host.split(['.', ':']).next().unwrap_or(host);
        self.members.iter().all(|observed| stem(&observed.pod) != stem(pod))
    }

    fn heard(&self, host: &str) -> Option<&Peer> {
        self.primary()?.1.peers.get(host)
    }

    fn own_state(&self, host: &str) -> Option<MemberState> {
        match &self.observed(host)?.view {
            View::Member(member) => Some(member.state),
            _ => None,
        }
    }

    /// Voters of `config` that are up.
    pub fn voters_up(&self, config: &ReplicaSetConfig) -> usize {
        config.voters().filter(|voter| self.voter_is_up(&voter.host)).count()
    }

    /// Whether it takes reads and writes: a primary with a majority.
    pub fn serves(&self) -> bool {
        self.primary().is_some_and(|(_, member)| self.voters_up(&member.config) >= member.config.majority())
    }

    /// Whether a member is a secondary, by the primary's word and by its own, and within
    /// [`CAUGHT_UP_SECONDS`] of the primary.
    pub fn caught_up(&self, host: &str) -> bool {
        let secondary = Some(MemberState::Secondary);
        self.heard(host).is_some_and(|peer| peer.healthy)
            && self.heard(host).map(|peer| peer.state) == secondary
            && self.own_state(host) == secondary
            && self.lag_seconds(host).is_some_and(|lag| lag <= CAUGHT_UP_SECONDS)
    }

    /// Seconds a member is behind the primary, by the primary's knowledge.
    pub fn lag_seconds(&self, host: &str) -> Option<u64> {
        let (observed, primary) = self.primary()?;
        let newest = primary.peers.get(observed.known_as())?.optime?;
        let own = primary.peers.get(host)?.optime?;
        Some(newest.seconds.saturating_sub(own.seconds))
    }

    /// Whether a majority of voters stays up while this member is away for a restart; if not, why.
    pub fn survives_loss_of(&self, host: &str) -> Result<(), String> {
        let Some((_, primary)) = self.primary() else {
            return Err("the replica set has no primary".to_owned());
        };
        let known_as = self.observed(host).map_or(host, Observed::known_as);
        let others =
            primary.config.voters().filter(|voter| voter.host != known_as && self.voter_is_up(&voter.host));
        let (remaining, majority) = (others.count(), primary.config.majority());
        let votes = primary.config.member(known_as).is_some_and(|member| member.votes > 0);
        if !votes || remaining >= majority {
            return Ok(());
        }
        Err(format!("without {host} only {remaining} voting members are up and a majority is {majority}"))
    }

    /// Pod name of a host, or the host itself where no pod of that host was asked.
    pub fn pod_name<'a>(&'a self, host: &'a str) -> &'a str {
        self.observed(host).map_or(host, |observed| observed.pod.as_str())
    }

    /// One line per pod asked and per configured member that has no pod.
    pub fn summary(&self) -> Vec<MemberSummary> {
        let config = self.primary().or_else(|| self.configured().next()).map(|(_, member)| &member.config);
        let votes = |host: &str| config.and_then(|config| config.member(host)).map(|member| member.votes);
        let line = |pod: &str, host: &str, state: String| MemberSummary {
            pod: pod.to_owned(),
            state,
            votes: votes(host),
            lag_seconds: self.lag_seconds(host),
        };
        let asked = self.members.iter().map(|o| line(&o.pod, o.known_as(), o.view.state().to_owned()));
        let foreign = config.into_iter().flat_map(|config| &config.members);
        let foreign = foreign.filter(|member| self.observed(&member.host).is_none());
        let foreign = foreign
            .map(|member| line(&member.host, &member.host, self.state_of(&member.host).name().to_owned()));
        asked.chain(foreign).collect()
    }

    fn state_of(&self, host: &str) -> MemberState {
        self.heard(host).map_or(MemberState::Unknown, |peer| peer.state)
    }
}

impl Observed {
    /// Host by which the set knows it: its own, or another name of the same pod.
    pub fn known_as(&self) -> &str {
        match &self.view {
            View::Member(member) => member.own_host.as_deref().unwrap_or(&self.host),
            _ => &self.host,
        }
    }

    /// The member, where it has a configuration.
    pub fn member(&self) -> Option<&Member> {
        match &self.view {
            View::Member(member) => Some(member),
            _ => None,
        }
    }
}

impl View {
    /// The state in one word, as in [`MemberSummary::state`].
    pub fn state(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::NotInitialized => "NOT_INITIALIZED",
            Self::Refused { .. } => "REFUSED",
            Self::Member(member) => member.state.name(),
        }
    }

    /// The state, and the reason where there is one.
    pub fn describe(&self) -> String {
        match self {
            Self::Unreachable { reason } | Self::Refused { reason } => format!("{}: {reason}", self.state()),
            _ => self.state().to_owned(),
        }
    }
}

impl MemberState {
    /// From the number in `myState` and `members[].state`.
    pub fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Startup,
            1 => Self::Primary,
            2 => Self::Secondary,
            3 => Self::Recovering,
            5 => Self::Startup2,
            7 => Self::Arbiter,
            8 => Self::Down,
            9 => Self::Rollback,
            10 => Self::Removed,
            _ => Self::Unknown,
        }
    }

    /// The server's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Startup => "STARTUP",
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
            Self::Recovering => "RECOVERING",
            Self::Startup2 => "STARTUP2",
            Self::Unknown => "UNKNOWN",
            Self::Arbiter => "ARBITER",
            Self::Down => "DOWN",
            Self::Rollback => "ROLLBACK",
            Self::Removed => "REMOVED",
        }
    }
}

#[cfg(test)]
mod tests;
