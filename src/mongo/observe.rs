//! Asks every member at once what it knows. IO; never fails: what goes wrong becomes that member's view.

mod users;

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connections::{ANSWER_TIMEOUT, Connections};
use super::driver::failure::Failure;
use super::keyfile;
use super::reply;
use super::topology::{Observed, Topology, View};
use super::users::{User, UserName, UserState};
use super::wanted::ApplicationUser;
use crate::password::Password;
use crate::silence::is_silence;

/// Longest wait for everything one member is asked.
pub(super) const MEMBER_TIMEOUT: Duration = Duration::from_secs(3);

/// One pod to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pod name.
    pub pod: String,
    /// Name and port the set knows it by.
    pub host: String,
    /// Where to dial it; none while the pod has no address.
    pub address: Option<SocketAddr>,
    /// The pod is being deleted.
    pub terminating: bool,
}

/// What observing needs to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Content of the keyfile all members share.
    pub keyfile: Password,
    /// The user whose login is tried on the primary.
    pub application_user: ApplicationUser,
    /// All other wanted users, whose logins are tried too.
    pub users: Vec<User>,
    /// Users that are looked for by name and not wanted, or not yet.
    pub asked_for: Vec<UserName>,
}

/// Asks all targets at once. Takes as long as the slowest, at most eight seconds.
pub async fn topology(targets: &[Target], credentials: &Credentials, connections: &Connections) -> Topology {
    connections.keep_only(|host| targets.iter().any(|target| target.host == host));
    let keys = keyfile::keys(&credentials.keyfile);
    let members = join_all(targets.iter().map(|target| observed(target, &keys, connections))).await;
    let mut topology = Topology { members, application_user: UserState::Unknown, users: None };
    let primary = topology.primary().map(|(observed, _)| observed.host.clone());
    if let Some(target) = targets.iter().find(|target| Some(&target.host) == primary.as_ref()) {
        let seen = users::observe(target, credentials, connections);
        if let Ok(Some((application_user, others))) = timeout(MEMBER_TIMEOUT, seen).await {
            topology.application_user = application_user;
            topology.users = Some(others);
        }
    }
    topology
}

async fn observed(target: &Target, keys: &[Password], connections: &Connections) -> Observed {
    let view = match target.address {
        None => View::Unreachable { reason: "the pod has no address yet".to_owned() },
        Some(address) => dialled(&target.host, address, keys, connections).await,
    };
    if matches!(view, View::Unreachable { .. } | View::Refused { .. }) {
        connections.forget(&target.host);
    }
    Observed { pod: target.pod.clone(), host: target.host.clone(), terminating: target.terminating, view }
}

async fn dialled(host: &str, address: SocketAddr, keys: &[Password], connections: &Connections) -> View {
    // The driver goes on dialling a closed port until its time is up; this says at once what is wrong.
    if connections.known(host).is_none() {
        match timeout(ANSWER_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if !is_silence(error.kind()) => {
                return View::Unreachable { reason: error.to_string() };
            }
            Ok(Err(_)) | Err(_) => return no_answer(),
        }
    }
    let mut seen = View::Refused { reason: "the keyfile holds no key".to_owned() };
    for key in in_order(keys, connections.key(host, address).as_ref()) {
        seen = match connections.member(host, address, key) {
            Ok(client) => timeout(MEMBER_TIMEOUT, view(&client)).await.unwrap_or_else(|_| no_answer()),
            Err(error) => Failure::of(&error).into_view(),
        };
        if !matches!(seen, View::Refused { .. }) {
            break;
        }
    }
    seen
}

/// The key that works is kept. Else the newest comes first: that it is accepted tells that the member
/// has started with it, and during a rotation it may not have.
fn in_order<'a>(keys: &'a [Password], known: Option<&Password>) -> Vec<&'a Password> {
    match keys.iter().find(|key| Some(*key) == known) {
        Some(key) => vec![key],
        None => keys.iter().rev().collect(),
    }
}

