//! Names what each phase of a pass came to, and times it.

use std::time::Instant;

use super::Error;
use crate::apply::{self, Applied};
use crate::drive::Driven;
use crate::plan::{Plan, Problems};
pub(super) use crate::runtime::metrics::phases::Outcome;
use crate::runtime::metrics::phases::{Phase, Phases};

/// Times phases that follow one another.
pub(super) struct Stopwatch<'a> {
    phases: &'a Phases,
    lap: Instant,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn start(phases: &'a Phases) -> Self {
        Self { phases, lap: Instant::now() }
    }

    /// A phase has ended, and the next begins.
    pub(super) fn lap(&mut self, phase: Phase, outcome: Outcome) {
        let now = Instant::now();
        self.phases.ended(phase, outcome, now.duration_since(self.lap));
        self.lap = now;
    }
}

pub(super) fn plan(plan: &Result<Plan, Problems>) -> Outcome {
    if plan.is_ok() { Outcome::Applied } else { Outcome::Failed }
}

pub(super) fn apply(applied: &Result<Applied, apply::Error>) -> Outcome {
    match applied {
        Err(_) => Outcome::Failed,
        Ok(applied) if *applied == Applied::default() => Outcome::Skipped,
        Ok(Applied { created, changed, deleted, .. })
            if created.is_empty() && changed.is_empty() && deleted.is_empty() =>
        {
            Outcome::Waiting
        }
        Ok(_) => Outcome::Applied,
    }
}

pub(super) fn drive(driven: &Driven) -> Outcome {
    match driven {
        driven if !driven.failed.is_empty() => Outcome::Failed,
        driven if !driven.done.is_empty() => Outcome::Applied,
        driven if driven.is_settled() => Outcome::Skipped,
        _ => Outcome::Waiting,
    }
}

pub(super) fn status(published: &Result<(), Error>, changed: bool) -> Outcome {
    match (published, changed) {
        (Err(_), _) => Outcome::Failed,
        (Ok(()), true) => Outcome::Applied,
        (Ok(()), false) => Outcome::Skipped,
    }
}
