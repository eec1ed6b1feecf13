//! Topologies from a few words, for tests.
//!
//! One line per pod: its number, its state, then flags.
//!
//! ```text
//! 0 PRIMARY   vote          in the configuration, with a vote
//! 1 SECONDARY no-vote lag=3 without one, three seconds behind
//! 2 new                     running, no configuration on its disk
//! 3 unreachable vote        in the configuration, does not answer
//! ```
//!
//! `alias` lists the member by its name in another cluster domain, `twice` by both names; `heard=STATE`
//! is what the others hear of it where that differs, `version=N` the version of its configuration.
//! `no-pod` puts a member into the configuration that no pod stands for; `terminating`, `term=N`,
//! `set=N` (another set identity) and `name=N` (another set name) speak for themselves.

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::{Bson, Document, doc};

use super::config::ReplicaSetConfig;
use super::topology::{Member, MemberState, Observed, Optime, Peer, Topology, UserState, View};
use super::users::SeenUsers;
use super::wanted::{ApplicationUser, Wanted, WantedMember};
use crate::password::Password;

const NEWEST: u64 = 1_000_000;

/// Host of the pod with this number.
pub(crate) fn host(pod: usize) -> String {
    format!("db-{pod}.db.shop.svc.cluster.local:27017")
}

/// The same pod in another cluster domain.
pub(crate) fn alias(pod: usize) -> String {
    format!("db-{pod}.db.shop.svc.old.domain:27017")
}

/// The first `members` pods, and a user.
pub(crate) fn wanted(members: usize) -> Wanted {
    Wanted {
        replica_set: "db".into(),
        members: (0..members).map(|pod| WantedMember { pod: format!("db-{pod}"), host: host(pod) }).collect(),
        application_user: ApplicationUser {
            name: "app".into(),
            database: "shop".into(),
            password: Password::new("wanted-password"),
        },
        initiated_before: false,
        users: Vec::new(),
        unwanted_users: BTreeSet::new(),
    }
}

/// A topology from lines as above; the application user matches.
pub(crate) fn topology(lines: &str) -> Topology {
    let lines: Vec<Line<'_>> =
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(Line::parse).collect();
    let peers = lines.iter().filter(|line| line.votes.is_some()).map(Line::peer).collect();
    let asked = lines.iter().filter(|line| !line.no_pod);
    let members = asked.map(|line| line.observed(&lines, &peers)).collect();
    Topology { members, application_user: UserState::Matches, users: Some(SeenUsers::default()) }
}

struct Line<'a> {
    pod: usize,
    state: &'a str,
    votes: Option<i32>,
    lag: u64,
    terminating: bool,
    no_pod: bool,
    term: i64,
    set: i64,
    name: &'a str,
    listed: Listed,
    heard: Option<&'a str>,
    version: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    ByItsHost,
    ByAnotherName,
    Twice,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        let mut words = line.split_whitespace();
        let pod = words.next().unwrap().parse().unwrap();
        let state = words.next().unwrap();
        let mut parsed = Self {
            pod,
            state,
            votes: None,
            lag: 0,
            terminating: false,
            no_pod: false,
            term: 1,
            set: 1,
            name: "db",
            listed: Listed::ByItsHost,
            heard: None,
            version: 5,
        };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("vote", _) => parsed.votes = Some(1),
                ("no-vote", _) => parsed.votes = Some(0),
                ("lag", number) => parsed.lag = number.parse().unwrap(),
                ("term", number) => parsed.term = number.parse().unwrap(),
                ("set", number) => parsed.set = number.parse().unwrap(),
                ("name", name) => parsed.name = name,
                ("alias", _) => parsed.listed = Listed::ByAnotherName,
                ("twice", _) => parsed.listed = Listed::Twice,
                ("heard", state) => parsed.heard = Some(state),
                ("version", number) => parsed.version = number.parse().unwrap(),
                ("terminating", _) => parsed.terminating = true,
                ("no-pod", _) => parsed.no_pod = true,
                _ => panic!("unknown word {word}"),
            }
        }
        parsed
    }

    fn listed_as(&self) -> String {
        if self.listed == Listed::ByAnotherName { alias(self.pod) } else { host(self.pod) }
    }

    fn member_state(&self) -> Option<MemberState> {
        state_named(self.state)
    }

    fn peer(&self) -> (String, Peer) {
        let state = self.heard.map_or_else(|| self.member_state(), state_named);
        let peer = Peer {
            state: state.unwrap_or(MemberState::Down),
            healthy: state.is_some(),
            optime: state.map(|_| Optime { term: 1, seconds: NEWEST - self.lag, increment: 1 }),
        };
        (self.listed_as(), peer)
    }

    fn observed(&self, lines: &[Self], peers: &BTreeMap<String, Peer>) -> Observed {
        let view = match self.state {
            "new" => View::NotInitialized,
            "unreachable" => View::Unreachable { reason: "connection refused".into() },
            "refused" => View::Refused { reason: "authentication failed".into() },
            _ => View::Member(Box::new(Member {
                config: ReplicaSetConfig::parse(config_document(lines, self)).unwrap(),
                state: self.member_state().unwrap(),
                term: self.term,
                own_host: self.votes.map(|_| self.listed_as()),
                peers: peers.clone(),
            })),
        };
        Observed {
            pod: format!("db-{}", self.pod),
            host: host(self.pod),
            terminating: self.terminating,
            view,
        }
    }
}

fn state_named(name: &str) -> Option<MemberState> {
    (0..=10).map(MemberState::from_number).find(|state| state.name() == name)
}

fn config_document(lines: &[Line<'_>], of: &Line<'_>) -> Document {
    let member = |id: usize, host: String, votes: i32| {
        let id = i32::try_from(id).unwrap();
        Bson::Document(doc! { "_id": id, "host": host, "votes": votes, "priority": f64::from(votes) })
    };
    let mut members = Vec::new();
    for line in lines {
        let Some(votes) = line.votes else { continue };
        members.push(member(line.pod, line.listed_as(), votes));
        if line.listed == Listed::Twice {
            members.push(member(100 + line.pod, alias(line.pod), 0));
        }
    }
    let settings = doc! { "replicaSetId": of.set };
    doc! { "_id": of.name, "version": of.version, "term": 1, "members": members, "settings": settings }
}
