//! Worlds that differ only in which of the wanted pods is which are one world to the search.
//!
//! The operator asks pods in the order of their numbers. So what it decides is asked for twice, in the
//! order the search keeps and in the reverse. Before there is a set, and while the command that makes
//! it may arrive, the number of a pod has a meaning: the lowest is the one that is initiated.

use super::{Act, Command, Disk, PODS, Pod, Role, World};

/// Everything about one pod, in an order that has no meaning but is always the same.
type Signature = (Pod, [bool; 4], [u8; 2]);

impl World {
    /// The one that stands for all that differ only in the order of wanted pods.
    pub(in crate::mongo::model) fn canonical(&self) -> Self {
        let mut order: [usize; PODS] = std::array::from_fn(|pod| pod);
        if self.is_symmetric() {
            order[..self.target].sort_by_key(|pod| self.signature(*pod));
        }
        self.permuted(&order)
    }

    /// The same, the other way round.
    pub(in crate::mongo::model) fn reversed(&self) -> Self {
        let mut order: [usize; PODS] = std::array::from_fn(|pod| pod);
        if self.is_symmetric() {
            order[..self.target].reverse();
        }
        self.permuted(&order)
    }

    fn is_symmetric(&self) -> bool {
        let initiates = |command: &Command| matches!(command.act, Act::Initiate(_));
        self.formed && !self.pending.iter().chain(&self.late).any(initiates)
    }

    fn signature(&self, pod: usize) -> Signature {
        let is = |other: Option<usize>| other == Some(pod);
        let named = |command: Option<Command>| {
            command.map_or(0, |command| {
                u8::from(command.act.pod() == Some(pod)) + 2 * u8::from(command.to == pod)
            })
        };
        (
            self.pods[pod],
            [is(self.primary), is(self.cut), is(self.stale), is(self.frozen)],
            [named(self.pending), named(self.late)],
        )
    }

    /// `order[n]` is the pod that becomes number n.
    fn permuted(&self, order: &[usize; PODS]) -> Self {
        let new = |old: usize| order.iter().position(|pod| *pod == old).unwrap();
        let command =
            |command: Command| Command { act: command.act.renumbered(new), to: new(command.to), ..command };
        Self {
            pods: std::array::from_fn(|number| self.pods[order[number]]),
            primary: self.primary.map(new),
            cut: self.cut.map(new),
            stale: self.stale.map(new),
            frozen: self.frozen.map(new),
            pending: self.pending.map(command),
            late: self.late.map(command),
            ..*self
        }
    }
}

impl Act {
    /// The pod it is about.
    fn pod(self) -> Option<usize> {
        match self {
            Self::Initiate(pod)
            | Self::Add(pod)
            | Self::FixHost(pod)
            | Self::Grant(pod)
            | Self::Revoke(pod)
            | Self::Remove(pod)
            | Self::StepDown(pod) => Some(pod),
            Self::CreateUser => None,
        }
    }

    fn renumbered(self, new: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Initiate(pod) => Self::Initiate(new(pod)),
            Self::Add(pod) => Self::Add(new(pod)),
            Self::FixHost(pod) => Self::FixHost(new(pod)),
            Self::Grant(pod) => Self::Grant(new(pod)),
            Self::Revoke(pod) => Self::Revoke(new(pod)),
            Self::Remove(pod) => Self::Remove(new(pod)),
            Self::StepDown(pod) => Self::StepDown(new(pod)),
            Self::CreateUser => Self::CreateUser,
        }
    }
}

#[test]
fn a_renumbered_world_is_the_same_world() {
    let mut world = World::start(3, 1, 3);
    world.pods[2] = Pod { up: false, disk: Disk::Syncing, role: Role::Silent, misnamed: false };
    world.send(Act::Grant(2));
    for (one, two) in
        [(world.canonical(), world.reversed().canonical()), (world, world.reversed().reversed())]
    {
        assert_eq!(one, two);
    }
    let reversed = world.reversed();
    assert_eq!((reversed.primary, reversed.pods[0].disk), (Some(1), Disk::Syncing));
    assert_eq!(reversed.pending.unwrap().act, Act::Grant(0));
}
