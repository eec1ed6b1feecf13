//! The Prometheuses that could take up a cluster's rules and monitors. Plain data.

use std::sync::Arc;

use crate::desired::kinds::Prometheus;

/// How far the operator sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Not at all: the kind is not served, may not be read, or was not read yet.
    #[default]
    None,
    /// The operator's own namespace only; a Prometheus usually lives in another.
    Namespace,
    /// Every namespace.
    Everywhere,
}

/// What is seen.
#[derive(Clone, Debug, Default)]
pub struct Prometheuses {
    /// How far.
    pub sight: Sight,
    /// Those in sight.
    pub known: Vec<Arc<Prometheus>>,
}
