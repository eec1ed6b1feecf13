//! The wire: one multiplexed connection per node, and the one place where commands leave. IO.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError,
};
use thiserror::Error;
use tokio::time::timeout;

use super::command::Command;
use super::steps::{Member, Order, Step};
use super::topology::NodeId;
use crate::password::Password;
use crate::silence::is_silence;

/// How long one node may take to connect, and again to answer.
pub const NODE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server pursues a failover it was asked for. A second request would start it anew.
const FAILOVER_PATIENCE: Duration = Duration::from_secs(5);

/// What became of a step that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every command was sent and accepted.
    Done,
    /// The same was asked for a moment ago and may still come about; nothing was sent.
    UnderWay,
}

/// How the operator logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// An ACL user; none means the default user.
    pub username: Option<String>,
    /// Its password.
    pub password: Password,
}

/// Why a node did not do what it was asked. No variant carries a credential.
#[derive(Debug, Error)]
pub enum Error {
    /// No connection, or it broke.
    #[error("cannot reach {at} for {command}")]
    Unreachable {
        /// Pod and address.
        at: String,
        /// The command that was to be sent.
        command: &'static str,
        /// What the connection said.
        #[source]
        source: RedisError,
    },
    /// No answer within [`NODE_TIMEOUT`].
    #[error("{at} did not answer {command} within {} s", NODE_TIMEOUT.as_secs())]
    Timeout {
        /// Pod and address.
        at: String,
        /// The command.
        command: &'static str,
    },
    /// The server does not let the operator in.
    #[error("{at} refused the operator's login: {cause}")]
    Login {
        /// Pod and address.
        at: String,
        /// `WRONGPASS`, `NOAUTH` or `NOPERM` with its meaning.
        cause: &'static str,
    },
    /// The server reads its data set and answers nothing else.
    #[error("{at} is loading its data from disk")]
    Loading {
        /// Pod and address.
        at: String,
    },
    /// The server answered with an error.
    #[error("{at} rejected {command}: {answer}")]
    Rejected {
        /// Pod and address.
        at: String,
        /// The command.
        command: &'static str,
        /// The server's words.
        answer: String,
    },
    /// Another node lives at the address now, or the pod came back under another id.
    #[error("{at} is no longer node {expected}, it answers as {found}: nothing was sent")]
    Replaced {
        /// Pod and address.
        at: String,
        /// The id the step was decided upon.
        expected: String,
        /// The id it answered with.
        found: String,
    },
}

impl Error {
    /// A stable word for events, conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "RedisUnreachable",
            Self::Timeout { .. } => "RedisTimeout",
            Self::Login { .. } => "RedisLoginRefused",
            Self::Loading { .. } => "RedisLoading",
            Self::Rejected { .. } => "RedisCommandRejected",
            Self::Replaced { .. } => "RedisNodeReplaced",
        }
    }

    fn from_redis(error: RedisError, at: &str, command: &'static str) -> Self {
        let at = at.to_owned();
        match error.code() {
            Some("NOAUTH") => {
                return Self::Login { at, cause: "NOAUTH, it wants a password" };
            }
            Some("WRONGPASS") => {
                return Self::Login { at, cause: "WRONGPASS, the password is wrong" };
            }
            Some("NOPERM") => {
                return Self::Login { at, cause: "NOPERM, the user may not run this command" };
            }
            Some("LOADING") => return Self::Loading { at },
            _ => {}
        }
        match error.kind() {
            // The client drops the server's code here. Its text is not passed on, as a server
            // without AUTH would quote the arguments it did not understand.
            ErrorKind::AuthenticationFailed => {
                Self::Login { at, cause: "WRONGPASS, or it has no password set" }
            }
            ErrorKind::Io if error.is_timeout() || is_silent(&error) => Self::Timeout { at, command },
            ErrorKind::Server(_) | ErrorKind::Extension => {
                let code = error.code().unwrap_or("ERR").to_owned();
                let answer = error.detail().map_or_else(|| code.clone(), |detail| format!("{code} {detail}"));
                Self::Rejected { at, command, answer }
            }
            _ => Self::Unreachable { at, command, source: error },
        }
    }
}

fn is_silent(error: &RedisError) -> bool {
    // The library shares its causes, so one has to look through an `Arc`.
    let cause = std::error::Error::source(error);
    let shared = cause.and_then(|cause| cause.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>());
    let io = shared.and_then(|shared| shared.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| is_silence(error.kind()))
}

/// Connections to the nodes of one cluster, opened when first needed and kept.
#[derive(Debug)]
pub struct Connections {
    credentials: Credentials,
    open: Mutex<HashMap<SocketAddr, MultiplexedConnection>>,
    /// Replicas asked to take over, and when.
    failovers: Mutex<HashMap<NodeId, Instant>>,
}

