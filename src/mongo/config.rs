//! A replica set configuration and its edits. Pure.
//!
//! The server's own document is kept and edited in place, so tags, horizons, settings and fields
//! this operator has never heard of survive every reconfiguration. Edits raise the version by one:
//! mongod refuses a version that is not above its own, so a configuration computed from a stale
//! read cannot overwrite a newer one.

use mongodb::bson::{Bson, Document, doc};
use thiserror::Error;

/// The highest member id mongod 4.4 accepts.
const HIGHEST_ID: i64 = 255;

/// How long a new set's secondaries go without a word of the primary before they elect another. An
/// election that nobody wins is repeated after the same time: with mongod's own ten seconds a set
/// could not be written to for more than twenty, with five for about eleven. Heartbeats come every two
/// seconds and secondaries fetch all the time, so a single lost one starts nothing. Existing sets keep
/// what they have.
const ELECTION_TIMEOUT_MILLIS: i32 = 5_000;

/// A parsed configuration together with the document it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSetConfig {
    document: Document,
    /// Name of the set.
    pub name: String,
    /// Raised by one with each change.
    pub version: i64,
    /// Election term the configuration was written in; -1 before the first election.
    pub term: i64,
    /// The server's own identity of the set. Two different ones are two sets, whatever their names.
    pub replica_set_id: Option<String>,
    /// Members in the order of the document, which carries no meaning.
    pub members: Vec<ConfigMember>,
}

/// One member of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigMember {
    /// Identity within the set.
    pub id: i64,
    /// Name and port.
    pub host: String,
    /// 0 or 1.
    pub votes: i64,
    /// 0: cannot become primary.
    pub priority: f64,
    /// Votes but holds no data.
    pub arbiter: bool,
    /// Kept from applications, or behind on purpose: such a member can never be primary.
    pub kept_back: bool,
}

/// A configuration document that cannot be understood.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("replica set configuration: field {field} is missing or of the wrong type")]
pub struct Malformed {
    /// Path of the field.
    pub field: &'static str,
}

impl ReplicaSetConfig {
    /// Reads the `config` document of a `replSetGetConfig` reply.
    pub fn parse(document: Document) -> Result<Self, Malformed> {
        let malformed = |field| Malformed { field };
        let members = document.get_array("members").map_err(|_| malformed("members"))?;
        Ok(Self {
            name: document.get_str("_id").map_err(|_| malformed("_id"))?.to_owned(),
            version: integer(&document, "version").ok_or_else(|| malformed("version"))?,
            term: integer(&document, "term").unwrap_or(-1),
            replica_set_id: replica_set_id(&document),
            members: members.iter().map(ConfigMember::parse).collect::<Result<_, _>>()?,
            document,
        })
    }

    /// The configuration a new set starts with: one member, so that no election has to be waited for.
    pub fn initial(name: &str, host: &str) -> Document {
        doc! {
            "_id": name,
            "version": 1,
            "members": [{ "_id": 0, "host": host }],
            "settings": { "electionTimeoutMillis": ELECTION_TIMEOUT_MILLIS },
        }
    }

    /// The document for `replSetReconfig`.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The member with this host.
    pub fn member(&self, host: &str) -> Option<&ConfigMember> {
        self.members.iter().find(|member| member.host == host)
    }

    /// Members with a vote.
    pub fn voters(&self) -> impl Iterator<Item = &ConfigMember> {
        self.members.iter().filter(|member| member.votes > 0)
    }

