//! What must hold of every decision, and of every world.

use super::{Act, Disk, Role, World};

impl World {
    /// What must hold of a decision at the moment it is made. What is sent to a primary that others have
    /// left behind is refused, whatever it is.
    pub(in crate::mongo::model) fn assert_safe(&self, act: Act) {
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
                assert!(old >= self.target && self.claimant() != Some(old), "{self:?}");
                after.pods[old].role = Role::Silent;
            }
            Act::Remove(old) => {
                assert!(old >= self.target && pod(old).role == Role::Silent, "a voter removed: {self:?}");
            }
            Act::FixHost(named) => self.assert_may_rename(named),
            Act::StepDown(old) => {
                let leaves = old >= self.target || pod(old).misnamed;
                assert!(leaves && self.claimant() == Some(old), "{self:?}");
            }
            Act::CreateUser => {
                assert!(
                    self.primary.is_none() || self.majority_in_touch(),
                    "asked without a majority: {self:?}"
                );
            }
        }
        assert!(self.primary.is_none() || after.majority_in_touch(), "{act:?} costs the majority: {self:?}");
    }

    /// A member whose name changes is out of contact for a moment.
    fn assert_may_rename(&self, named: usize) {
        let alone = self.voters().count() == 1;
        assert!(self.pods[named].misnamed && self.pods[named].up, "{self:?}");
        assert!(alone || self.claimant() != Some(named), "the primary is renamed: {self:?}");
        if self.primary.is_some() && self.pods[named].role == Role::Voter && !alone {
            let others = self.voters().filter(|pod| *pod != named && self.in_touch(*pod)).count();
            assert!(others > self.voters().count() / 2, "a name costs the majority: {self:?}");
        }
    }

    /// With every pod up the set always has a majority, whatever the operator did.
    pub(in crate::mongo::model) fn assert_sound(&self) {
        assert!(
            !self.formed || !self.all_in_touch() || self.majority_in_touch(),
            "no majority with every pod up: {self:?}"
        );
    }

    /// The set is exactly as wanted.
    pub(in crate::mongo::model) fn assert_settled(&self) {
        let as_wanted = |pod: usize| {
            (pod < self.target) == (self.pods[pod].role == Role::Voter) && !self.pods[pod].misnamed
        };
        assert!(
            self.user && self.claimant().is_some() && (0..self.existing()).all(as_wanted),
            "settled: {self:?}"
        );
    }
}
