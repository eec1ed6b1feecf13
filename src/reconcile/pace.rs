//! How soon a cluster is looked at again, and whether looking has become a loop. Pure.
//!
//! Watches bring changes of objects at once; what a database does is only seen by asking it. So a
//! cluster that forms is asked often, one that waits for something less and less often, and any
//! change starts anew. A cluster that is looked at without end although nothing new comes of it, say
//! because somebody else writes back what the operator wrote, is put off.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use crate::crd::EaiserClusterStatus;

/// Looks again while something forms; watches usually come first.
pub const CONVERGING: Duration = Duration::from_millis(700);
/// Looks again at the databases of a settled cluster, which no watch covers. The longest pause of one
/// that waits, too.
const SETTLED: Duration = Duration::from_secs(20);
/// Passes without any change before the pauses grow: an election of a primary takes as long.
const PATIENCE: u32 = 20;

/// Time without anything new after which more than one pass a second is a loop.
const HOT_AFTER: Duration = Duration::from_secs(60);
/// First pause between passes of a loop; it doubles up to [`SETTLED`].
const FIRST_PUT_OFF: Duration = Duration::from_secs(2);
/// Situations that are remembered: two sides that undo each other's work alternate between a few.
const REMEMBERED: usize = 16;

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Digest of all it found and did; see [`situation`].
    pub situation: u64,
    /// It changed something.
    pub acted: bool,
    /// Nothing is left to do.
    pub settled: bool,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// After this long, if nothing changes before.
    pub after: Duration,
    /// Looking has just become a loop.
    pub hot: bool,
}

/// The rhythm of one cluster.
#[derive(Clone, Debug)]
pub struct Pace {
    generation: Option<i64>,
    /// Passes in a row that changed nothing and found nothing new.
    unchanged: u32,
    situations: VecDeque<u64>,
    /// When something new was last found, and the passes since.
    news: Instant,
    passes: u32,
    loop_: Option<Loop>,
}

#[derive(Clone, Copy, Debug)]
struct Loop {
    pause: Duration,
    not_before: Instant,
    /// Somebody asked for a pass that was put off.
    pushed: bool,
}

impl Pace {
    /// The rhythm of a cluster first seen now.
    pub fn new(now: Instant) -> Self {
        Self {
            generation: None,
            unchanged: 0,
            situations: VecDeque::new(),
            news: now,
            passes: 0,
            loop_: None,
        }
    }

    /// A watch brought a change: what was waited for may be there.
    pub fn touched(&mut self) {
        self.unchanged = 0;
    }

    /// A pass is about to begin; if it must be put off, for how long.
    pub fn begin(&mut self, generation: Option<i64>, now: Instant) -> Option<Duration> {
        if self.generation != generation {
            *self = Self { generation, ..Self::new(now) };
        }
        let hot = self.loop_.as_mut()?;
        let left = hot.not_before.checked_duration_since(now).filter(|left| !left.is_zero())?;
        hot.pushed = true;
        Some(left)
    }

    /// A pass has ended.
    pub fn end(&mut self, outcome: Outcome, now: Instant) -> Next {
        let news = !self.situations.contains(&outcome.situation);
        if news {
            self.situations.push_back(outcome.situation);
            if self.situations.len() > REMEMBERED {
                self.situations.pop_front();
            }
        }
        self.unchanged = if news || outcome.acted { 0 } else { self.unchanged.saturating_add(1) };
        if let Some(hot) = self.loop_.as_mut() {
            // News do not end a loop while somebody goes on pushing; they shorten its pauses.
            if hot.pushed || !(news || outcome.settled) {
                hot.pause = if news { FIRST_PUT_OFF } else { (hot.pause * 2).min(SETTLED) };
                hot.not_before = now + hot.pause;
                hot.pushed = false;
                return Next { after: hot.pause, hot: false };
            }
            self.start_anew(now);
        }
        if news {
            self.start_anew(now);
            return Next { after: self.pause(outcome), hot: false };
        }
        self.passes += 1;
        let quiet = now.duration_since(self.news);
        if quiet >= HOT_AFTER && u64::from(self.passes) > quiet.as_secs() {
            self.loop_ = Some(Loop { pause: FIRST_PUT_OFF, not_before: now + FIRST_PUT_OFF, pushed: false });
            return Next { after: FIRST_PUT_OFF, hot: true };
        }
        if quiet >= HOT_AFTER {
            self.start_anew(now);
        }
        Next { after: self.pause(outcome), hot: false }
    }

    fn start_anew(&mut self, now: Instant) {
        self.news = now;
        self.passes = 0;
        self.loop_ = None;
    }

    fn pause(&self, outcome: Outcome) -> Duration {
        if outcome.settled {
            return SETTLED;
        }
        let doublings = self.unchanged.saturating_sub(PATIENCE).min(10);
        CONVERGING.saturating_mul(1 << doublings).min(SETTLED)
    }
}

