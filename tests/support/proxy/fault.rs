//! What the proxy does wrong, and to which requests.

use super::asked::{Asked, Verb};

/// What happens to a request instead of being answered by the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered by the proxy with this HTTP status; it never reaches the server.
    Answer { code: u16, retry_after: Option<u64> },
    /// Never reaches the server, never answered, not even when the fault is over.
    HangBefore,
    /// Carried out by the server, never answered, not even when the fault is over.
    HangAfter,
    /// The connection is reset before the server sees the request.
    ResetBefore,
    /// Carried out by the server; the connection is reset instead of an answer.
    ResetAfter,
    /// A watch ends at once as if its time were over, running or new.
    EndWatch,
    /// A watch breaks in the middle of its answer, running or new.
    BreakWatch,
    /// A watch delivers an ERROR event 410 Gone and ends, running or new.
    Gone,
    /// Nothing moves in either direction, on running watches either; then every connection breaks.
    Partition,
}

/// Which requests a fault meets. Empty lists mean any.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    pub verbs: &'static [Verb],
    pub resources: &'static [&'static str],
    /// `Some("")` for the objects themselves.
    pub subresource: Option<&'static str>,
}

impl Matching {
    /// Every request.
    pub const ALL: Self = Self { verbs: &[], resources: &[], subresource: None };

    /// Whether the request is meant.
    pub fn meets(&self, asked: &Asked) -> bool {
        (self.verbs.is_empty() || self.verbs.contains(&asked.verb))
            && (self.resources.is_empty() || self.resources.contains(&asked.resource.as_str()))
            && self.subresource.is_none_or(|subresource| subresource == asked.subresource)
    }
}

/// A fault and whom it meets.
#[derive(Clone, Debug)]
pub struct Rule {
    pub matching: Matching,
    pub fault: Fault,
}

/// On which side of a write the operator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Before the server sees the write.
    Before,
    /// After the server carried it out and before the operator is told.
    After,
}

/// A write by which an operator dies: the n-th of its kind to that object, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub write: Asked,
    pub occurrence: usize,
    pub side: Side,
}

impl std::fmt::Display for Point {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} {} #{}", self.side, self.write, self.occurrence)
    }
}
