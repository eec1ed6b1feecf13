//! What `/healthz` and `/readyz` answer. Plain data behind a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The election takes a turn at least every few seconds, even while the API server is away.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// How the process' tasks are.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The last turn of the election; none without one.
    turn: Option<Instant>,
    watch_ended: bool,
    resource_missing: bool,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The election took a turn.
    pub fn election_turned(&self, now: Instant) {
        self.state().turn = Some(now);
    }

    /// A watch ended; none ever should.
    pub fn watch_ended(&self) {
        self.state().watch_ended = true;
    }

    /// Whether the API server serves the custom resource; true when that is news.
    pub fn custom_resource_served(&self, served: bool) -> bool {
        let mut state = self.state();
        let news = state.resource_missing == served;
        state.resource_missing = !served;
        news
    }

    /// Whether the process can do its work; if not, why a restart may help.
    ///
    /// # Errors
    /// A task of the process is dead.
    pub fn live(&self, now: Instant) -> Result<(), String> {
        let state = self.state();
        if state.watch_ended {
            return Err("a watch has ended".to_owned());
        }
        match state.turn.map(|turn| now.saturating_duration_since(turn)) {
            Some(silent) if silent > LONGEST_TURN => {
                Err(format!("the leader election has taken no turn for {} s", silent.as_secs()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the process knows the world; `unfilled` are the kinds whose first list is missing.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self, unfilled: &[String]) -> Result<(), String> {
        if self.state().resource_missing {
            return Err(
                "the API server does not serve eaiserclusters.eaiser.io: install the CRD (`eaiser crd | kubectl apply --server-side -f -`)"
                    .to_owned(),
            );
        }
        if unfilled.is_empty() {
            return Ok(());
        }
        Err(format!("waiting for the first list of {}", unfilled.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_live_until_its_election_stops_turning() {
        let (health, now) = (Health::default(), Instant::now());
        assert_eq!(health.live(now), Ok(()), "without an election there is nothing to wait for");
        health.election_turned(now);
        assert_eq!(health.live(now + LONGEST_TURN), Ok(()));
        let dead = health.live(now + LONGEST_TURN + Duration::from_secs(1)).unwrap_err();
        assert!(dead.contains("no turn for 31 s"), "{dead}");
    }

    #[test]
    fn a_process_whose_watch_ended_is_not_live() {
        let health = Health::default();
        health.watch_ended();
        assert_eq!(health.live(Instant::now()), Err("a watch has ended".to_owned()));
    }

    #[test]
    fn readiness_names_the_missing_resource_and_then_the_kinds_that_are_not_listed_yet() {
        let health = Health::default();
        let unfilled = ["Pod".to_owned(), "Secret".to_owned()];
        assert!(health.custom_resource_served(false), "the first failure is news");
        assert!(!health.custom_resource_served(false), "the second is none");
        assert!(health.ready(&unfilled).unwrap_err().contains("eaiserclusters.eaiser.io"));
        assert!(health.custom_resource_served(true));
        assert_eq!(health.ready(&unfilled), Err("waiting for the first list of Pod, Secret".to_owned()));
        assert_eq!(health.ready(&[]), Ok(()));
    }
}
