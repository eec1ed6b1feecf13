//! The command that carries out a step: which member, which database, which document. Pure.

use std::fmt;

use mongodb::bson::{Document, doc};

use super::{STEP_DOWN_SECONDS, Step, users};
use crate::mongo::config::{Malformed, ReplicaSetConfig};
use crate::mongo::topology::Topology;
use crate::mongo::wanted::Wanted;

/// How long the server may take over a reconfiguration or a majority write, in milliseconds.
pub(super) const SERVER_TIME_LIMIT: i32 = 5_000;
/// How long a primary stepping down waits for a secondary to catch up.
const CATCH_UP_SECONDS: i32 = 5;

/// One command for one member.
#[derive(Clone, PartialEq)]
pub struct Command {
    /// Host of the member to send it to.
    pub host: String,
    /// Database to run it on.
    pub database: String,
    /// The command. It may hold a password.
    pub document: Document,
}

/// The document may hold a password, so only its name is shown.
impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.document.keys().next().map_or("", String::as_str);
        write!(formatter, "Command({name} on {} of {})", self.database, self.host)
    }
}

/// The command for `step`; none when the step needs a primary and `topology` has none.
pub fn command(step: &Step, wanted: &Wanted, topology: &Topology) -> Result<Option<Command>, Malformed> {
    let primary = topology.primary().map(|(observed, member)| (&observed.host, &member.config));
    Ok(Some(match (step, primary) {
        (Step::Initiate { host }, _) => {
            let config = ReplicaSetConfig::initial(&wanted.replica_set, host);
            Command::admin(host, doc! { "replSetInitiate": config })
        }
        (_, None) => return Ok(None),
        (Step::AddMember { host, id }, Some((primary, config))) => {
            Command::reconfigure(primary, &config.with_member(host, *id)?)
        }
        (Step::FixHost { from, to }, Some((primary, config))) => {
            Command::reconfigure(primary, &config.with_host(from, to)?)
        }
        (Step::GrantVote { host }, Some((primary, config))) => {
            Command::reconfigure(primary, &config.with_vote(host)?)
        }
        (Step::RevokeVote { host }, Some((primary, config))) => {
            Command::reconfigure(primary, &config.without_vote(host)?)
        }
        (Step::RemoveMember { host }, Some((primary, config))) => {
            Command::reconfigure(primary, &config.without_member(host)?)
        }
        // Sent to the member named: were another primary by now, stepping that one down is not meant.
        (Step::StepDown { host }, Some(_)) => Command::admin(
            host,
            doc! { "replSetStepDown": STEP_DOWN_SECONDS, "secondaryCatchUpPeriodSecs": CATCH_UP_SECONDS },
        ),
        (
            Step::CreateUser { user } | Step::UpdateUser { user } | Step::DropUser { user },
            Some((primary, _)),
        ) => {
            let Some(document) = users::document(step, wanted, topology) else { return Ok(None) };
            Command { host: primary.clone(), database: user.database.clone(), document }
        }
    }))
}

impl Command {
    fn admin(host: &str, document: Document) -> Self {
        Self { host: host.to_owned(), database: "admin".to_owned(), document }
    }

    fn reconfigure(primary: &str, config: &ReplicaSetConfig) -> Self {
        let document = doc! { "replSetReconfig": config.document().clone(), "maxTimeMS": SERVER_TIME_LIMIT };
        Self::admin(primary, document)
    }
}
