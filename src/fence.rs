//! Until when this process may change anything. The lease's holder moves the fence on with every
//! renewal; whoever acts asks it right before acting.
//!
//! Time is the process' monotonic clock. A process that was stopped and wakes up finds its fence
//! closed before it does anything else.

use std::time::Instant;

use tokio::sync::watch;

/// How long writing is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// Without leader election.
    Always,
    /// While the clock is before this.
    Until(Instant),
    /// Not at all.
    Never,
}

impl Hold {
    fn holds(self, now: Instant) -> bool {
        match self {
            Self::Always => true,
            Self::Until(end) => now < end,
            Self::Never => false,
        }
    }
}

/// The right to write, shared by everything that does.
#[derive(Clone, Debug)]
pub struct Fence(watch::Sender<Hold>);

/// This process does not hold the lease any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not sent: another operator may hold the lease by now")]
pub struct Closed;

impl Fence {
    /// Always open: there is one operator, and no lease.
    pub fn open() -> Self {
        Self(watch::Sender::new(Hold::Always))
    }

    /// Closed until the lease is taken.
    pub fn closed() -> Self {
        Self(watch::Sender::new(Hold::Never))
    }

    /// Opens it until `end`, or moves its end.
    pub fn hold_until(&self, end: Instant) {
        self.0.send_replace(Hold::Until(end));
    }

    /// Closes it at once.
    pub fn close(&self) {
        self.0.send_replace(Hold::Never);
    }

    /// Whether writing is allowed now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.borrow().holds(Instant::now())
    }

    /// Returns when writing is allowed.
    pub async fn opened(&self) {
        let mut changes = self.0.subscribe();
        // The sender lives as long as self, so waiting cannot fail.
        let _ = changes.wait_for(|hold| hold.holds(Instant::now())).await;
    }

    /// Returns when writing is not allowed any more.
    pub async fn ended(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let hold = *changes.borrow_and_update();
            let moved = changes.changed();
            match hold {
                Hold::Always => _ = moved.await,
                Hold::Until(end) if Instant::now() < end => {
                    let _ = tokio::time::timeout_at(end.into(), moved).await;
                }
                Hold::Until(_) | Hold::Never => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn ended(fence: &Fence) -> bool {
        futures::FutureExt::now_or_never(fence.ended()).is_some()
    }

    #[tokio::test]
    async fn a_fence_without_a_lease_is_open_for_good() {
        let fence = Fence::open();
        assert!(fence.holds());
        assert!(!ended(&fence));
    }

    #[tokio::test]
    async fn a_fence_whose_end_has_passed_is_closed_whatever_was_awaited_meanwhile() {
        let fence = Fence::closed();
        assert!(!fence.holds());
        fence.hold_until(Instant::now() + LONG);
        assert!(fence.holds());
        assert!(!ended(&fence));
        fence.hold_until(Instant::now());
        assert!(!fence.holds());
        assert!(ended(&fence));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_end_sees_it_moved_on_and_then_closed() {
        let fence = Fence::closed();
        fence.hold_until(Instant::now() + LONG);
        let waiting = tokio::spawn({
            let fence = fence.clone();
            async move { fence.ended().await }
        });
        tokio::task::yield_now().await;
        fence.hold_until(Instant::now() + LONG * 2);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        fence.close();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_for_the_right_gets_it_when_the_fence_opens() {
        let fence = Fence::closed();
        let waiting = tokio::spawn({
            let fence = fence.clone();
            async move { fence.opened().await }
        });
        tokio::task::yield_now().await;
        fence.close();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        fence.hold_until(Instant::now() + LONG);
        waiting.await.unwrap();
    }
}
