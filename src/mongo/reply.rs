//! Server replies into plain data. Pure; anything missing or odd is an error with the field's name.

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::{Bson, Document};

use super::config::{Malformed, ReplicaSetConfig, integer};
use super::steps::MARK;
use super::topology::{Member, MemberState, Optime, Peer};
use super::users::{Role, UserName};

/// A member from its `replSetGetStatus` and `replSetGetConfig` replies.
///
/// `status` is none where the server has a configuration it is not part of: it then refuses
/// `replSetGetStatus` with code 93 and counts as removed.
pub fn member(config: &Document, status: Option<&Document>) -> Result<Member, Malformed> {
    let config = config.get_document("config").map_err(|_| Malformed { field: "config" })?;
    let config = ReplicaSetConfig::parse(config.clone())?;
    let Some(status) = status else {
        let term = config.term;
        let peers = BTreeMap::new();
        return Ok(Member { config, state: MemberState::Removed, term, own_host: None, peers });
    };
    let state = integer(status, "myState").ok_or(Malformed { field: "myState" })?;
    let peers = status.get_array("members").map_err(|_| Malformed { field: "members" })?;
    Ok(Member {
        term: integer(status, "term").unwrap_or(config.term),
        state: MemberState::from_number(state),
        own_host: peers.iter().find_map(own_host),
        peers: peers.iter().map(peer).collect::<Result<_, _>>()?,
        config,
    })
}

fn peer(entry: &Bson) -> Result<(String, Peer), Malformed> {
    let entry = entry.as_document().ok_or(Malformed { field: "members[]" })?;
    let host = entry.get_str("name").map_err(|_| Malformed { field: "members[].name" })?;
    let state = integer(entry, "state").ok_or(Malformed { field: "members[].state" })?;
    let peer = Peer {
        state: MemberState::from_number(state),
        healthy: integer(entry, "health") == Some(1),
        optime: optime(entry),
    };
    Ok((host.to_owned(), peer))
}

/// The entry that the member asked marks as itself.
fn own_host(entry: &Bson) -> Option<String> {
    let entry = entry.as_document().filter(|entry| entry.get_bool("self").unwrap_or(false))?;
    entry.get_str("name").ok().map(str::to_owned)
}

/// `optime` is `{ts, t}` since protocol version 1. A zero timestamp says that nothing is known yet.
fn optime(entry: &Document) -> Option<Optime> {
    let optime = entry.get_document("optime").ok()?;
    let (timestamp, term) = (optime.get_timestamp("ts").ok()?, integer(optime, "t").unwrap_or(-1));
    let optime = Optime { term, seconds: u64::from(timestamp.time), increment: timestamp.increment };
    (optime.seconds > 0).then_some(optime)
}

/// What a `usersInfo` reply says about one user.
#[derive(Clone, Debug, PartialEq)]
pub struct UserInfo {
    /// Its roles; none when the reply does not tell.
    pub roles: Option<BTreeSet<Role>>,
    /// The stored credentials, where the server shows them: they change with the password.
    pub credentials: Option<Document>,
    /// It bears our mark.
    pub marked: bool,
    /// It has no `customData` but our mark.
    pub may_be_marked: bool,
}

/// The users of a `usersInfo` reply.
pub fn users(reply: &Document) -> Result<BTreeMap<UserName, UserInfo>, Malformed> {
    let users = reply.get_array("users").map_err(|_| Malformed { field: "users" })?;
    users.iter().map(user).collect()
}

fn user(entry: &Bson) -> Result<(UserName, UserInfo), Malformed> {
    let user = entry.as_document().ok_or(Malformed { field: "users[]" })?;
    let text = |key, field| user.get_str(key).map(str::to_owned).map_err(|_| Malformed { field });
    let name = UserName { name: text("user", "users[].user")?, database: text("db", "users[].db")? };
    let roles = user.get_array("roles").ok().map(|roles| roles.iter().map(role).collect()).transpose()?;
    let custom = user.get_document("customData").ok();
    let (key, mark) = MARK;
    let marked = custom.is_some_and(|custom| custom.get_str(key).is_ok_and(|value| value == mark));
    let info = UserInfo {
        roles,
        credentials: user.get_document("credentials").ok().cloned(),
        marked,
        may_be_marked: custom.is_none_or(|custom| custom.is_empty() || (marked && custom.len() == 1)),
    };
    Ok((name, info))
}

fn role(entry: &Bson) -> Result<Role, Malformed> {
    let malformed = || Malformed { field: "users[].roles[]" };
    let role = entry.as_document().ok_or_else(malformed)?;
    let text = |key| role.get_str(key).map(str::to_owned).map_err(|_| malformed());
    Ok(Role { name: text("role")?, database: text("db")? })
}

#[cfg(test)]
mod tests;
