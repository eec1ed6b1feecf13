//! The world the operator acts in: pods, the set they form, commands under way, and what may happen.

use super::Act;

/// Pods there can be.
pub(super) const PODS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Disk {
    /// No configuration.
    Empty,
    /// A configuration, and data that is behind.
    Syncing,
    /// Caught up.
    Current,
}

/// In the primary's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Outside,
    Silent,
    Voter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pod {
    pub(super) up: bool,
    pub(super) disk: Disk,
    pub(super) role: Role,
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
    pub(super) primary: Option<usize>,
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

/// Anything that can happen, other than the operator looking and deciding.
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
    Execute,
    ExecuteLate,
    OperatorCrash,
}

impl World {
    /// So many members that have long been a set, led by one of them; none at all is a world before
    /// initiation.
    pub(super) fn start(members: usize, primary: usize, target: usize) -> Self {
        let outside = Pod { up: true, disk: Disk::Empty, role: Role::Outside };
        let voter = Pod { up: true, disk: Disk::Current, role: Role::Voter };
        let formed = members > 0;
        Self {
            pods: std::array::from_fn(|pod| if pod < members { voter } else { outside }),
            target,
            primary: formed.then_some(primary),
            user: formed,
            formed,
            committed: true,
            frozen: None,
            pending: None,
            late: None,
        }
    }

    /// Pods the StatefulSet keeps: those wanted and those still in the configuration.
    pub(super) fn existing(&self) -> usize {
        let occupied = self.pods.iter().rposition(|pod| pod.role != Role::Outside).map_or(0, |last| last + 1);
        self.target.max(occupied)
    }

    fn members(&self) -> impl Iterator<Item = usize> {
        (0..self.existing()).filter(|pod| self.pods[*pod].role != Role::Outside)
    }

    fn majority_up(&self) -> bool {
        let voters = || self.pods.iter().filter(|pod| pod.role == Role::Voter);
        voters().filter(|pod| pod.up).count() > voters().count() / 2
    }

    /// The disks of a majority are beyond repair once lost, by this operator or any other.
    fn survives_on_disks_without(&self, lost: usize) -> bool {
        let voters = || (0..PODS).filter(|pod| self.pods[*pod].role == Role::Voter);
        let remaining = voters().filter(|pod| *pod != lost && self.pods[*pod].disk == Disk::Current).count();
        remaining > voters().count() / 2
    }

    fn all_up(&self) -> bool {
        (0..self.existing()).all(|pod| self.pods[pod].up)
    }

