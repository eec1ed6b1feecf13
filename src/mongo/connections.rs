//! One client per member, kept between passes so that a settled set is not dialled again. IO.
//!
//! Clients talk to exactly one mongod by address, whatever state it is in, as the internal user
//! `__system`: every member accepts the keyfile as that user's password before any user exists.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress, ServerMonitoringMode};

use super::users::{User, UserName};
use crate::password::Password;

/// Longest wait for a dial and for an answer to the driver's own probe.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The driver probes each server it knows; a pass notices by itself when one is gone.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How long a command about a user that was refused is not repeated: what it lacks, such as a role, is
/// made by people.
const REFUSED_FOR: Duration = Duration::from_secs(30);
const APP_NAME: &str = "eaiser-operator";

/// The clients of one cluster. Dropping it closes them.
#[derive(Default)]
pub struct Connections {
    members: Mutex<HashMap<String, Entry>>,
    verified_logins: Mutex<HashMap<UserName, Login>>,
    refusals: Mutex<HashMap<UserName, Refusal>>,
}

/// What the server would not make of a user.
struct Refusal {
    /// Fingerprint of what was wanted.
    wanted: [u8; 32],
    reason: String,
    until: Instant,
}

struct Entry {
    address: SocketAddr,
    keyfile: Password,
    client: Client,
}

/// Digest of everything a login depends on: password, stored credentials and primary.
pub(super) type Login = [u8; 32];

impl Connections {
    /// No client yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The client of a host, dialled anew when its address or the keyfile changed.
    pub(super) fn member(
        &self,
        host: &str,
        address: SocketAddr,
        keyfile: &Password,
    ) -> Result<Client, mongodb::error::Error> {
        let mut members = lock(&self.members);
        if let Some(entry) = members.get(host)
            && entry.address == address
            && entry.keyfile == *keyfile
        {
            return Ok(entry.client.clone());
        }
        // mongod ignores white space in a keyfile, and a Secret often ends in a line break.
        let key: String = keyfile.expose().split_whitespace().collect();
        let client = client(address, "__system", "local", key)?;
        members.insert(host.to_owned(), Entry { address, keyfile: keyfile.clone(), client: client.clone() });
        Ok(client)
    }

    /// The client last used for a host.
    pub(super) fn known(&self, host: &str) -> Option<Client> {
        lock(&self.members).get(host).map(|entry| entry.client.clone())
    }

    /// Drops the client of a member that did not answer; a login is tried again after that.
    pub(super) fn forget(&self, host: &str) {
        if lock(&self.members).remove(host).is_some() {
            lock(&self.verified_logins).clear();
        }
    }

    /// Drops the clients of all other hosts.
    pub(super) fn keep_only(&self, is_kept: impl Fn(&str) -> bool) {
        lock(&self.members).retain(|host, _| is_kept(host));
    }

    pub(super) fn is_verified(&self, user: &UserName, login: &Login) -> bool {
        lock(&self.verified_logins).get(user) == Some(login)
    }

    pub(super) fn set_verified(&self, user: UserName, login: Login) {
        lock(&self.verified_logins).insert(user, login);
    }

    /// The server refused to make the user as wanted; it is not asked again for a while.
    pub(super) fn refused(&self, user: User, reason: String, now: Instant) {
        let refusal = Refusal { wanted: user.fingerprint(), reason, until: now + REFUSED_FOR };
        lock(&self.refusals).insert(user.name, refusal);
    }

    /// Why the server refused this very user a moment ago.
    pub(super) fn refusal(&self, user: &User, now: Instant) -> Option<String> {
        let refusals = lock(&self.refusals);
        let refusal = refusals.get(&user.name)?;
        let holds = now < refusal.until && refusal.wanted == user.fingerprint();
        holds.then(|| refusal.reason.clone())
    }
}

/// A client of exactly one server, with one connection besides the driver's own probe.
pub(super) fn client(
    address: SocketAddr,
    user: &str,
    source: &str,
    password: String,
) -> Result<Client, mongodb::error::Error> {
    let credential = Credential::builder()
        .username(user.to_owned())
        .source(source.to_owned())
        .password(password)
        .mechanism(AuthMechanism::ScramSha256)
        .build();
    let server = ServerAddress::Tcp { host: address.ip().to_string(), port: Some(address.port()) };
    let options = ClientOptions::builder()
        .hosts(vec![server])
        .app_name(APP_NAME.to_owned())
        // No set name: a mismatch, or a member without a configuration, would count as unknown.
        .direct_connection(true)
        .credential(credential)
        .connect_timeout(ANSWER_TIMEOUT)
        .server_selection_timeout(ANSWER_TIMEOUT)
        .heartbeat_freq(HEARTBEAT)
        .server_monitoring_mode(ServerMonitoringMode::Poll)
        .max_pool_size(1)
        .retry_reads(false)
        .retry_writes(false)
        .build();
    Client::with_options(options)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one map operation, so a poisoned map is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::fixture::wanted;

    #[test]
    fn a_refused_user_is_left_alone_for_a_while_unless_something_else_is_wanted_of_it() {
        let (connections, now) = (Connections::new(), Instant::now());
        let user = wanted(1).application_user.user();
        connections.refused(user.clone(), "no such role".to_owned(), now);
        assert_eq!(connections.refusal(&user, now).as_deref(), Some("no such role"));
        assert_eq!(connections.refusal(&user, now + REFUSED_FOR), None);
        let corrected = User { roles: std::collections::BTreeSet::new(), ..user.clone() };
        assert_eq!(connections.refusal(&corrected, now), None);
        let renewed = User { password: Password::new("other"), ..user };
        assert_eq!(connections.refusal(&renewed, now), None);
    }
}
