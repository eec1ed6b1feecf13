//! One client per member, kept between passes so that a settled set is not dialled again. IO.
//!
//! Clients talk to exactly one mongod by address, whatever state it is in, as the internal user
//! `__system`: every member accepts the keyfile as that user's password before any user exists.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::Client;
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress, ServerMonitoringMode};

use super::inspect::Known;
use super::version::Version;
use super::work::Works;
use crate::password::Password;

/// Longest wait for a dial and for an answer to the driver's own probe.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The driver probes each server it knows; a pass notices by itself when one is gone.
const HEARTBEAT: Duration = Duration::from_secs(60);
const APP_NAME: &str = "eaiser-operator";

/// The clients of one cluster. Dropping it closes them.
#[derive(Default)]
pub struct Connections {
    members: Mutex<HashMap<String, Entry>>,
    verified_login: Mutex<Option<Login>>,
    inspected: Mutex<Option<Known>>,
    works: Mutex<Works>,
}

struct Entry {
    address: SocketAddr,
    keyfile: Password,
    client: Client,
    version: Option<Version>,
}

/// Digest of everything a login depends on: user, password, stored credentials and primary.
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
        let client = system_client(address, keyfile)?;
        let entry = Entry { address, keyfile: keyfile.clone(), client: client.clone(), version: None };
        members.insert(host.to_owned(), entry);
        Ok(client)
    }

    /// The client last used for a host.
    pub(super) fn known(&self, host: &str) -> Option<Client> {
        lock(&self.members).get(host).map(|entry| entry.client.clone())
    }

    /// Another client of a host, for what occupies a connection for long.
    pub(super) fn another(&self, host: &str) -> Option<Client> {
        lock(&self.members).get(host).and_then(|entry| system_client(entry.address, &entry.keyfile).ok())
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
            *lock(&self.verified_login) = None;
        }
    }

    /// Drops the clients of all other hosts.
    pub(super) fn keep_only(&self, is_kept: impl Fn(&str) -> bool) {
        lock(&self.members).retain(|host, _| is_kept(host));
    }

    pub(super) fn is_verified(&self, login: &Login) -> bool {
        lock(&self.verified_login).as_ref() == Some(login)
    }

    pub(super) fn set_verified(&self, login: Login) {
        *lock(&self.verified_login) = Some(login);
    }
}

fn system_client(address: SocketAddr, keyfile: &Password) -> Result<Client, mongodb::error::Error> {
    // mongod ignores white space in a keyfile, and a Secret often ends in a line break.
    let key: String = keyfile.expose().split_whitespace().collect();
    client(address, "__system", "local", key)
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
