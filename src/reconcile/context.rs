//! What passes share: the client, the caches, and what is remembered of each cluster. IO.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;

use super::Guarded;
use super::pace::{Next, Outcome, Pace};
use super::report::Published;
use crate::apply::Memory;
use crate::drive::readiness::tell::Told;
use crate::drive::storage::ask::Asked;
use crate::fence::Fence;
use crate::mongo::failover::Failovers;
use crate::plan::Plan;
use crate::runtime::caches::Caches;
use crate::runtime::health::Health;
use crate::runtime::metrics::Metrics;
use crate::settings::Settings;
use crate::snapshot::certificates::SelfSigned;
use crate::snapshot::take::Connections;
use crate::snapshot::{Children, Credentials, References};

/// Shared by all passes.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Live objects, kept current by watches.
    pub caches: Caches,
    /// Operator-wide settings.
    pub settings: Settings,
    /// Events about the clusters.
    pub recorder: Recorder,
    /// Counters of the operator itself.
    pub metrics: Metrics,
    /// The right to write.
    pub fence: Fence,
    /// How the process is.
    pub health: Health,
    /// Rhythm of the passes, per cluster.
    pub paces: Paces,
    /// Failures in a row, per cluster.
    pub failures: Failures,
    /// What is remembered of each cluster, by uid.
    pub sessions: Mutex<HashMap<String, Arc<Session>>>,
}

/// What is remembered of one cluster between passes. Losing it costs time, never correctness.
#[derive(Default)]
pub struct Session {
    /// Own writes that the watches have not shown yet.
    pub memory: Memory,
    /// Open database connections. Passes over one object never overlap, so the lock is never waited for.
    pub connections: tokio::sync::Mutex<Connections>,
    /// The status written last; the watch may not have shown it yet.
    pub published: Published,
    /// What was asked of volume claims.
    pub asked: Asked,
    /// What was told of database pods.
    pub told: Told,
    /// Who was primary, and how long nobody is.
    pub failovers: Mutex<Failovers>,
    drawn: Mutex<Option<Credentials>>,
    self_signed: Mutex<Option<SelfSigned>>,
}

impl Session {
    /// The cluster's credentials. What is drawn stays the same until its Secrets come back through
    /// the watch, or two passes would write two passwords.
    pub fn credentials(&self, plan: &Plan, children: &Children, references: &References) -> Credentials {
        let identity = &plan.identity;
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = drawn.get_or_insert_with(|| Credentials::draw(fill_randomly)).clone();
        let live = current.or_live(identity, children);
        let live = live.with_users(&plan.mongodb.users, (identity, children), references, fill_randomly);
        let mongodb_application =
            live.mongodb_application.with_unused_spare(&live.mongodb_password, &mut fill_randomly);
        let mut credentials = Credentials { mongodb_application, ..live };
        if credentials.has_used_next_key() {
            credentials.mongodb_next_key = Credentials::draw(fill_randomly).mongodb_next_key;
        }
        *drawn = Some(credentials.clone());
        credentials
    }

    /// A certificate of our own, made from the one of the pass before: as with passwords, two passes
    /// must not write two.
    pub fn self_signed<E>(
        &self,
        make: impl FnOnce(Option<SelfSigned>) -> Result<SelfSigned, E>,
    ) -> Result<SelfSigned, E> {
        let mut drawn = self.self_signed.lock().unwrap_or_else(PoisonError::into_inner);
        let result = make(drawn.take())?;
        *drawn = Some(result.clone());
        Ok(result)
    }
}

/// Randomness of the operating system. Without it no password may be made, so the process ends.
#[allow(clippy::expect_used, reason = "a guessable password is worse than a crash")]
fn fill_randomly(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system gives no random bytes");
}

impl Context {
    /// What is remembered of the cluster.
    pub fn session(&self, uid: &str) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.entry(uid.to_owned()).or_default().clone()
    }

    /// Drops what is remembered of a deleted cluster.
    pub fn forget(&self, uid: &str) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.failures.reset(uid);
    }

    /// Drops what is remembered of all clusters: another operator acts, and nothing of it holds.
    pub fn forget_all(&self) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.paces.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The time that status and events carry.
    #[allow(
        clippy::disallowed_methods,
        reason = "the time a pass tells people; only the age of an object is told elsewhere"
    )]
    pub fn now(&self) -> Time {
        Time(Timestamp::now())
    }
}

/// Rhythm of the passes, per cluster.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<ObjectRef<Guarded>, Pace>>);

impl Paces {
    /// A watch brought a change.
    pub fn touched(&self, cluster: &ObjectRef<Guarded>) {
        if let Some(pace) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(cluster) {
            pace.touched();
        }
    }

    /// A pass is about to begin; if it must be put off, for how long.
    pub fn begin(&self, cluster: &ObjectRef<Guarded>, generation: Option<i64>) -> Option<Duration> {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(cluster.clone()).or_insert_with(|| Pace::new(now)).begin(generation, now)
    }

    /// A pass has ended.
    pub fn end(&self, cluster: &ObjectRef<Guarded>, outcome: Outcome) -> Next {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(cluster.clone()).or_insert_with(|| Pace::new(now)).end(outcome, now)
    }

    /// The cluster is gone.
    pub fn forget(&self, cluster: &ObjectRef<Guarded>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
    }
}

/// Delay after the first failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// Longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Failures in a row, per cluster uid.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// Counts a failure and says how long to wait: doubling from half a second to half a minute.
    pub fn next_delay(&self, uid: &str) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(uid.to_owned()).or_default();
        let delay = FIRST_DELAY.saturating_mul(1 << (*count).min(10)).min(LONGEST_DELAY);
        *count += 1;
        delay
    }

    /// A pass succeeded.
    pub fn reset(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_half_a_minute_and_start_anew_after_a_success() {
        let failures = Failures::default();
        let delays: Vec<_> = (0..9).map(|_| failures.next_delay("a").as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        failures.reset("a");
        assert_eq!(failures.next_delay("a").as_millis(), 500);
    }
}