    /// Votes it takes to elect a primary and to acknowledge a majority write.
    pub fn majority(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// The lowest id no member has. Ids end at 255, so they are used again after a removal.
    pub fn lowest_free_id(&self) -> i64 {
        (0..=HIGHEST_ID).find(|id| self.members.iter().all(|member| member.id != *id)).unwrap_or(HIGHEST_ID)
    }

    /// Adds a member that neither votes nor can become primary.
    pub fn with_member(&self, host: &str, id: i64) -> Result<Self, Malformed> {
        // Ids are at most 255 (see `lowest_free_id`); mongod answers in 32-bit integers too.
        let id = i32::try_from(id).map_or(Bson::Int64(id), Bson::Int32);
        let member = doc! { "_id": id, "host": host, "votes": 0, "priority": 0.0 };
        self.edited(|members| members.push(Bson::Document(member)))
    }

    /// Gives a member its vote and makes it electable.
    pub fn with_vote(&self, host: &str) -> Result<Self, Malformed> {
        self.edited(|members| set_vote(members, host, 1))
    }

    /// Takes a member's vote; mongod demands that it cannot become primary either.
    pub fn without_vote(&self, host: &str) -> Result<Self, Malformed> {
        self.edited(|members| set_vote(members, host, 0))
    }

    /// Drops a member.
    pub fn without_member(&self, host: &str) -> Result<Self, Malformed> {
        self.edited(|members| members.retain(|member| host_of(member) != Some(host)))
    }

    /// Gives a member another name.
    pub fn with_host(&self, from: &str, to: &str) -> Result<Self, Malformed> {
        self.edited(|members| {
            let member = members.iter_mut().find(|member| host_of(member) == Some(from));
            if let Some(member) = member.and_then(Bson::as_document_mut) {
                member.insert("host", to);
            }
        })
    }

    /// Only the members `kept`, of whom `voter` alone votes and can become primary.
    pub fn with_survivors(&self, voter: &str, kept: &[String]) -> Result<Self, Malformed> {
        let is_kept =
            |member: &Bson| host_of(member).is_some_and(|host| kept.iter().any(|kept| kept == host));
        self.edited(|members| {
            members.retain(is_kept);
            for host in kept {
                set_vote(members, host, i32::from(host == voter));
            }
        })
    }

    /// Whether it was made after `other`: by version where one of them was forced, which has no term.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        if self.term < 0 || other.term < 0 {
            return self.version > other.version;
        }
        (self.term, self.version) > (other.term, other.version)
    }

    fn edited(&self, edit: impl FnOnce(&mut Vec<Bson>)) -> Result<Self, Malformed> {
        let mut document = self.document.clone();
        edit(document.get_array_mut("members").map_err(|_| Malformed { field: "members" })?);
        let version = match document.get("version") {
            Some(Bson::Int32(version)) => Bson::Int32(version.saturating_add(1)),
            _ => Bson::Int64(self.version.saturating_add(1)),
        };
        document.insert("version", version);
        Self::parse(document)
    }
}

impl ConfigMember {
    fn parse(member: &Bson) -> Result<Self, Malformed> {
        let member = member.as_document().ok_or(Malformed { field: "members[]" })?;
        Ok(Self {
            id: integer(member, "_id").ok_or(Malformed { field: "members[]._id" })?,
            host: member.get_str("host").map_err(|_| Malformed { field: "members[].host" })?.to_owned(),
            // Both default to one when the document leaves them out.
            votes: integer(member, "votes").unwrap_or(1),
            priority: number(member, "priority").unwrap_or(1.0),
            arbiter: member.get_bool("arbiterOnly").unwrap_or(false),
            kept_back: is_kept_back(member),
        })
    }
}

fn replica_set_id(document: &Document) -> Option<String> {
    match document.get_document("settings").ok()?.get("replicaSetId")? {
        Bson::ObjectId(id) => Some(id.to_hex()),
        other => Some(other.to_string()),
    }
}

fn host_of(member: &Bson) -> Option<&str> {
    member.as_document()?.get_str("host").ok()
}

/// mongod refuses any priority but 0 for these. The delay had another name before 5.0.
fn is_kept_back(member: &Document) -> bool {
    let delayed = |key| integer(member, key).is_some_and(|seconds| seconds > 0);
    member.get_bool("hidden").unwrap_or(false) || delayed("secondaryDelaySecs") || delayed("slaveDelay")
}

fn set_vote(members: &mut [Bson], host: &str, vote: i32) {
    let member = members.iter_mut().find(|member| host_of(member) == Some(host));
    if let Some(member) = member.and_then(Bson::as_document_mut) {
        let priority = if is_kept_back(member) { 0.0 } else { f64::from(vote) };
        member.insert("votes", vote);
        member.insert("priority", priority);
    }
}

/// A whole number, whichever of the three numeric types the server chose for it.
#[expect(clippy::cast_possible_truncation, reason = "versions and ids are small whole numbers")]
pub(super) fn integer(document: &Document, key: &str) -> Option<i64> {
    match document.get(key)? {
        Bson::Int32(value) => Some(i64::from(*value)),
        Bson::Int64(value) => Some(*value),
        Bson::Double(value) if value.is_finite() => Some(*value as i64),
        _ => None,
    }
}

fn number(document: &Document, key: &str) -> Option<f64> {
    match document.get(key)? {
        Bson::Int32(value) => Some(f64::from(*value)),
        #[expect(clippy::cast_precision_loss, reason = "a priority is at most 1000")]
        Bson::Int64(value) => Some(*value as f64),
        Bson::Double(value) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
