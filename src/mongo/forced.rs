//! The reconfiguration by force, which only a person can ask for. Pure.
//!
//! A set that has lost the majority of its voting members for good cannot elect a primary, and no
//! ordinary command helps. The way out is to tell the members that are left to go on without the
//! others, which loses what only the others hold. The request is an annotation that names the uid of
//! the cluster and counts once. What will be done is written down first; it is done by a later pass
//! that finds it written and decides the same again; that it was done shows in the version of the
//! configuration, which leaps. Nothing else in this crate can send such a command.

mod survivors;

use std::collections::BTreeSet;

use mongodb::bson::doc;

use super::config::ReplicaSetConfig;
use super::outage;
use super::steps::Command;
use super::topology::Topology;
use super::wanted::Wanted;
use crate::crd::{ForcedOutcome, ForcedReconfiguration};
use crate::names::{ANNOTATION_FORCE, truncate};
use survivors::Decision;

/// By how much mongod raises the version of a forced configuration at least.
const LEAP: i64 = 10_000;
/// How long the server may take, in milliseconds.
const SERVER_TIME_LIMIT: i32 = 5_000;
/// Longest part of a wrong value that is repeated to its author.
const LONGEST_VALUE: usize = 80;

/// Everything a verdict depends on besides the set itself.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the annotation says.
    pub value: Option<&'a str>,
    /// Uid of the cluster.
    pub uid: &'a str,
    /// What the status holds from earlier passes.
    pub record: Option<&'a ForcedReconfiguration>,
    /// Pods that Kubernetes calls ready.
    pub ready: &'a BTreeSet<String>,
}

/// What to do about the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nobody asks; this is the value that would count.
    Unasked {
        /// The value.
        token: String,
    },
    /// The request does not count; the sentence says what would.
    Refused(String),
    /// It counts, and cannot be served yet.
    NotYet(String),
    /// Write this down; the next pass carries it out.
    Record(ForcedReconfiguration),
    /// It is written down: carry it out.
    Act(Act),
    /// It is over: take the annotation away, then write this down.
    Close(ForcedReconfiguration),
}

/// A decided reconfiguration by force. Only [`next`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    to: String,
    config: ReplicaSetConfig,
    sentence: String,
}

/// What to do about the request now.
pub fn next(request: &Request<'_>, wanted: &Wanted, topology: &Topology) -> Verdict {
    if let Some(open) = request.record.filter(|record| record.outcome == ForcedOutcome::Recorded) {
        return follow_up(request, open, wanted, topology);
    }
    let version = outage::newest_config(topology).map(|config| config.version);
    let token = token(request, version);
    let Some(value) = request.value else {
        return Verdict::Unasked { token };
    };
    if request.record.is_some_and(|record| record.request == value) {
        return Verdict::Refused(format!(
            "annotation {ANNOTATION_FORCE} has counted before with this value; to count again it must be {token}"
        ));
    }
    let exact = version.map(|version| versioned(request.uid, version));
    if value != token && Some(value) != exact.as_deref() {
        return Verdict::Refused(format!(
            "annotation {ANNOTATION_FORCE} is {:?} and does not count; for this cluster it must be {token}",
            truncate(value, LONGEST_VALUE)
        ));
    }
    if topology.serves() {
        return Verdict::Close(void(value, topology));
    }
    match survivors::decide(wanted, topology, request.ready) {
        Ok(decision) => Verdict::Record(decision.record(value)),
        Err(reason) => Verdict::NotYet(format!("not forced yet: {reason}")),
    }
}

/// Goes on with what was written down.
fn follow_up(
    request: &Request<'_>,
    open: &ForcedReconfiguration,
    wanted: &Wanted,
    topology: &Topology,
) -> Verdict {
    let close = |outcome| Verdict::Close(ForcedReconfiguration { outcome, ..open.clone() });
    let version = outage::newest_config(topology).map(|config| config.version);
    if version.is_some_and(|version| version >= open.config_version + LEAP) {
        return close(ForcedOutcome::Served);
    }
    if topology.serves() || request.value != Some(open.request.as_str()) {
        return close(ForcedOutcome::Void);
    }
    match survivors::decide(wanted, topology, request.ready) {
        Ok(decision) if decision.is_what(open) => act(decision),
        // The world has changed since: that is written down first, too.
        Ok(decision) => Verdict::Record(decision.record(&open.request)),
        Err(reason) => Verdict::NotYet(format!("not forced yet: {reason}")),
    }
}

fn act(decision: Decision) -> Verdict {
    let Decision { to, leader, kept, newest, evidence, .. } = decision;
    match newest.with_survivors(&leader, &kept) {
        Ok(config) => {
            Verdict::Act(Act { to, config, sentence: format!("force the configuration: {evidence}") })
        }
        Err(malformed) => Verdict::NotYet(malformed.to_string()),
    }
}

/// The first request needs the uid alone, so that a person can write it down beforehand. Another one
/// has to name the configuration too: by then the uid alone may come from a repository that still
/// holds the first.
fn token(request: &Request<'_>, version: Option<i64>) -> String {
    match (request.record, version) {
        (Some(_), Some(version)) => versioned(request.uid, version),
        _ => request.uid.to_owned(),
    }
}

fn versioned(uid: &str, version: i64) -> String {
    format!("{uid}:{version}")
}

/// A request that finds a primary must not lie in wait for the next outage.
fn void(value: &str, topology: &Topology) -> ForcedReconfiguration {
    let primary = topology.primary();
    let pod = primary.map_or("", |(observed, _)| observed.pod.as_str());
    ForcedReconfiguration {
        request: value.to_owned(),
        outcome: ForcedOutcome::Void,
        config_version: primary.map_or(0, |(_, member)| member.config.version),
        evidence: format!("nothing to force: {pod} is primary and has a majority"),
        ..ForcedReconfiguration::default()
    }
}

impl Act {
    /// What is done, for an event.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The command, and the member it goes to.
    pub fn command(&self) -> Command {
        Command {
            host: self.to.clone(),
            database: "admin".to_owned(),
            document: doc! {
                "replSetReconfig": self.config.document().clone(),
                "force": true,
                "maxTimeMS": SERVER_TIME_LIMIT,
            },
        }
    }
}

#[cfg(test)]
mod tests;
