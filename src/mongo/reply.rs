//! Server replies into plain data. Pure; anything missing or odd is an error with the field's name.

use std::collections::BTreeMap;

use mongodb::bson::{Bson, Document};

use super::config::{Malformed, ReplicaSetConfig, integer};
use super::topology::{Member, MemberState, Optime, Peer};
use super::wanted::ApplicationUser;

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
    /// Whether the user has exactly the role it shall have, or the reply does not tell.
    pub roles_match: bool,
    /// The stored credentials, where the server shows them: they change with the password.
    pub credentials: Option<Document>,
}

/// The user in a `usersInfo` reply; none when there is no such user.
pub fn user(reply: &Document, wanted: &ApplicationUser) -> Result<Option<UserInfo>, Malformed> {
    let users = reply.get_array("users").map_err(|_| Malformed { field: "users" })?;
    let Some(user) = users.first() else {
        return Ok(None);
    };
    let user = user.as_document().ok_or(Malformed { field: "users[]" })?;
    let roles_match = user.get_array("roles").map_or(true, |roles| {
        let is_wanted = |role: &Bson| {
            role.as_document().is_some_and(|role| {
                let is = |key, value| role.get_str(key).is_ok_and(|text| text == value);
                is("role", "readWrite") && is("db", wanted.database.as_str())
            })
        };
        roles.len() == 1 && roles.iter().all(is_wanted)
    });
    Ok(Some(UserInfo { roles_match, credentials: user.get_document("credentials").ok().cloned() }))
}

#[cfg(test)]
mod tests;