    /// Everything that can happen now.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(16);
        if self.pending.is_some() {
            events.extend([Event::Execute, Event::OperatorCrash]);
        }
        if self.late.is_some() {
            events.push(Event::ExecuteLate);
        }
        for pod in 0..self.existing() {
            if self.all_up() {
                events.push(Event::PodDown(pod));
            } else if !self.pods[pod].up {
                events.push(Event::PodUp(pod));
                if self.pods[pod].disk != Disk::Empty && self.survives_on_disks_without(pod) {
                    events.push(Event::DiskLost(pod));
                }
            }
        }
        events.extend(self.healing());
        if self.primary.is_some() && !self.majority_up() {
            events.push(Event::LoseMajority);
        }
        events
    }

    /// What happens by itself once nothing goes wrong any more.
    pub(super) fn healing(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let up = |pod: &usize| self.pods[*pod].up;
        if self.primary.is_some() {
            if !self.committed && self.majority_up() {
                events.push(Event::Commit);
            }
            let with = |disk| self.members().filter(up).filter(move |pod| self.pods[*pod].disk == disk);
            events.extend(with(Disk::Empty).map(Event::LearnConfiguration));
            events.extend(with(Disk::Syncing).map(Event::CatchUp));
        } else if self.formed && self.majority_up() {
            let candidate = |pod: &usize| {
                self.pods[*pod].role == Role::Voter
                    && self.pods[*pod].disk == Disk::Current
                    && self.frozen != Some(*pod)
            };
            events.extend(self.members().filter(up).filter(candidate).map(Event::Elect));
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

    /// The operator sends its command.
    pub(super) fn send(&mut self, act: Act) {
        let to = match act {
            Act::Initiate(pod) | Act::StepDown(pod) => pod,
            _ => self.primary.unwrap(),
        };
        self.pending = Some(Command { act, to, fresh: true });
    }

    /// What mongod does with a command, refusals included.
    fn execute(&mut self, Command { act, to, fresh }: Command) {
        match act {
            Act::Initiate(pod) => {
                if self.pods[pod].disk == Disk::Empty && self.pods[pod].up {
                    assert!(!self.formed, "a second set on pod {pod}: {self:?}");
                    self.pods[pod] = Pod { up: true, disk: Disk::Current, role: Role::Voter };
                    self.formed = true;
                }
            }
            Act::StepDown(pod) if self.primary == Some(to) => {
                let can_follow = |other: usize| {
                    other != pod
                        && self.pods[other] == Pod { up: true, disk: Disk::Current, role: Role::Voter }
                };
                if (0..PODS).any(can_follow) {
                    self.primary = None;
                    self.frozen = Some(pod);
                }
            }
            Act::CreateUser if self.primary == Some(to) => self.user = true,
            Act::Add(pod) | Act::Revoke(pod) => self.reconfigure((to, fresh), pod, Role::Silent),
            Act::Grant(pod) => self.reconfigure((to, fresh), pod, Role::Voter),
            Act::Remove(pod) => self.reconfigure((to, fresh), pod, Role::Outside),
            Act::StepDown(_) | Act::CreateUser => {}
        }
    }

    fn reconfigure(&mut self, (to, fresh): (usize, bool), pod: usize, role: Role) {
        let before = self.pods[pod].role;
        self.pods[pod].role = role;
        if self.primary != Some(to) || !fresh || !self.committed || !self.majority_up() {
            self.pods[pod].role = before;
            return;
        }
        assert!(self.primary != Some(pod), "the primary itself was changed: {self:?}");
        if before == Role::Outside && self.pods[pod].disk == Disk::Current {
            self.pods[pod].disk = Disk::Syncing;
        }
        self.committed = false;
        for command in [&mut self.pending, &mut self.late].into_iter().flatten() {
            command.fresh = false;
        }
    }

    /// Nothing goes wrong any more: every pod is up and no late command arrives.
    pub(super) fn calm(&mut self) {
        self.pods.iter_mut().for_each(|pod| pod.up = true);
        (self.pending, self.late) = (None, None);
    }

    /// What must hold of a decision at the moment it is made.
    pub(super) fn assert_safe(&self, act: Act) {
        let pod = |pod: usize| self.pods[pod];
        let mut after = *self;
        match act {
            Act::Initiate(_) => {
                let all_empty =
                    (0..self.existing()).all(|other| pod(other).up && pod(other).disk == Disk::Empty);
                assert!(!self.formed && all_empty, "initiated in doubt: {self:?}");
            }
            Act::Add(new) => assert!(new < self.target && pod(new).up, "{self:?}"),
            Act::Grant(new) => {
                assert!(
                    pod(new).up && pod(new).disk == Disk::Current,
                    "a vote before it caught up: {self:?}"
                );
                after.pods[new].role = Role::Voter;
            }
            Act::Revoke(old) => {
                assert!(old >= self.target && self.primary != Some(old), "{self:?}");
                after.pods[old].role = Role::Silent;
            }
            Act::Remove(old) => assert!(old >= self.target && pod(old).role == Role::Silent, "{self:?}"),
            Act::StepDown(old) => {
                assert!(old >= self.target && self.primary == Some(old), "{self:?}");
            }
            Act::CreateUser => assert!(self.majority_up(), "{self:?}"),
        }
        assert!(!self.formed || after.majority_up(), "{act:?} costs the majority: {self:?}");
    }

    /// With every pod up the set always has a majority, whatever the operator did.
    pub(super) fn assert_sound(&self) {
        assert!(
            !self.formed || !self.all_up() || self.majority_up(),
            "no majority with every pod up: {self:?}"
        );
    }

    /// The set is exactly as wanted.
    pub(super) fn assert_settled(&self) {
        let as_wanted = |pod: usize| (pod < self.target) == (self.pods[pod].role == Role::Voter);
        assert!(
            self.user && self.primary.is_some() && (0..self.existing()).all(as_wanted),
            "settled: {self:?}"
        );
    }
}
