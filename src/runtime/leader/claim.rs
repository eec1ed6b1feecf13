//! What to do about the lease, and when. Pure.
//!
//! A holder that stopped is recognised by its silence as this process observed it: no clock of
//! another machine is trusted, so a lease found at start is waited for in full.

use std::time::{Duration, Instant};

/// How long the lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(15);
/// How long after a renewal was sent its holder may still write.
pub const WRITE: Duration = Duration::from_secs(10);
/// Pause between renewals.
pub const RENEW: Duration = Duration::from_secs(5);
/// Pause after an attempt that failed.
pub const RETRY: Duration = Duration::from_secs(2);

/// The lease as it was last seen, and since when it has been like that by our own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; none when it was released.
    pub holder: Option<String>,
    /// How long it lasts without renewal, by its holder's word.
    pub lasts: Duration,
    /// When this process first saw it in this version; when it sent it, if it is its own.
    pub since: Instant,
    /// Whether it still exists. One that was deleted binds its holder's successors all the same:
    /// the holder may not know yet.
    pub exists: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Create it, held by us.
    Create,
    /// Take it over: it is free, or its holder has been silent for too long.
    Acquire,
    /// Renew it: it is ours.
    Renew,
}

/// What to do next, and not before when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What.
    pub act: Act,
    /// When.
    pub at: Instant,
}

/// Decides on the lease as last seen; `attempt` is when a write of it that failed was sent.
pub fn next(record: Option<&Record>, identity: &str, attempt: Option<Instant>, now: Instant) -> Turn {
    let (act, due) = match record {
        None => (Act::Create, now),
        Some(record) => match record.holder.as_deref() {
            None | Some("") => (Act::Acquire, now),
            Some(holder) if holder == identity && !record.exists => (Act::Create, now),
            Some(holder) if holder == identity => (Act::Renew, record.since + RENEW),
            Some(_) => (Act::Acquire, record.since + record.lasts),
        },
    };
    let act = if record.is_some_and(|record| !record.exists) { Act::Create } else { act };
    let at = attempt.map_or(due, |attempt| due.max(attempt + RETRY));
    Turn { act, at }
}

/// Until when a renewal that was sent at `sent` allows writing.
pub fn may_write_until(sent: Instant) -> Instant {
    sent + WRITE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ME: &str = "operator-a";
    const OTHER: &str = "operator-b";

    fn record(holder: Option<&str>, since: Instant) -> Record {
        Record { holder: holder.map(str::to_owned), lasts: LEASE, since, exists: true }
    }

    /// What is decided 100 s after `since`, and how many seconds after `since` it is due.
    fn decided(holder: Option<&str>, failed: Option<u64>) -> (Act, u64) {
        let since = Instant::now();
        let attempt = failed.map(|seconds| since + Duration::from_secs(seconds));
        let now = since + Duration::from_secs(100);
        let turn = next(Some(&record(holder, since)), ME, attempt, now);
        (turn.act, turn.at.duration_since(since).as_secs())
    }

    #[test]
    fn a_missing_lease_is_created_at_once() {
        let now = Instant::now();
        assert_eq!(next(None, ME, None, now), Turn { act: Act::Create, at: now });
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        assert_eq!(decided(None, None), (Act::Acquire, 100));
        assert_eq!(decided(Some(""), None), (Act::Acquire, 100));
    }

    #[test]
    fn our_own_lease_is_renewed_five_seconds_after_it_changed() {
        assert_eq!(decided(Some(ME), None), (Act::Renew, 5));
    }

    #[test]
    fn somebody_elses_lease_is_taken_when_it_has_not_changed_for_as_long_as_it_lasts() {
        assert_eq!(decided(Some(OTHER), None), (Act::Acquire, 15));
    }

    #[test]
    fn a_failed_attempt_is_repeated_two_seconds_later_and_never_brings_anything_forward() {
        assert_eq!(decided(Some(ME), Some(6)), (Act::Renew, 8));
        assert_eq!(decided(Some(OTHER), Some(3)), (Act::Acquire, 15));
        assert_eq!(decided(Some(OTHER), Some(15)), (Act::Acquire, 17));
        assert_eq!(decided(None, Some(99)), (Act::Acquire, 101));
    }

    #[test]
    fn a_holder_that_asked_for_a_longer_lease_is_given_its_time() {
        let since = Instant::now();
        let patient = Record { lasts: Duration::from_secs(60), ..record(Some(OTHER), since) };
        assert_eq!(next(Some(&patient), ME, None, since).at, since + Duration::from_secs(60));
    }

    #[test]
    fn a_deleted_lease_is_created_anew_by_its_holder_and_by_others_only_after_its_time() {
        let since = Instant::now();
        let now = since + Duration::from_secs(1);
        let deleted = |holder| Record { exists: false, ..record(Some(holder), since) };
        assert_eq!(next(Some(&deleted(ME)), ME, None, now), Turn { act: Act::Create, at: now });
        let others = next(Some(&deleted(OTHER)), ME, None, now);
        assert_eq!(others, Turn { act: Act::Create, at: since + LEASE });
    }

    proptest! {
        /// Whatever the delays of sending, committing and watching: the old holder's right to write
        /// ends before a standby's first chance to take over.
        #[test]
        fn the_right_to_write_ends_before_anybody_may_take_over(
            sent in 0_u64..60_000,
            committed_after in 0_u64..20_000,
            seen_after in 0_u64..20_000,
            started in 0_u64..60_000,
        ) {
            let start = Instant::now();
            let at = |milliseconds| start + Duration::from_millis(milliseconds);
            // The standby first sees the renewal when the watch brings it, or at its own start.
            let seen = (sent + committed_after + seen_after).max(started);
            let takeover = next(Some(&record(Some(OTHER), at(seen))), ME, None, at(seen)).at;
            let margin = takeover.duration_since(may_write_until(at(sent)));
            prop_assert!(margin + WRITE >= LEASE, "{margin:?}");
        }

        /// A holder whose renewals are answered in time never loses the right to write.
        #[test]
        fn a_holder_that_is_answered_in_time_writes_without_a_gap(delays in prop::collection::vec(0_u64..4_900, 1..40)) {
            let mut sent = Instant::now();
            let mut answered = sent;
            for delay in delays {
                let turn = next(Some(&record(Some(ME), sent)), ME, None, answered);
                prop_assert_eq!(turn.act, Act::Renew);
                answered = turn.at + Duration::from_millis(delay);
                prop_assert!(answered < may_write_until(sent), "answered after the right had ended");
                sent = turn.at;
            }
        }
    }
}
