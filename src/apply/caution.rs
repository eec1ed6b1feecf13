//! What is held back after the API server failed or refused. Pure; time comes in.
//!
//! A server in trouble is asked by one request at a time, not by eight, and the first failure ends
//! the asking. An object that somebody else holds is tried again later and later: no watch of ours
//! tells when its owner removes it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pause after the first refusal; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Troubles of one cluster's writes.
#[derive(Debug, Default)]
pub(super) struct Caution(Mutex<Troubles>);

#[derive(Debug, Default)]
struct Troubles {
    /// Passes in a row in which the server failed.
    passes: usize,
    /// Creations refused because the name is taken, by `Kind/name`.
    refused: HashMap<String, Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    until: Instant,
    pause: Duration,
}

impl Caution {
    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes in a row in which the server failed.
    pub(super) fn passes_in_trouble(&self) -> usize {
        self.troubles().passes
    }

    /// A pass has ended.
    pub(super) fn passed(&self, server_failed: bool) {
        let mut troubles = self.troubles();
        troubles.passes = if server_failed { troubles.passes + 1 } else { 0 };
    }

    /// The name of a missing object is taken.
    pub(super) fn refused(&self, object: String, now: Instant) {
        let refused = &mut self.troubles().refused;
        let pause =
            refused.get(&object).map_or(FIRST_PAUSE, |refusal| (refusal.pause * 2).min(LONGEST_PAUSE));
        refused.insert(object, Refusal { until: now + pause, pause });
    }

    /// Whether the name of a missing object was taken a moment ago.
    pub(super) fn is_refused(&self, object: &str, now: Instant) -> bool {
        self.troubles().refused.get(object).is_some_and(|refusal| now < refusal.until)
    }

    /// The object exists and is ours.
    pub(super) fn accepted(&self, object: &str) {
        self.troubles().refused.remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_tried_again_later_and_later() {
        let (caution, mut now) = (Caution::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            caution.refused("Secret/a".to_owned(), now);
            let begin = now;
            while caution.is_refused("Secret/a", now) {
                now += Duration::from_secs(1);
            }
            pauses.push((now - begin).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert!(!caution.is_refused("Secret/b", now));
    }

    #[test]
    fn a_name_that_became_free_is_not_held_against_the_object() {
        let (caution, now) = (Caution::default(), Instant::now());
        caution.refused("Secret/a".to_owned(), now);
        caution.accepted("Secret/a");
        assert!(!caution.is_refused("Secret/a", now));
    }

    #[test]
    fn one_pass_without_a_failure_of_the_server_ends_the_trouble() {
        let caution = Caution::default();
        for (failed, passes) in [(true, 1), (true, 2), (false, 0), (true, 1)] {
            caution.passed(failed);
            assert_eq!(caution.passes_in_trouble(), passes);
        }
    }
}
