//! What `spec.operation` asks of the cluster as a whole.

use crate::crd::OperationSpec;

/// How the cluster is to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Brought to its spec.
    #[default]
    Running,
    /// Every tier at zero pods, data kept.
    Stopped,
    /// Looked at and reported on, never touched.
    Paused,
}

/// A pause wins: who says "touch nothing" must be able to rely on it.
pub fn plan(spec: &OperationSpec) -> Mode {
    match (spec.paused, spec.stopped) {
        (true, _) => Mode::Paused,
        (false, true) => Mode::Stopped,
        (false, false) => Mode::Running,
    }
}
