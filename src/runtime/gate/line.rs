//! Who is next. Pure.

use std::collections::VecDeque;

/// Edits admitted in a row before somebody else gets a turn: edits without end must not keep the
/// other clusters from being looked at.
const EDITS_IN_A_ROW: usize = 8;

/// How urgent a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The spec was edited and somebody waits for it.
    Edit,
    /// A look after start or after some time, or because a child changed.
    Resync,
}

impl Priority {
    /// As in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Resync => "resync",
        }
    }
}

/// A number of places and two queues for them. `T` is what whoever waits left to be called by.
#[derive(Debug)]
pub struct Line<K, T> {
    free: usize,
    edits: VecDeque<(K, T)>,
    resyncs: VecDeque<(K, T)>,
    edits_in_a_row: usize,
}

impl<K: Eq, T> Line<K, T> {
    /// With that many places, all free.
    pub fn new(places: usize) -> Self {
        Self { free: places, edits: VecDeque::new(), resyncs: VecDeque::new(), edits_in_a_row: 0 }
    }

    /// Somebody arrives and is admitted, or waits. Gives the ticket back when admitted.
    pub fn arrive(&mut self, key: K, priority: Priority, ticket: T) -> Option<T> {
        if self.free > 0 {
            self.free -= 1;
            return Some(ticket);
        }
        match priority {
            Priority::Edit => self.edits.push_back((key, ticket)),
            Priority::Resync => self.resyncs.push_back((key, ticket)),
        }
        None
    }

    /// Whoever waits under that key becomes urgent.
    pub fn promote(&mut self, key: &K) {
        let position = self.resyncs.iter().position(|(waiting, _)| waiting == key);
        self.edits.extend(position.and_then(|position| self.resyncs.remove(position)));
    }

    /// Somebody leaves; the ticket of who gets the place.
    pub fn leave(&mut self) -> Option<T> {
        let turn_of_others = self.edits_in_a_row >= EDITS_IN_A_ROW && !self.resyncs.is_empty();
        let edit = if turn_of_others { None } else { self.edits.pop_front() };
        self.edits_in_a_row = if edit.is_some() { self.edits_in_a_row + 1 } else { 0 };
        let next = edit.or_else(|| self.resyncs.pop_front());
        if next.is_none() {
            self.free += 1;
        }
        next.map(|(_, ticket)| ticket)
    }

    /// How many wait.
    pub fn waiting(&self, priority: Priority) -> usize {
        match priority {
            Priority::Edit => self.edits.len(),
            Priority::Resync => self.resyncs.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A full line of one place in which `resyncs` wait.
    fn full(resyncs: &[&'static str]) -> Line<&'static str, &'static str> {
        let mut line = Line::new(1);
        assert_eq!(line.arrive("running", Priority::Resync, "running"), Some("running"));
        for key in resyncs {
            assert_eq!(line.arrive(key, Priority::Resync, key), None);
        }
        line
    }

    fn order(line: &mut Line<&'static str, &'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| line.leave()).collect()
    }

    #[test]
    fn an_edit_goes_ahead_of_every_resync() {
        let mut line = full(&["a", "b"]);
        line.arrive("edited", Priority::Edit, "edited");
        assert_eq!(order(&mut line), ["edited", "a", "b"]);
    }

    #[test]
    fn equals_are_served_in_the_order_of_their_arrival() {
        let mut line = full(&["a", "b", "c"]);
        assert_eq!(order(&mut line), ["a", "b", "c"]);
    }

    #[test]
    fn a_cluster_that_waits_and_is_edited_goes_ahead() {
        let mut line = full(&["a", "b", "c"]);
        line.promote(&"c");
        line.promote(&"stranger");
        assert_eq!(order(&mut line), ["c", "a", "b"]);
    }

    #[test]
    fn edits_without_end_do_not_starve_the_others() {
        let mut line = full(&["a"]);
        let mut admitted = Vec::new();
        for _ in 0..20 {
            line.arrive("edited", Priority::Edit, "edited");
            admitted.extend(line.leave());
        }
        assert_eq!(admitted.iter().position(|key| *key == "a"), Some(EDITS_IN_A_ROW));
    }

    proptest! {
        /// Places are neither lost nor doubled, and everybody who waits is admitted once.
        #[test]
        fn no_place_is_lost_or_given_twice(moves in prop::collection::vec(0_u8..4, 1..200)) {
            let mut line = Line::new(3);
            let (mut inside, mut arrived, mut admitted) = (0_usize, 0_usize, 0_usize);
            for step in moves {
                match step {
                    0 | 1 => {
                        let priority = if step == 0 { Priority::Edit } else { Priority::Resync };
                        arrived += 1;
                        if line.arrive(arrived, priority, ()).is_some() {
                            inside += 1;
                            admitted += 1;
                        }
                    }
                    2 => line.promote(&(arrived / 2)),
                    _ if inside > 0 => {
                        inside -= 1;
                        if line.leave().is_some() {
                            inside += 1;
                            admitted += 1;
                        }
                    }
                    _ => {}
                }
                let waiting = line.waiting(Priority::Edit) + line.waiting(Priority::Resync);
                prop_assert!(inside <= 3);
                prop_assert!(waiting == 0 || inside == 3, "{waiting} wait beside a free place");
                prop_assert_eq!(admitted + waiting, arrived);
            }
        }
    }
}
