//! The world the operator acts in: pods, the set they form, commands under way, and what may happen.

mod command;
mod safety;
mod symmetry;

use super::Act;

/// Pods there can be.
pub(super) const PODS: usize = 7;
/// Sizes a spec can ask for.
pub(super) const TARGETS: [usize; 4] = [1, 3, 5, 7];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Disk {
    /// No configuration.
    Empty,
    /// A configuration, and data that is behind.
    Syncing,
    /// Caught up.
    Current,
}

/// In the primary's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Role {
    Outside,
    Silent,
    Voter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pod {
    pub(super) up: bool,
    pub(super) disk: Disk,
    pub(super) role: Role,
    /// The configuration lists it by its name in another cluster domain.
    pub(super) misnamed: bool,
}

/// A command under way to one pod; `fresh` while no other configuration came between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Command {
    pub(super) act: Act,
    to: usize,
    fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) pods: [Pod; PODS],
    pub(super) target: usize,
    /// Changes of the target that may still come.
    pub(super) edits: u8,
    /// Primary of the newest term.
    pub(super) primary: Option<usize>,
    /// Cut off from the other members, not from the operator.
    pub(super) cut: Option<usize>,
    /// Primary of an older term that has not noticed yet: it is cut off.
    pub(super) stale: Option<usize>,
    pub(super) user: bool,
    formed: bool,
    /// The configuration is known to a majority; mongod refuses the next one until then.
    committed: bool,
    /// Stepped down a moment ago and not yet a candidate again.
    frozen: Option<usize>,
    /// The operator's command.
    pub(super) pending: Option<Command>,
    /// A command of an operator that crashed; it may still arrive.
    late: Option<Command>,
}

/// Anything that can happen, other than the operator looking and deciding. A roll takes pods down one
/// at a time and lets primaries hand over: both may happen at any moment here, whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Commit,
    LearnConfiguration(usize),
    CatchUp(usize),
    Elect(usize),
    LoseMajority,
    Thaw,
    PodDown(usize),
    PodUp(usize),
    DiskLost(usize),
    Cut(usize),
    Heal,
    NoticeCut,
    HandOver,
    Edit(usize),
    Execute,
    ExecuteLate,
    OperatorCrash,
}

impl World {
    /// So many members that have long been a set, led by one of them; none at all is a world before
    /// initiation.
    pub(super) fn start(members: usize, primary: usize, target: usize) -> Self {
        let outside = Pod { up: true, disk: Disk::Empty, role: Role::Outside, misnamed: false };
        let voter = Pod { disk: Disk::Current, role: Role::Voter, ..outside };
        let formed = members > 0;
        Self {
            pods: std::array::from_fn(|pod| if pod < members { voter } else { outside }),
            target,
            edits: 1,
            primary: formed.then_some(primary),
            cut: None,
            stale: None,
            user: formed,
            formed,
            committed: true,
            frozen: None,
            pending: None,
            late: None,
        }
    }

    /// The same, listed by names of another cluster domain.
    pub(super) fn start_misnamed(members: usize, primary: usize, target: usize) -> Self {
        let mut world = Self::start(members, primary, target);
        world.pods[..members].iter_mut().for_each(|pod| pod.misnamed = true);
        world
    }

    /// Pods the StatefulSet keeps: those wanted and those still in the configuration.
    pub(super) fn existing(&self) -> usize {
        let occupied = self.pods.iter().rposition(|pod| pod.role != Role::Outside).map_or(0, |last| last + 1);
        self.target.max(occupied)
    }

    /// Who says to be primary, newest term first.
    pub(super) fn claimant(&self) -> Option<usize> {
        self.primary.or(self.stale)
    }

    /// Runs, and reaches the other members.
    fn in_touch(&self, pod: usize) -> bool {
        self.pods[pod].up && self.cut != Some(pod)
    }

    fn members(&self) -> impl Iterator<Item = usize> {
        (0..self.existing()).filter(|pod| self.pods[*pod].role != Role::Outside)
    }

    fn voters(&self) -> impl Iterator<Item = usize> {
        (0..PODS).filter(|pod| self.pods[*pod].role == Role::Voter)
    }

    fn majority_in_touch(&self) -> bool {
        self.voters().filter(|pod| self.in_touch(*pod)).count() > self.voters().count() / 2
    }

    /// The disks of a majority are beyond repair once lost, by this operator or any other.
    fn survives_on_disks_without(&self, lost: usize) -> bool {
        let remaining = self.voters().filter(|pod| *pod != lost && self.pods[*pod].disk == Disk::Current);
        remaining.count() > self.voters().count() / 2
    }

