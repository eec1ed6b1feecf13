//! How long a replica set was without a primary, by what the passes saw of it. Pure.
//!
//! The count begins with the look that first misses the primary, or with the command that makes it
//! hand over, and ends with the look that finds the primary of a later term. The same term means that
//! only the way to the primary was cut: no failover. One that begins and ends between two looks, as of
//! a primary that is told to stop and hands over within moments, is not seen and not counted.

use std::time::{Duration, Instant};

use super::topology::Topology;

/// Why the primary changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This operator told the primary to hand over.
    Planned,
    /// It was lost.
    Unplanned,
}

/// One change of the primary that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Why.
    pub kind: Kind,
    /// From the first sign of it until there was a primary again.
    pub duration: Duration,
}

/// What is remembered of one set's primaries between passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failovers {
    /// Election term of the primary seen last.
    term: Option<i64>,
    began: Option<(Instant, Kind)>,
}

impl Failovers {
    /// Takes in what a pass saw; tells of the failover that is over with it.
    pub fn saw(&mut self, topology: &Topology, now: Instant) -> Option<Failover> {
        let Some((_, primary)) = topology.primary() else {
            if self.term.is_some() {
                self.began.get_or_insert((now, Kind::Unplanned));
            }
            return None;
        };
        let before = self.term.replace(primary.term);
        let (began, kind) = self.began.take()?;
        let elected = before.is_some_and(|term| term < primary.term);
        elected.then(|| Failover { kind, duration: now.duration_since(began) })
    }

    /// The primary was told to hand over, at this time.
    pub fn told_to_hand_over(&mut self, at: Instant) {
        self.began = Some((at, Kind::Planned));
    }

    /// Nobody waits for a primary, as while the set is stopped.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongo::fixture::topology;

    const FIRST: &str = "0 PRIMARY vote term=1\n 1 SECONDARY vote term=1\n 2 SECONDARY vote term=1";
    const NONE: &str = "0 unreachable vote\n 1 SECONDARY vote term=1\n 2 SECONDARY vote term=1";
    const SECOND: &str = "0 unreachable vote\n 1 PRIMARY vote term=2\n 2 SECONDARY vote term=2";

    /// Looks, each at its second; what the last of them ended.
    fn after(looks: &[(u64, &str)]) -> Option<Failover> {
        let (begin, mut failovers) = (Instant::now(), Failovers::default());
        let saw = |(second, lines): &(u64, &str)| {
            failovers.saw(&topology(lines), begin + Duration::from_secs(*second))
        };
        looks.iter().map(saw).last().flatten()
    }

    fn failover(kind: Kind, seconds: u64) -> Failover {
        Failover { kind, duration: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_lost_primary_counts_from_the_first_look_that_misses_it() {
        let looks = [(0, FIRST), (20, NONE), (25, NONE), (31, SECOND)];
        assert_eq!(after(&looks), Some(failover(Kind::Unplanned, 11)));
    }

    #[test]
    fn a_primary_that_was_told_to_hand_over_counts_from_that_command() {
        let begin = Instant::now();
        let mut failovers = Failovers::default();
        failovers.saw(&topology(FIRST), begin);
        failovers.told_to_hand_over(begin + Duration::from_secs(1));
        assert_eq!(failovers.saw(&topology(NONE), begin + Duration::from_secs(2)), None);
        let seen = failovers.saw(&topology(SECOND), begin + Duration::from_secs(3));
        assert_eq!(seen, Some(failover(Kind::Planned, 2)));
    }

    #[test]
    fn a_primary_of_the_same_term_was_only_out_of_reach() {
        assert_eq!(after(&[(0, FIRST), (1, NONE), (9, FIRST)]), None);
        assert_eq!(after(&[(0, FIRST), (1, NONE), (9, FIRST), (20, SECOND)]), None, "the cut counted on");
    }

    #[test]
    fn the_first_primary_of_a_set_and_the_one_after_a_stop_end_no_failover() {
        assert_eq!(after(&[(0, "0 new\n 1 new\n 2 new"), (1, FIRST)]), None);
        let begin = Instant::now();
        let mut failovers = Failovers::default();
        failovers.saw(&topology(FIRST), begin);
        failovers.saw(&topology(NONE), begin);
        failovers.forget();
        assert_eq!(failovers.saw(&topology(SECOND), begin + Duration::from_secs(9)), None);
    }
}
