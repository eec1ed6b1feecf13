//! How soon a broken watch is opened again.

use std::time::{Duration, Instant};

use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;

/// Longest delay. After an outage everything is seen again within it.
const LONGEST: Duration = Duration::from_secs(20);
/// A watch that lived this long has recovered; well above the longest delay and the wait for an answer.
const RECOVERED: Duration = Duration::from_secs(45);

/// kube's default delays with their jitter, from a second or two on, and growing for as long as
/// failures follow each other. By default the first event starts them anew, and a watch that fails
/// over and over has such an event each time: it announces the list that fails next.
#[derive(Default)]
pub(in crate::runtime) struct Growing {
    delays: DefaultBackoff,
    failed: Option<Instant>,
}

impl Growing {
    fn next_at(&mut self, now: Instant) -> Option<Duration> {
        if self.failed.is_some_and(|failed| now.duration_since(failed) > RECOVERED) {
            self.delays.reset();
        }
        self.failed = Some(now);
        self.delays.next().map(|delay| (delay * 2).min(LONGEST))
    }
}

impl Iterator for Growing {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.next_at(Instant::now())
    }
}

impl Backoff for Growing {
    fn reset(&mut self) {
        // Only time does that.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_between_failures_do_not_shorten_the_delays_and_none_is_endless() {
        let mut growing = Growing::default();
        let mut delays = Vec::new();
        for _ in 0..8 {
            delays.extend(growing.next());
            growing.reset();
        }
        assert!(delays[0] >= Duration::from_millis(1600), "{delays:?}");
        assert!(delays[3] >= Duration::from_millis(12_800), "{delays:?}");
        assert_eq!(delays[7], LONGEST);
    }

    #[test]
    fn a_watch_that_recovered_starts_with_short_delays_again() {
        let (mut growing, now) = (Growing::default(), Instant::now());
        for _ in 0..5 {
            growing.next_at(now);
        }
        let again = growing.next_at(now + RECOVERED + Duration::from_secs(1)).unwrap();
        assert!(again < Duration::from_secs(4), "{again:?}");
    }
}
