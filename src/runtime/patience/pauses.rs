//! Which pauses are under way: one that the server asked for, and one per watch. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Longest pause that is granted: one header must not silence the operator for hours.
const LONGEST: Duration = Duration::from_secs(30);
/// A watch lives for minutes. One that must be opened anew sooner than this ended at once, and the
/// caller shall treat that as the failure it is.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// Pauses under way.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: Option<Instant>,
    /// When each watch was last opened, by what it selects.
    opened: HashMap<String, Instant>,
}

impl Pauses {
    /// The server asks to be left alone. A shorter pause does not cut a longer one.
    pub(super) fn begin(&mut self, pause: Duration, now: Instant) {
        let end = now + pause.min(LONGEST);
        self.until = Some(self.until.map_or(end, |until| until.max(end)));
    }

    /// Whether the server's pause is not over.
    pub(super) fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
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
        assert!(!pauses.lasts(now));
        pauses.begin(seconds(5), now);
        assert!(pauses.lasts(now + Duration::from_millis(4999)));
        assert!(!pauses.lasts(now + seconds(5)));
    }

    #[test]
    fn a_shorter_pause_does_not_cut_a_longer_one_and_none_is_endless() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        pauses.begin(seconds(9), now);
        pauses.begin(seconds(1), now);
        assert!(pauses.lasts(now + seconds(8)));
        pauses.begin(seconds(u64::MAX), now);
        assert!(!pauses.lasts(now + LONGEST));
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