    fn all_in_touch(&self) -> bool {
        (0..self.existing()).all(|pod| self.in_touch(pod))
    }

    /// Everything that can happen now.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(32);
        if self.pending.is_some() {
            events.extend([Event::Execute, Event::OperatorCrash]);
        }
        if self.late.is_some() {
            events.push(Event::ExecuteLate);
        }
        let all_in_touch = self.all_in_touch();
        for pod in 0..self.existing() {
            if all_in_touch {
                events.push(Event::PodDown(pod));
                // Who alone has a vote is in touch with its majority wherever it is.
                let others_vote = self.voters().any(|voter| voter != pod);
                if self.pods[pod].role != Role::Outside && others_vote {
                    events.push(Event::Cut(pod));
                }
            } else if !self.pods[pod].up {
                events.push(Event::PodUp(pod));
                if self.pods[pod].disk != Disk::Empty && self.survives_on_disks_without(pod) {
                    events.push(Event::DiskLost(pod));
                }
            }
        }
        if self.cut.is_some() {
            events.push(Event::Heal);
        }
        if self.stale.is_some() {
            events.push(Event::NoticeCut);
        }
        events.extend(self.healing());
        if self.primary.is_some() && !self.majority_in_touch() {
            events.push(Event::LoseMajority);
        }
        if self.primary.is_some_and(|primary| self.can_hand_over(primary)) {
            events.push(Event::HandOver);
        }
        if self.edits > 0 {
            events.extend(TARGETS.into_iter().filter(|target| *target != self.target).map(Event::Edit));
        }
        events
    }

    /// What happens by itself once nothing goes wrong any more.
    pub(super) fn healing(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let in_touch = |pod: &usize| self.in_touch(*pod);
        if self.primary.is_some() {
            if !self.committed && self.majority_in_touch() {
                events.push(Event::Commit);
            }
            let with = |disk| self.members().filter(in_touch).filter(move |pod| self.pods[*pod].disk == disk);
            events.extend(with(Disk::Empty).map(Event::LearnConfiguration));
            events.extend(with(Disk::Syncing).map(Event::CatchUp));
        } else if self.formed && self.majority_in_touch() {
            let candidate = |pod: &usize| {
                self.pods[*pod].role == Role::Voter
                    && self.pods[*pod].disk == Disk::Current
                    && self.frozen != Some(*pod)
            };
            events.extend(self.members().filter(in_touch).filter(candidate).map(Event::Elect));
        }
        if self.frozen.is_some() {
            events.push(Event::Thaw);
        }
        events
    }

    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Commit => self.committed = true,
            Event::LearnConfiguration(pod) => self.pods[pod].disk = Disk::Syncing,
            Event::CatchUp(pod) => self.pods[pod].disk = Disk::Current,
            Event::Elect(pod) => {
                self.primary = Some(pod);
                self.frozen = None;
            }
            Event::LoseMajority => self.primary = None,
            Event::Thaw => self.frozen = None,
            Event::PodDown(pod) => self.pod_down(pod),
            Event::PodUp(pod) => self.pods[pod].up = true,
            Event::DiskLost(pod) => self.pods[pod].disk = Disk::Empty,
            Event::Cut(pod) => {
                self.cut = Some(pod);
                if self.primary == Some(pod) {
                    self.stale = self.primary.take();
                }
            }
            Event::Heal => (self.cut, self.stale) = (None, None),
            Event::NoticeCut => self.stale = None,
            Event::HandOver => self.frozen = self.primary.take(),
            Event::Edit(target) => {
                self.target = target;
                self.edits -= 1;
            }
            Event::OperatorCrash => self.late = self.pending.take(),
            Event::Execute => {
                let command = self.pending.take().unwrap();
                self.execute(command);
            }
            Event::ExecuteLate => {
                let command = self.late.take().unwrap();
                self.execute(command);
            }
        }
    }

    fn pod_down(&mut self, pod: usize) {
        self.pods[pod].up = false;
        if self.primary == Some(pod) {
            self.primary = None;
        }
        // The connection goes with the pod, and the commands on it.
        self.pending = self.pending.filter(|command| command.to != pod);
        self.late = self.late.filter(|command| command.to != pod);
    }

    /// Nothing goes wrong any more: every pod is up, reaches the others, and no late command arrives.
    pub(super) fn calm(&mut self) {
        self.pods.iter_mut().for_each(|pod| pod.up = true);
        (self.pending, self.late, self.cut, self.stale) = (None, None, None, None);
    }
}