fn no_answer() -> View {
    View::Unreachable { reason: format!("no answer within {} s", MEMBER_TIMEOUT.as_secs()) }
}

async fn view(client: &Client) -> View {
    let status = match ask(client, "admin", doc! { "replSetGetStatus": 1 }).await {
        Ok(status) => Some(status),
        Err(Failure::Command { code: Failure::NOT_YET_INITIALIZED, .. }) => {
            return without_configuration(client).await;
        }
        Err(Failure::Command { code: Failure::INVALID_REPLICA_SET_CONFIG, .. }) => None,
        Err(failure) => return failure.into_view(),
    };
    match ask(client, "admin", doc! { "replSetGetConfig": 1 }).await {
        Ok(config) => reply::member(&config, status.as_ref()).map_or_else(
            |malformed| View::Unreachable { reason: format!("odd answer: {malformed}") },
            |member| View::Member(Box::new(member)),
        ),
        Err(failure) => failure.into_view(),
    }
}

/// A mongod that has just started says "not yet initialized" until it has loaded the configuration
/// on its disk, which can take as long as name resolution does. Taking that for an empty member
/// would initiate a second set, so its disk is asked.
async fn without_configuration(client: &Client) -> View {
    let stored = doc! { "find": "system.replset", "limit": 1, "singleBatch": true };
    match ask(client, "local", stored).await {
        Ok(reply) => match reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")) {
            Ok(stored) if stored.is_empty() => View::NotInitialized,
            Ok(_) => {
                View::Unreachable { reason: "it is still loading its replica set configuration".to_owned() }
            }
            Err(_) => {
                View::Unreachable { reason: "odd answer: field cursor.firstBatch is missing".to_owned() }
            }
        },
        Err(failure) => failure.into_view(),
    }
}

pub(super) fn ask(
    client: &Client,
    database: &str,
    command: Document,
) -> impl Future<Output = Result<Document, Failure>> {
    let database = client.database(database);
    async move { database.run_command(command).into_future().await.map_err(|error| Failure::of(&error)) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    fn credentials() -> Credentials {
        let application_user = ApplicationUser {
            name: "app".into(),
            database: "shop".into(),
            password: Password::new("user-secret"),
        };
        let keyfile = Password::new("keyfile-secret");
        Credentials { keyfile, application_user, users: Vec::new(), asked_for: Vec::new() }
    }

    fn target(pod: &str, address: Option<SocketAddr>) -> Target {
        Target { pod: pod.into(), host: format!("{pod}:27017"), address, terminating: false }
    }

    async fn reason(address: Option<SocketAddr>) -> String {
        let seen = topology(&[target("db-0", address)], &credentials(), &Connections::new()).await;
        assert_eq!((seen.application_user, seen.users.clone()), (UserState::Unknown, None));
        let View::Unreachable { reason } = &seen.members[0].view else { panic!("reached {seen:?}") };
        assert!(!reason.contains("secret"), "{reason}");
        reason.clone()
    }

    #[tokio::test]
    async fn a_pod_without_an_address_is_told_apart() {
        assert_eq!(reason(None).await, "the pod has no address yet");
    }

    #[tokio::test]
    async fn a_closed_port_is_an_unreachable_member_that_says_why() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // Spawned, because reconciling moves between threads.
        let reason = tokio::spawn(reason(Some(closed))).await.unwrap();
        assert!(reason.contains("Connection refused"), "{reason}");
        assert!(reason.len() < 120, "{reason}");
    }

    #[tokio::test]
    async fn silent_members_are_waited_for_at_the_same_time() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let targets = ["db-0", "db-1", "db-2"].map(|pod| target(pod, silent.local_addr().ok()));
        let began = Instant::now();
        let seen = topology(&targets, &credentials(), &Connections::new()).await;
        assert!(seen.members.iter().all(|observed| matches!(observed.view, View::Unreachable { .. })));
        assert!(began.elapsed() < MEMBER_TIMEOUT * 2, "{:?}", began.elapsed());
    }
}
