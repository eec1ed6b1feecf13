//! The `EaiserCluster` operator as a library; `src/main.rs` is a thin shell around it.
//!
//! One pass over one object is a line that data crosses once:
//!
//! | step | module | touches the network |
//! |---|---|---|
//! | 1 | [`mod@snapshot`] reads children, secrets, served APIs and both databases into plain data | yes |
//! | 2 | [`mod@plan`] turns the spec into derived numbers, or into every problem at once | no |
//! | 3 | [`desired`] renders every child object; cannot fail | no |
//! | 4 | [`mod@apply`] server-side applies what differs and prunes strays | yes |
//! | 5 | [`drive`] decides and carries out at most one step per database | decides: no |
//! | 6 | [`status`] recomputes every condition from scratch | no |
//!
//! Dependencies point down only: `runtime → reconcile → {snapshot, plan, desired, apply, drive,
//! status} → {mongo, redis_cluster, names} → crd`. The pure modules see no client, no async and no
//! clock; time and randomness reach them as parameters.

pub mod apply;
pub mod calibrate;
pub mod cli;
pub mod crd;
pub mod desired;
pub mod drive;
pub mod fence;
pub mod manifest;
pub mod mongo;
pub mod names;
pub mod password;
pub mod plan;
pub mod reconcile;
pub mod redis_cluster;
pub mod runtime;
pub mod settings;
pub mod silence;
pub mod simulate;
pub mod snapshot;
pub mod status;
