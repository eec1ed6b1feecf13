//! Redis Cluster: observed topology, planned steps, and the client that carries them out.
//!
//! ```text
//! observe::topology(targets) → Topology ─┬→ steps::next(wanted, topology) → Do(step) → client::run
//!                                        └→ Topology::summary(wanted)     → status
//! ```
//!
//! Every node is asked and every view compared; none is trusted alone. A node is its id, which
//! lives on its volume and survives every change of address. Roles are what the nodes say, never
//! what a pod's name suggests. What could hide lost data is never done: the cluster then waits and
//! says for what.
//!
//! | module | holds | IO |
//! |---|---|---|
//! | [`slots`] | hash slots as a set of intervals | no |
//! | [`topology`] | what is wanted, what every node says, the summary for status | no |
//! | [`parser`] | readers of `CLUSTER NODES`, `CLUSTER INFO`, `INFO` | no |
//! | [`steps`] | the decision | no |
//! | [`command`] | the closed list of commands that can be sent | no |
//! | [`observe`] | asks every node | yes |
//! | [`client`] | connections; carries a step out | yes |

pub mod client;
pub mod command;
pub mod observe;
pub mod parser;
pub mod slots;
pub mod steps;
pub mod topology;

pub use client::{Connections, Credentials, Error, Outcome, run};
pub use slots::{SLOT_COUNT, SlotRange, SlotSet};
pub use steps::{Next, Step, WaitReason, Waiting, fail_over, next};
pub use topology::{ShardSummary, Summary, Target, Topology, Wanted, WantedShard};

#[cfg(test)]
mod live_test;
#[cfg(test)]
mod model;
