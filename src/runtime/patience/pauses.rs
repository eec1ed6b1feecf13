//! Which pauses are under way: one that the server asked for, and one per watch. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Longest pause that is granted: one header must not silence the operator for hours.
const LONGEST: Duration = Duration::from_secs(30);
/// A watch lives for minutes. One that must be opened anew sooner than this ended at once, and the
/// caller shall treat that as the failure it is.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// Reads that may fail at once: every watch twice.
const FAILURES: f64 = 25.0;
/// Failing reads a second that are sent in the long run, whatever the number of watches.
const FAILURES_A_SECOND: f64 = 0.5;

/// Pauses under way.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: Option<Instant>,
    /// Failed reads that are not forgotten, as of when the last one failed. Successes cost nothing, so
    /// a server that is back is not kept waiting.
    failures: Option<(f64, Instant)>,
    /// When each watch was last opened, by what it selects.
    opened: HashMap<String, Instant>,
}

impl Pauses {
    /// The server asks to be left alone. A shorter pause does not cut a longer one.
    pub(super) fn begin(&mut self, pause: Duration, now: Instant) {
        let end = now + pause.min(LONGEST);
        self.until = Some(self.until.map_or(end, |until| until.max(end)));
    }

    /// What is left of the server's pause.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.until?.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// A read failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = Some((self.remembered(now) + 1.0, now));
    }

    /// Whether another read may be sent, although it may fail as well.
    pub(super) fn may_fail(&self, now: Instant) -> bool {
        self.remembered(now) + 1.0 <= FAILURES
    }

    fn remembered(&self, now: Instant) -> f64 {
        self.failures.map_or(0.0, |(count, at)| {
            (count - now.duration_since(at).as_secs_f64() * FAILURES_A_SECOND).max(0.0)
        })
    }

    /// Whether the watch of that selection may be opened; if so, it counts as opened.
    pub(super) fn may_open(&mut self, selection: &str, now: Instant) -> bool {
        if self.opened.get(selection).is_some_and(|opened| now.duration_since(*opened) < SHORTEST_WATCH) {
            return false;
        }
        self.opened.insert(selection.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_pause_lasts_as_long_as_asked_for() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        assert_eq!(pauses.left(now), None);
        pauses.begin(seconds(5), now);
        assert_eq!(pauses.left(now + seconds(4)), Some(seconds(1)));
        assert_eq!(pauses.left(now + seconds(5)), None);
    }

    #[test]
    fn a_shorter_pause_does_not_cut_a_longer_one_and_none_is_endless() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        pauses.begin(seconds(9), now);
        pauses.begin(seconds(1), now);
        assert_eq!(pauses.left(now + seconds(8)), Some(seconds(1)));
        pauses.begin(seconds(u64::MAX), now);
        assert_eq!(pauses.left(now), Some(LONGEST));
    }

    #[test]
    fn failing_reads_become_few_and_are_forgotten() {
        let (mut pauses, mut now) = (Pauses::default(), Instant::now());
        let mut sent = 0;
        for _ in 0..600 {
            now += Duration::from_millis(100);
            if pauses.may_fail(now) {
                pauses.failed(now);
                sent += 1;
            }
        }
        assert!((40..=60).contains(&sent), "{sent} failing reads in a minute");
        pauses.failed(now);
        assert!(!pauses.may_fail(now));
        assert!(pauses.may_fail(now + seconds(4)));
    }

    #[test]
    fn a_watch_may_be_opened_again_once_it_has_lived() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        assert!(pauses.may_open("/pods", now));
        assert!(!pauses.may_open("/pods", now + Duration::from_millis(999)));
        assert!(pauses.may_open("/pods", now + SHORTEST_WATCH));
        assert!(!pauses.may_open("/pods", now + SHORTEST_WATCH));
    }
}
