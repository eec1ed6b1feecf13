//! MongoDB replica set: observed topology, planned steps, and the driver that carries them out.
//!
//! | module | what | touches the network |
//! |---|---|---|
//! | [`wanted`] | what the set shall be | no |
//! | [`config`] | a replica set configuration and its edits | no |
//! | [`users`] | database users, wanted and seen | no |
//! | [`topology`] | what every member said, and what follows from it | no |
//! | [`keyfile`] | the keys members trust each other by, and the phases of replacing one | no |
//! | [`tls`] | the modes of encryption, and the way from one to another | no |
//! | [`certificate`] | the members' certificate, and whether it can be used | no |
//! | [`authority`] | makes certificates for those who bring none | no |
//! | [`outage`] | why there is no primary, and what would give one | no |
//! | [`reply`] | server replies into plain data | no |
//! | [`steps`] | the one next step towards what is wanted, and its command | no |
//! | [`forced`] | the reconfiguration by force, which only a person can ask for | no |
//! | [`facts`] | versions and indexes, as far as they are known | no |
//! | [`version`] | versions, and which may follow which | no |
//! | [`indexes`] | declared indexes against those that exist | no |
//! | [`upkeep`] | what is asked of a settled set besides its members | no |
//! | [`connections`] | one cheap client per member | yes |
//! | [`observe`] | asks every member, never fails | yes |
//! | [`inspect`] | finds out versions and indexes, never fails | yes |
//! | [`driver`] | carries out one step | yes |
//! | [`failover`] | how long there was no primary | no |
//! | [`work`] | carries out what takes longer than a pass | yes |
//!
//! One pass is [`observe::topology`], [`steps::next`], and [`driver::run`] when that is
//! [`Next::Do`]. Nothing is remembered between passes that a restart could lose.

pub mod authority;
pub mod certificate;
pub mod config;
pub mod connections;
pub mod driver;
pub mod facts;
pub mod failover;
pub mod forced;
pub mod indexes;
pub mod inspect;
pub mod keyfile;
pub mod observe;
pub mod outage;
pub mod reply;
pub mod steps;
pub mod tls;
pub mod topology;
pub mod upkeep;
pub mod users;
pub mod version;
pub mod wanted;
pub mod work;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod model;

pub use config::ReplicaSetConfig;
pub use connections::{Connections, Trust};
pub use driver::{Error, Outcome};
pub use facts::Facts;
pub use observe::{Credentials, Target};
pub use steps::{Next, Step};
pub use topology::{MemberSummary, Observed, Topology, View};
pub use users::{Role, SeenUser, SeenUsers, User, UserName, UserState};
pub use wanted::{ApplicationUser, Wanted, WantedMember};