/// Digest of what a pass found and did; equal when nothing is new. Times do not count.
pub fn situation(status: &EaiserClusterStatus, did: &impl std::fmt::Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    for condition in &status.conditions {
        (&condition.type_, &condition.status, &condition.reason, &condition.message).hash(&mut hasher);
    }
    let numbers = EaiserClusterStatus { conditions: Vec::new(), ..status.clone() };
    format!("{numbers:?}{did:?}").hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Outcome = Outcome { situation: 1, acted: false, settled: false };
    const SETTLES: Outcome = Outcome { situation: 2, acted: false, settled: true };

    /// A pace and its clock.
    struct Clock(Pace, Instant);

    impl Clock {
        fn new() -> Self {
            let now = Instant::now();
            Self(Pace::new(now), now)
        }

        /// One pass, `milliseconds` after the one before.
        fn pass(&mut self, milliseconds: u64, outcome: Outcome) -> Next {
            self.1 += Duration::from_millis(milliseconds);
            self.0.end(outcome, self.1)
        }

        fn begin(&mut self, generation: i64) -> Option<Duration> {
            self.0.begin(Some(generation), self.1)
        }

        /// Asks for a pass every 200 ms until one is called hot; none within ten minutes.
        fn until_hot(&mut self, outcome: impl Fn(u64) -> Outcome) -> Option<Duration> {
            let begin = self.1;
            (0..3_000).find_map(|round| {
                self.1 += Duration::from_millis(200);
                let put_off = self.begin(1).is_some();
                let hot = !put_off && self.pass(0, outcome(round)).hot;
                hot.then(|| self.1.duration_since(begin))
            })
        }
    }

    #[test]
    fn a_cluster_that_waits_is_looked_at_less_and_less_often() {
        let mut clock = Clock::new();
        let pauses: Vec<u128> = (0..28).map(|_| clock.pass(700, WAITS).after.as_millis()).collect();
        assert_eq!(pauses[..21], [700; 21]);
        assert_eq!(pauses[21..], [1400, 2800, 5600, 11200, 20000, 20000, 20000]);
    }

    #[test]
    fn a_change_that_a_watch_brings_starts_the_pauses_anew() {
        let mut clock = Clock::new();
        while clock.pass(700, WAITS).after < SETTLED {}
        clock.0.touched();
        assert_eq!(clock.pass(700, WAITS).after, CONVERGING);
    }

    #[test]
    fn a_step_done_and_a_new_situation_start_the_pauses_anew() {
        for news in [Outcome { acted: true, ..WAITS }, Outcome { situation: 3, ..WAITS }] {
            let mut clock = Clock::new();
            while clock.pass(700, WAITS).after < SETTLED {}
            assert_eq!(clock.pass(700, news).after, CONVERGING);
        }
    }

    #[test]
    fn a_settled_cluster_is_looked_at_every_twenty_seconds() {
        assert_eq!(Clock::new().pass(700, SETTLES).after, SETTLED);
    }

    #[test]
    fn passes_that_bring_nothing_new_for_a_minute_are_a_loop_once() {
        let mut clock = Clock::new();
        let after = clock.until_hot(|_| SETTLES).unwrap();
        assert!((60..62).contains(&after.as_secs()), "{after:?}");
        assert_eq!(clock.until_hot(|_| SETTLES), None, "one episode was reported twice");
    }

    #[test]
    fn two_sides_that_undo_each_others_work_are_a_loop() {
        let alternating = |round| Outcome { situation: round % 2, acted: true, settled: false };
        assert!(Clock::new().until_hot(alternating).is_some());
    }

    #[test]
    fn a_long_roll_with_many_events_is_no_loop() {
        // One pod of many becomes ready every five seconds, each with many events.
        let rolling = |round| Outcome { situation: 100 + round / 25, acted: false, settled: false };
        assert_eq!(Clock::new().until_hot(rolling), None);
    }

    #[test]
    fn a_loop_is_put_off_longer_and_longer_and_an_edit_is_not() {
        let mut clock = Clock::new();
        clock.until_hot(|_| SETTLES).unwrap();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let left = clock.begin(1).unwrap();
            pauses.push(left.as_secs());
            clock.1 += left;
            assert_eq!(clock.begin(1), None, "put off for ever");
            clock.pass(0, SETTLES);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 20, 20]);
        assert_eq!(clock.begin(2), None, "an edit had to wait");
    }

    #[test]
    fn news_shorten_the_pauses_of_a_loop_and_do_not_end_it_while_somebody_pushes() {
        let mut clock = Clock::new();
        clock.until_hot(|_| SETTLES).unwrap();
        for situation in [7, 2, 2] {
            assert!(clock.begin(1).is_some(), "not put off");
            clock.1 += SETTLED;
            clock.pass(0, Outcome { situation, ..SETTLES });
        }
        assert_eq!(clock.begin(1).map(|left| left.as_secs()), Some(8));
        clock.1 += SETTLED;
        clock.pass(0, Outcome { situation: 8, ..SETTLES });
        assert_eq!(clock.begin(1), Some(FIRST_PUT_OFF));
    }

    #[test]
    fn a_loop_is_over_when_nobody_asks_for_passes_any_more() {
        let mut clock = Clock::new();
        clock.until_hot(|_| SETTLES).unwrap();
        assert!(clock.begin(1).is_some());
        clock.pass(2_000, SETTLES);
        assert_eq!(clock.pass(20_000, SETTLES).after, SETTLED);
        assert_eq!(clock.begin(1), None);
        assert!(clock.until_hot(|_| SETTLES).is_some(), "a second episode is not reported");
    }

    #[test]
    fn a_step_that_is_repeated_without_effect_is_a_loop() {
        let mut clock = Clock::new();
        let hot =
            (0..200).any(|_| clock.pass(700, Outcome { situation: 5, acted: true, settled: false }).hot);
        assert!(hot);
    }

    #[test]
    fn times_of_conditions_are_no_news() {
        let status = |time: &str, message: &str| -> EaiserClusterStatus {
            let condition = serde_json::json!({
                "type": "Ready", "status": "True", "reason": "AllTiersReady", "message": message,
                "lastTransitionTime": time,
            });
            serde_json::from_value(serde_json::json!({"conditions": [condition]})).unwrap()
        };
        let of = |time, message| situation(&status(time, message), &());
        assert_eq!(of("2026-01-01T00:00:00Z", "a"), of("2026-01-02T00:00:00Z", "a"));
        assert_ne!(of("2026-01-01T00:00:00Z", "a"), of("2026-01-01T00:00:00Z", "b"));
    }
}
