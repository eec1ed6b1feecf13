//! What mongod does with the operator's commands.

use super::{Act, Command, Disk, PODS, Pod, Role, World};

impl World {
    /// The operator sends its command.
    pub(in crate::mongo::model) fn send(&mut self, act: Act) {
        let to = match act {
            Act::Initiate(pod) | Act::StepDown(pod) => pod,
            _ => self.claimant().unwrap(),
        };
        self.pending = Some(Command { act, to, fresh: true });
    }

    pub(super) fn can_hand_over(&self, primary: usize) -> bool {
        let can_follow = |other: usize| {
            other != primary
                && self.in_touch(other)
                && self.pods[other].role == Role::Voter
                && self.pods[other].disk == Disk::Current
        };
        (0..PODS).any(can_follow)
    }

    /// What mongod does with a command, refusals included.
    pub(super) fn execute(&mut self, Command { act, to, fresh }: Command) {
        match act {
            Act::Initiate(pod) => {
                if self.pods[pod].disk == Disk::Empty && self.pods[pod].up {
                    assert!(!self.formed, "a second set on pod {pod}: {self:?}");
                    let (disk, role) = (Disk::Current, Role::Voter);
                    self.pods[pod] = Pod { disk, role, ..self.pods[pod] };
                    self.formed = true;
                }
            }
            Act::StepDown(pod) if self.primary == Some(to) => {
                if self.can_hand_over(pod) {
                    self.primary = None;
                    self.frozen = Some(pod);
                }
            }
            Act::CreateUser if self.primary == Some(to) && self.majority_in_touch() => self.user = true,
            Act::Add(pod) | Act::Revoke(pod) => self.reconfigure((to, fresh), pod, Role::Silent),
            Act::Grant(pod) => self.reconfigure((to, fresh), pod, Role::Voter),
            Act::Remove(pod) => self.reconfigure((to, fresh), pod, Role::Outside),
            Act::FixHost(pod) => {
                let role = self.pods[pod].role;
                if self.reconfigure_with((to, fresh), pod, role) {
                    self.pods[pod].misnamed = false;
                }
            }
            Act::StepDown(_) | Act::CreateUser => {}
        }
    }

    fn reconfigure(&mut self, sent: (usize, bool), pod: usize, role: Role) {
        assert!(self.primary != Some(pod) || !self.accepts(sent), "the primary itself was changed: {self:?}");
        self.reconfigure_with(sent, pod, role);
    }

    fn accepts(&self, (to, fresh): (usize, bool)) -> bool {
        self.primary == Some(to) && fresh && self.committed && self.cut != Some(to)
    }

    /// Whether the configuration was installed. One voter changes, and both majorities have to be there.
    fn reconfigure_with(&mut self, sent: (usize, bool), pod: usize, role: Role) -> bool {
        let before = self.pods[pod];
        let had_majority = self.majority_in_touch();
        self.pods[pod].role = role;
        if !self.accepts(sent) || !had_majority || !self.majority_in_touch() {
            self.pods[pod] = before;
            return false;
        }
        if role == Role::Outside || before.role == Role::Outside {
            self.pods[pod].misnamed = false;
        }
        if before.role == Role::Outside && before.disk == Disk::Current {
            self.pods[pod].disk = Disk::Syncing;
        }
        self.committed = false;
        for command in [&mut self.pending, &mut self.late].into_iter().flatten() {
            command.fresh = false;
        }
        true
    }
}
