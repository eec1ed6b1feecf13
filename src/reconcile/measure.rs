//! Names what each phase of a pass came to, and times it.

use std::sync::PoisonError;
use std::time::Instant;

use super::Error;
use super::context::Session;
use crate::apply::{self, Applied};
use crate::drive::{Database, Driven};
use crate::mongo::{Topology, steps};
use crate::plan::{Mode, Plan, Problems};
use crate::runtime::metrics::databases::Databases;
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

/// Records the steps of a pass, and the failover that its look found to be over.
pub(super) fn databases(metrics: &Databases, session: &Session, look: &Look<'_>, driven: &Driven) {
    let mut failovers = session.failovers.lock().unwrap_or_else(PoisonError::into_inner);
    if look.mode == Mode::Stopped {
        failovers.forget();
    } else if let Some(failover) = failovers.saw(look.topology, look.at) {
        metrics.failed_over(failover);
    }
    for took in &driven.took {
        metrics.stepped(took.database, took.step, took.duration);
        if took.database == Database::MongoDb && took.step == steps::STEP_DOWN {
            failovers.told_to_hand_over(took.begin);
        }
    }
}

/// What a pass saw of the replica set.
pub(super) struct Look<'a> {
    pub(super) topology: &'a Topology,
    pub(super) at: Instant,
    pub(super) mode: Mode,
}

pub(super) fn status(published: &Result<(), Error>, changed: bool) -> Outcome {
    match (published, changed) {
        (Err(_), _) => Outcome::Failed,
        (Ok(()), true) => Outcome::Applied,
        (Ok(()), false) => Outcome::Skipped,
    }
}
