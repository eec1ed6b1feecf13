//! What `/healthz` and `/readyz` answer. Plain data behind a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The election takes a turn at least every few seconds, even while the API server is away.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// How the process' tasks are.
#[derive(Debug)]
pub struct Health {
    state: Mutex<State>,
    clusters_listed: watch::Sender<bool>,
}

impl Default for Health {
    fn default() -> Self {
        Self { state: Mutex::default(), clusters_listed: watch::Sender::new(false) }
    }
}

#[derive(Debug, Default)]
struct State {
    /// The last turn of the election; none without one.
    turn: Option<Instant>,
    watch_ended: bool,
    resource_missing: bool,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch of the clusters has delivered its first full list.
    pub fn clusters_are_listed(&self) {
        self.clusters_listed.send_if_modified(|listed| !std::mem::replace(listed, true));
    }

    /// Returns when the clusters are listed. A store's own `wait_until_ready` wakes only the last of
    /// those who wait for it, and the controller is one.
    pub async fn clusters_listed(&self) {
        // The sender lives as long as self, so waiting cannot fail.
        let _ = self.clusters_listed.subscribe().wait_for(|listed| *listed).await;
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
        let clusters = (!*self.clusters_listed.borrow()).then(|| "EaiserCluster".to_owned());
        let missing: Vec<String> = clusters.into_iter().chain(unfilled.iter().cloned()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("waiting for the first list of {}", missing.join(", ")))
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

    #[tokio::test]
    async fn everybody_who_waits_for_the_clusters_is_woken() {
        let health = std::sync::Arc::new(Health::default());
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let health = std::sync::Arc::clone(&health);
                tokio::spawn(async move { health.clusters_listed().await })
            })
            .collect();
        tokio::task::yield_now().await;
        health.clusters_are_listed();
        for task in waiting {
            task.await.unwrap();
        }
    }

    #[test]
    fn readiness_names_the_missing_resource_and_then_the_kinds_that_are_not_listed_yet() {
        let health = Health::default();
        let unfilled = ["Pod".to_owned(), "Secret".to_owned()];
        assert!(health.custom_resource_served(false), "the first failure is news");
        assert!(!health.custom_resource_served(false), "the second is none");
        assert!(health.ready(&unfilled).unwrap_err().contains("eaiserclusters.eaiser.io"));
        assert!(health.custom_resource_served(true));
        assert_eq!(
            health.ready(&unfilled),
            Err("waiting for the first list of EaiserCluster, Pod, Secret".to_owned())
        );
        health.clusters_are_listed();
        assert_eq!(health.ready(&unfilled), Err("waiting for the first list of Pod, Secret".to_owned()));
        assert_eq!(health.ready(&[]), Ok(()));
    }
}
