//! What the scenarios share: the lab, one namespace each, the operator's process, the databases.

pub mod audit;
pub mod candidate;
pub mod cluster;
pub mod databases;
pub mod diagnosis;
pub mod footprint;
pub mod http;
pub mod kept;
pub mod lab;
pub mod mortal;
pub mod operator;
pub mod processes;
pub mod prometheus;
pub mod proxy;
pub mod sample;
pub mod scenario;
pub mod situation;
pub mod until;
pub mod wire;
pub mod world;
pub mod writer;

pub use cluster::{Cluster, example};
pub use kept::Kept;
pub use mortal::Mortal;
pub use operator::Operator;
pub use proxy::Proxy;
pub use scenario::{Needs, scenario};
pub use until::until;
pub use world::World;
pub use writer::Writer;
