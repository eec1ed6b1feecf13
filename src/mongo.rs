//! MongoDB replica set: observed topology, planned steps, and the driver that carries them out.
//!
//! | module | what | touches the network |
//! |---|---|---|
//! | [`wanted`] | what the set shall be | no |
//! | [`config`] | a replica set configuration and its edits | no |
//! | [`topology`] | what every member said, and what follows from it | no |
//! | [`reply`] | server replies into plain data | no |
//! | [`steps`] | the one next step towards what is wanted, and its command | no |
//! | [`facts`] | versions and indexes, as far as they are known | no |
//! | [`version`] | versions, and which may follow which | no |
//! | [`indexes`] | declared indexes against those that exist | no |
//! | [`upkeep`] | what is asked of a settled set besides its members | no |
//! | [`connections`] | one cheap client per member | yes |
//! | [`observe`] | asks every member, never fails | yes |
//! | [`inspect`] | finds out versions and indexes, never fails | yes |
//! | [`driver`] | carries out one step | yes |
//! | [`work`] | carries out what takes longer than a pass | yes |
//!
//! One pass is [`observe::topology`], [`steps::next`], and [`driver::run`] when that is
//! [`Next::Do`]. Nothing is remembered between passes that a restart could lose.

pub mod config;
pub mod connections;
pub mod driver;
pub mod facts;
pub mod indexes;
pub mod inspect;
pub mod observe;
pub mod reply;
pub mod steps;
pub mod topology;
pub mod upkeep;
pub mod version;
pub mod wanted;
pub mod work;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod model;

pub use config::ReplicaSetConfig;
pub use connections::Connections;
pub use driver::{Error, Outcome};
pub use facts::Facts;
pub use observe::{Credentials, Target};
pub use steps::{Next, Step};
pub use topology::{MemberSummary, Observed, Topology, UserState, View};
pub use wanted::{ApplicationUser, Wanted, WantedMember};