impl Connections {
    /// No connection yet.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, open: Mutex::default(), failovers: Mutex::default() }
    }

    /// What it logs in with; a rotated password needs new connections.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Closes every connection to an address not among these.
    pub fn retain(&self, addresses: &BTreeSet<SocketAddr>) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|address, _| addresses.contains(address));
    }

    /// Sends the commands back to back and returns the answers as text, in order.
    pub(super) async fn ask(
        &self,
        pod: &str,
        address: SocketAddr,
        commands: &[Command],
    ) -> Result<Vec<String>, Error> {
        let at = format!("pod {pod} at {address}");
        let mut connection = self.connect(&at, address, commands.first()).await?;
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            match send(&mut connection, command, &at).await {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    if matches!(error, Error::Unreachable { .. } | Error::Timeout { .. }) {
                        self.drop_connection(address);
                    }
                    return Err(error);
                }
            }
        }
        Ok(answers)
    }

    async fn connect(
        &self,
        at: &str,
        address: SocketAddr,
        first: Option<&Command>,
    ) -> Result<MultiplexedConnection, Error> {
        if let Some(connection) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&address) {
            return Ok(connection.clone());
        }
        let command = first.map_or("PING", Command::name);
        let connecting = async {
            let mut settings = RedisConnectionInfo::default()
                .set_password(self.credentials.password.expose())
                // One round trip less, and Redis before 7.2 does not know the command.
                .set_skip_set_lib_name();
            if let Some(username) = &self.credentials.username {
                settings = settings.set_username(username);
            }
            let info =
                ConnectionAddr::Tcp(address.ip().to_string(), address.port()).into_connection_info()?;
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(NODE_TIMEOUT))
                .set_response_timeout(Some(NODE_TIMEOUT));
            let client = redis::Client::open(info.set_redis_settings(settings))?;
            client.get_multiplexed_async_connection_with_config(&config).await
        };
        let connection = timeout(NODE_TIMEOUT, connecting)
            .await
            .map_err(|_| Error::Timeout { at: at.to_owned(), command })?
            .map_err(|error| Error::from_redis(error, at, command))?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(address, connection.clone());
        Ok(connection)
    }

    /// Whether this replica may be asked to take over now; remembers that it was.
    fn may_ask_to_take_over(&self, id: &NodeId) -> bool {
        let mut failovers = self.failovers.lock().unwrap_or_else(PoisonError::into_inner);
        failovers.retain(|_, asked| asked.elapsed() < FAILOVER_PATIENCE);
        let may = !failovers.contains_key(id);
        if may {
            failovers.insert(id.clone(), Instant::now());
        }
        may
    }

    fn drop_connection(&self, address: SocketAddr) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}

async fn send(connection: &mut MultiplexedConnection, command: &Command, at: &str) -> Result<String, Error> {
    let mut packed = Cmd::new();
    for word in command.words() {
        packed.arg(word);
    }
    let name = command.name();
    let answer = timeout(NODE_TIMEOUT, packed.query_async::<String>(connection)).await;
    answer
        .map_err(|_| Error::Timeout { at: at.to_owned(), command: name })?
        .map_err(|error| Error::from_redis(error, at, name))
}

/// Carries out a step, command by command in order, and stops at the first error; every prefix of
/// a step is a state that the next pass continues from.
pub async fn run(connections: &Connections, step: &Step) -> Result<Outcome, Error> {
    if let Step::FailOver(failover) = step
        && !connections.may_ask_to_take_over(&failover.at.id)
    {
        return Ok(Outcome::UnderWay);
    }
    let mut verified = BTreeSet::new();
    for order in step.orders() {
        execute(connections, &order, &mut verified).await?;
    }
    Ok(Outcome::Done)
}

/// Sends one command after making sure that the nodes it concerns are still the ones decided upon.
pub(super) async fn execute<'a>(
    connections: &Connections,
    order: &Order<'a>,
    verified: &mut BTreeSet<&'a str>,
) -> Result<(), Error> {
    for member in [Some(order.at), order.witness].into_iter().flatten() {
        // Pod addresses are handed out again: between the look and the step a stranger may have
        // moved in. Once per node and step is enough.
        if verified.insert(&member.pod) {
            verify(connections, member).await?;
        }
    }
    connections.ask(&order.at.pod, endpoint(order.at), std::slice::from_ref(&order.command)).await?;
    Ok(())
}

async fn verify(connections: &Connections, member: &Member) -> Result<(), Error> {
    let answers = connections.ask(&member.pod, endpoint(member), &[Command::ClusterMyId]).await?;
    let found = answers.first().map_or("", String::as_str);
    if found == member.id.as_str() {
        return Ok(());
    }
    Err(Error::Replaced {
        at: format!("pod {} at {}", member.pod, endpoint(member)),
        expected: member.id.to_string(),
        found: found.chars().take(8).collect(),
    })
}

fn endpoint(member: &Member) -> SocketAddr {
    SocketAddr::new(member.address.ip, member.address.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vanished_node_is_told_in_one_way_however_the_kernel_puts_it() {
        let told = |code| {
            let error = std::io::Error::from_raw_os_error(code);
            Error::from_redis(error.into(), "pod eaiser-redis-0-0", "CLUSTER NODES").to_string()
        };
        let (timed_out, no_route, refused) = (told(110), told(113), told(111));
        assert_eq!(timed_out, no_route);
        assert_ne!(timed_out, refused, "somebody is there and says no");
    }
}
