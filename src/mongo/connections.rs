//! One client per member, kept between passes so that a settled set is not dialled again. IO.
//!
//! Clients talk to exactly one mongod by address, whatever state it is in, as the internal user
//! `__system`: every member accepts the keyfile as that user's password before any user exists. A
//! member that takes TLS is dialled by its name instead, which its certificate must bear.

mod trust;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::options::{
    AuthMechanism, ClientOptions, Credential, ServerAddress, ServerMonitoringMode, Tls, TlsOptions,
};

use super::inspect::Known;
use super::users::{User, UserName};
use super::version::Version;
use super::work::Works;
use crate::password::Password;
use trust::Authorities;
pub use trust::Trust;

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
    trust: Mutex<Trusted>,
    inspected: Mutex<Option<Known>>,
    works: Mutex<Works>,
}

/// What the server would not make of a user.
struct Refusal {
    /// Fingerprint of what was wanted.
    wanted: [u8; 32],
    reason: String,
    until: Instant,
}

#[derive(Default)]
struct Trusted {
    trust: Trust,
    authorities: Option<Arc<Authorities>>,
}

struct Entry {
    address: SocketAddr,
    key: Password,
    client: Client,
    /// Whom it trusts; none where it speaks plainly. The driver may read the file at any time.
    authorities: Option<Arc<Authorities>>,
    version: Option<Version>,
}

/// Digest of everything a login depends on: password, stored credentials and primary.
pub(super) type Login = [u8; 32];

impl Connections {
    /// No client yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The client of a host, dialled anew when its address or the key changed.
    pub(super) fn member(
        &self,
        host: &str,
        address: SocketAddr,
        key: &Password,
    ) -> Result<Client, mongodb::error::Error> {
        let authorities = self.authorities(host);
        let mut members = lock(&self.members);
        if let Some(entry) = members.get(host)
            && entry.address == address
            && entry.key == *key
            && same(entry.authorities.as_ref(), authorities.as_ref())
        {
            return Ok(entry.client.clone());
        }
        let server = server(host, address, authorities.as_deref());
        let client = connect(server, "__system", "local", key.expose().to_owned())?;
        let entry = Entry { address, key: key.clone(), client: client.clone(), authorities, version: None };
        members.insert(host.to_owned(), entry);
        Ok(client)
    }

    /// A client for somebody else, which nobody keeps.
    pub(super) fn client(
        &self,
        (host, address): (&str, SocketAddr),
        user: &str,
        source: &str,
        password: String,
    ) -> Result<Client, mongodb::error::Error> {
        let authorities = self.authorities(host);
        connect(server(host, address, authorities.as_deref()), user, source, password)
    }

    /// Says which members take TLS from now on. Connections that were made otherwise are made anew.
    ///
    /// # Errors
    /// The authorities could not be written down; every connection stays as it was.
    pub fn set_trust(&self, trust: Trust) -> std::io::Result<()> {
        let mut trusted = lock(&self.trust);
        if trust.hosts.is_empty() {
            trusted.authorities = None;
        } else if trusted.authorities.as_ref().is_none_or(|known| !known.are(&trust.authorities)) {
            trusted.authorities = Some(Arc::new(Authorities::new(&trust.authorities)?));
        }
        trusted.trust = trust;
        Ok(())
    }

    fn authorities(&self, host: &str) -> Option<Arc<Authorities>> {
        let trusted = lock(&self.trust);
        trusted.authorities.clone().filter(|_| trusted.trust.hosts.contains(host))
    }

    /// The key by which the member at this address was logged in to last.
    pub(super) fn key(&self, host: &str, address: SocketAddr) -> Option<Password> {
        let members = lock(&self.members);
        members.get(host).filter(|entry| entry.address == address).map(|entry| entry.key.clone())
    }

    /// The key that each member accepted, by host.
    pub fn logins(&self) -> BTreeMap<String, Password> {
        lock(&self.members).iter().map(|(host, entry)| (host.clone(), entry.key.clone())).collect()
    }

    /// The client last used for a host.
    pub(super) fn known(&self, host: &str) -> Option<Client> {
        lock(&self.members).get(host).map(|entry| entry.client.clone())
    }

    /// Another client of a host, for what occupies a connection for long.
    pub(super) fn another(&self, host: &str) -> Option<Client> {
        let members = lock(&self.members);
        let entry = members.get(host)?;
        let server = server(host, entry.address, entry.authorities.as_deref());
        connect(server, "__system", "local", entry.key.expose().to_owned()).ok()
    }

    /// Version of the member behind the client last used for a host.
    pub(super) fn version(&self, host: &str) -> Option<Version> {
        lock(&self.members).get(host).and_then(|entry| entry.version)
    }

    pub(super) fn set_version(&self, host: &str, version: Version) {
        if let Some(entry) = lock(&self.members).get_mut(host) {
            entry.version = Some(version);
        }
    }

    /// What the primary said of versions and indexes last.
    pub(super) fn inspected(&self) -> Option<Known> {
        lock(&self.inspected).clone()
    }

    pub(super) fn set_inspected(&self, known: Known) {
        *lock(&self.inspected) = Some(known);
    }

    pub(super) fn forget_inspected(&self) {
        *lock(&self.inspected) = None;
    }

    /// What takes longer than a pass.
    pub(super) fn works(&self) -> MutexGuard<'_, Works> {
        lock(&self.works)
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

fn same(one: Option<&Arc<Authorities>>, other: Option<&Arc<Authorities>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Where to dial, and how.
struct Server {
    address: ServerAddress,
    tls: Option<Tls>,
}

/// The driver judges a certificate by the name it dials; a plain connection needs no name server.
fn server(host: &str, address: SocketAddr, authorities: Option<&Authorities>) -> Server {
    let Some(authorities) = authorities else {
        let host = address.ip().to_string();
        return Server { address: ServerAddress::Tcp { host, port: Some(address.port()) }, tls: None };
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
    let options = TlsOptions::builder().ca_file_path(authorities.path()).build();
    Server {
        address: ServerAddress::Tcp { host: name, port: Some(address.port()) },
        tls: Some(Tls::Enabled(options)),
    }
}

/// A client of exactly one server, with one connection besides the driver's own probe.
fn connect(
    server: Server,
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
    let options = ClientOptions::builder()
        .hosts(vec![server.address])
        .tls(server.tls)
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
