//! The pods of the API's Deployment: wanted, starting, ready. Pure.

/// Pods by the second in which they become ready.
#[derive(Clone, Debug)]
pub(super) struct Pods {
    ready: i64,
    /// Second of readiness and how many, the earliest first.
    starting: Vec<(u32, i64)>,
}

impl Pods {
    /// So many, all ready.
    pub(super) fn new(ready: i64) -> Self {
        Self { ready, starting: Vec::new() }
    }

    pub(super) fn ready(&self) -> i64 {
        self.ready
    }

    pub(super) fn wanted(&self) -> i64 {
        self.ready + self.starting.iter().map(|(_, pods)| pods).sum::<i64>()
    }

    /// Those whose time has come are ready.
    pub(super) fn tick(&mut self, second: u32) {
        let come: i64 = self.starting.iter().filter(|(at, _)| *at <= second).map(|(_, pods)| pods).sum();
        self.starting.retain(|(at, _)| *at > second);
        self.ready += come;
    }

    /// New pods are ready at `ready_at`. A `ReplicaSet` that shrinks removes those first that are not ready.
    pub(super) fn scale(&mut self, replicas: i64, ready_at: u32) {
        let change = replicas - self.wanted();
        if change > 0 {
            self.starting.push((ready_at, change));
            return;
        }
        let mut surplus = -change;
        while surplus > 0
            && let Some((_, pods)) = self.starting.last_mut()
        {
            let removed = surplus.min(*pods);
            *pods -= removed;
            surplus -= removed;
            if *pods == 0 {
                self.starting.pop();
            }
        }
        self.ready -= surplus;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pod_is_ready_after_its_start_and_not_before() {
        let mut pods = Pods::new(2);
        pods.scale(5, 10);
        pods.tick(9);
        assert_eq!((pods.wanted(), pods.ready()), (5, 2));
        pods.tick(10);
        assert_eq!((pods.wanted(), pods.ready()), (5, 5));
    }

    #[test]
    fn pods_that_are_not_ready_go_first_and_the_youngest_of_them_before_the_others() {
        let mut pods = Pods::new(2);
        pods.scale(4, 10);
        pods.scale(7, 20);
        pods.scale(3, 30);
        assert_eq!((pods.wanted(), pods.ready()), (3, 2));
        pods.tick(10);
        assert_eq!((pods.wanted(), pods.ready()), (3, 3));
        pods.scale(1, 40);
        assert_eq!((pods.wanted(), pods.ready()), (1, 1));
    }
}
