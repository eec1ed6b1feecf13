//! The order in which passes run: a few at a time, live edits first. kube's controller knows no
//! priorities, so every pass waits here for its turn.

mod line;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::metrics::queue::Queue;
use line::Line;
pub use line::Priority;

/// Admits passes.
pub struct Gate<K: Eq>(Arc<Inner<K>>);

struct Inner<K: Eq> {
    line: Mutex<Line<K, oneshot::Sender<Permit<K>>>>,
    metrics: Queue,
}

/// The right to run a pass; the next one is admitted when it is dropped.
pub struct Permit<K: Eq>(Arc<Inner<K>>);

impl<K: Eq> Clone for Gate<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq> Gate<K> {
    /// Lets `places` passes run at a time.
    pub fn new(places: usize, metrics: Queue) -> Self {
        Self(Arc::new(Inner { line: Mutex::new(Line::new(places)), metrics }))
    }

    /// Waits for the turn of a pass over `key`.
    pub async fn enter(&self, key: K, priority: Priority) -> Permit<K> {
        let begin = Instant::now();
        let (sender, receiver) = oneshot::channel();
        let admitted = {
            let mut line = self.0.lock();
            let admitted = line.arrive(key, priority, sender);
            self.0.show(&line);
            admitted
        };
        let permit = match admitted {
            Some(_) => Permit(Arc::clone(&self.0)),
            // The line holds the sender until it admits it, and this gate holds the line.
            None => receiver.await.unwrap_or_else(|_| Permit(Arc::clone(&self.0))),
        };
        self.0.metrics.waited(priority.as_str(), begin.elapsed());
        permit
    }

    /// The spec of `key` was edited while its pass waits: it goes ahead.
    pub fn promote(&self, key: &K) {
        let mut line = self.0.lock();
        line.promote(key);
        self.0.show(&line);
    }
}

impl<K: Eq> Inner<K> {
    fn lock(&self) -> MutexGuard<'_, Line<K, oneshot::Sender<Permit<K>>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, line: &Line<K, oneshot::Sender<Permit<K>>>) {
        for priority in [Priority::Edit, Priority::Resync] {
            self.metrics.depth(priority.as_str(), line.waiting(priority));
        }
    }
}

impl<K: Eq> Drop for Permit<K> {
    fn drop(&mut self) {
        let next = {
            let mut line = self.0.lock();
            let next = line.leave();
            self.0.show(&line);
            next
        };
        if let Some(next) = next {
            // One that gave up waiting drops the permit in the channel, which admits the next.
            drop(next.send(Self(Arc::clone(&self.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::runtime::metrics::Metrics;

    fn gate(places: usize) -> (Gate<&'static str>, Metrics) {
        let metrics = Metrics::default();
        (Gate::new(places, metrics.queue.clone()), metrics)
    }

    #[tokio::test]
    async fn a_pass_beyond_the_places_waits_until_one_ends() {
        let (gate, metrics) = gate(1);
        let first = gate.enter("a", Priority::Resync).await;
        let mut second = Box::pin(gate.enter("b", Priority::Resync));
        assert!((&mut second).now_or_never().is_none());
        assert!(metrics.render().contains("queue_depth{priority=\"resync\"} 1"), "{}", metrics.render());
        drop(first);
        assert!(second.now_or_never().is_some());
        assert!(metrics.render().contains("queue_depth{priority=\"resync\"} 0"), "{}", metrics.render());
    }

    #[tokio::test]
    async fn a_pass_that_gave_up_waiting_takes_no_place() {
        let (gate, _) = gate(1);
        let first = gate.enter("a", Priority::Resync).await;
        let mut second = Box::pin(gate.enter("b", Priority::Resync));
        let mut third = Box::pin(gate.enter("c", Priority::Resync));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_permit_that_nobody_picks_up_is_passed_on() {
        let (gate, _) = gate(1);
        let first = gate.enter("a", Priority::Resync).await;
        let mut second = Box::pin(gate.enter("b", Priority::Resync));
        let mut third = Box::pin(gate.enter("c", Priority::Resync));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(third.now_or_never().is_some());
    }
}
