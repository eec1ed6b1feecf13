//! Leader election on a `Lease`: of several operators one writes, and another takes over when it
//! stops. IO; [`claim`] decides.
//!
//! Every write names the version it was decided on, so of two that want the lease one gets it. A
//! conflict is not asked about: the watch on the lease brings what the other one wrote. A process
//! that loses the lease goes back to standing by, with its caches kept warm, instead of exiting:
//! the fence has stopped its writes by then, and a pod that exits during every outage of the API
//! server would come back later each time.

pub mod claim;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Client, ResourceExt};

use crate::fence::Fence;
use claim::{Act, Record, Turn};

/// Longest wait for the answer to one write; two fit between a renewal's due time and the end of
/// the right to write.
const ANSWER: Duration = Duration::from_millis(2500);

/// How soon the broken watch of the lease is opened again: always soon, for who does not see the lease
/// cannot take it over.
struct Soon;

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(claim::RETRY)
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {}
}

/// One process' candidacy.
pub struct Election {
    api: Api<Lease>,
    namespace: String,
    name: String,
    identity: String,
    fence: Fence,
    /// The lease as last seen; none before the first list and while there never was one.
    lease: Option<Lease>,
    record: Option<Record>,
    /// When a write that failed was sent.
    attempt: Option<Instant>,
    /// The watch has delivered its first list, and while it delivers another, whether the lease was
    /// in it.
    listed: bool,
    found: bool,
}

impl Election {
    /// A candidate of that name for the lease.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, fence: Fence) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            fence,
            lease: None,
            record: None,
            attempt: None,
            listed: false,
            found: false,
        }
    }

    /// Stands by, leads while it can, and stands by again, until `stop`; then releases the lease.
    /// `alive` is called on every turn.
    pub async fn run(mut self, stop: impl Future<Output = ()>, alive: impl Fn()) {
        let only_ours = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let events = watch(self.api.clone(), only_ours).backoff(Soon);
        self.follow(events, stop, alive).await;
        self.release().await;
    }

    async fn follow(
        &mut self,
        events: impl Stream<Item = watcher::Result<Event<Lease>>>,
        stop: impl Future<Output = ()>,
        alive: impl Fn(),
    ) {
        let mut events = pin!(events);
        let mut stop = pin!(stop);
        loop {
            alive();
            let now = Instant::now();
            let turn = claim::next(self.record.as_ref(), &self.identity, self.attempt, now);
            let wake = turn.at.min(now + claim::RENEW);
            tokio::select! {
                biased;
                () = &mut stop => return,
                event = events.next() => match event {
                    Some(Ok(event)) => self.note(event),
                    Some(Err(error)) => tracing::warn!(%error, "watch of the lease interrupted; it is resumed"),
                    None => return,
                },
                () = tokio::time::sleep_until(wake.into()) => self.act(turn).await,
            }
        }
    }

    /// Takes in what the watch brought.
    fn note(&mut self, event: Event<Lease>) {
        match event {
            Event::Init => self.found = false,
            Event::InitApply(lease) => {
                self.found = true;
                self.see(lease);
            }
            Event::InitDone => {
                self.listed = true;
                if !self.found {
                    self.gone();
                }
            }
            Event::Apply(lease) => self.see(lease),
            Event::Delete(_) => self.gone(),
        }
    }

    fn see(&mut self, lease: Lease) {
        // Our own writes come back, and what we overtook comes late.
        if self.lease.as_ref().is_some_and(|known| version(&lease) <= version(known)) {
            return;
        }
        let ours = holder(&lease) == Some(self.identity.as_str());
        // A renewal whose answer was lost: it is ours, but when it was sent is not known any more.
        let since = self.record.as_ref().filter(|_| ours).map_or_else(Instant::now, |record| record.since);
        if !ours && self.holds() {
            self.fence.close();
        }
        self.remember(lease, since);
    }

    fn gone(&mut self) {
        if let Some(record) = self.record.as_mut() {
            record.exists = false;
        }
    }

    fn remember(&mut self, lease: Lease, since: Instant) {
        let spec = lease.spec.as_ref();
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|s| u64::try_from(s).ok());
        self.record = Some(Record {
            holder: holder(&lease).map(str::to_owned),
            lasts: seconds.map_or(claim::LEASE, Duration::from_secs),
            since,
            exists: true,
        });
        self.lease = Some(lease);
    }

    /// Whether the lease is ours, as far as we know.
    fn holds(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.holder.as_deref() == Some(self.identity.as_str()))
    }

    async fn act(&mut self, turn: Turn) {
        let sent = Instant::now();
        if !self.listed || sent < turn.at {
            return;
        }
        let taken_over = turn.act != Act::Renew;
        let body = self.body(turn.act);
        let name = self.name.clone();
        let parameters = PostParams::default();
        let written = match turn.act {
            Act::Create => tokio::time::timeout(ANSWER, self.api.create(&parameters, &body)).await,
            Act::Acquire | Act::Renew => {
                tokio::time::timeout(ANSWER, self.api.replace(&name, &parameters, &body)).await
            }
        };
        match written {
            Ok(Ok(lease)) => {
                self.attempt = None;
                self.remember(lease, sent);
                self.fence.hold_until(claim::may_write_until(sent));
                if taken_over {
                    tracing::info!(lease = self.name, identity = self.identity, "leading");
                }
            }
            Ok(Err(error)) => self.failed(sent, &error.to_string()),
            Err(_) => self.failed(sent, "no answer"),
        }
    }

    fn failed(&mut self, sent: Instant, error: &str) {
        self.attempt = Some(sent);
        tracing::warn!(lease = self.name, error, "the lease could not be written; trying again");
    }

    /// The lease as we want it, in the version we know.
    #[allow(clippy::disallowed_methods, reason = "for people who read the lease; nothing is decided by it")]
    fn body(&self, act: Act) -> Lease {
        let now = MicroTime(Timestamp::now());
        let known = self.lease.as_ref().filter(|_| act != Act::Create);
        let spec = known.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let transitions = spec.lease_transitions.unwrap_or(0);
        let renewed = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(claim::LEASE.as_secs()).ok(),
            renew_time: Some(now.clone()),
            ..spec
        };
        let spec = match act {
            Act::Renew => renewed,
            Act::Create | Act::Acquire => LeaseSpec {
                acquire_time: Some(now),
                lease_transitions: Some(known.map_or(0, |_| transitions + 1)),
                ..renewed
            },
        };
        let metadata = known.map_or_else(
            || ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            |lease| lease.metadata.clone(),
        );
        Lease { metadata, spec: Some(spec) }
    }

    /// Gives the lease back, so that a standby takes over at once.
    async fn release(mut self) {
        self.fence.close();
        let Some(mut lease) = self.lease.take().filter(|_| self.holds()) else {
            return;
        };
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = None;
        }
        let written =
            tokio::time::timeout(ANSWER, self.api.replace(&self.name, &PostParams::default(), &lease)).await;
        match written {
            Ok(Ok(_)) => tracing::info!(lease = self.name, "released the lease"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not released; it runs out"),
            Err(_) => tracing::warn!("the lease was not released: no answer; it runs out"),
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

/// Versions of one object grow; the API server promises that they compare as numbers.
fn version(lease: &Lease) -> u64 {
    lease.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
