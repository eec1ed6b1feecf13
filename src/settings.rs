//! Operator-wide settings, parsed once from flags and environment by the command line. Plain data.

pub mod network;

use clap::Args;

pub use network::{AddressBlock, NetworkSettings, PodLabels};

/// What holds for every cluster this operator looks after.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Nginx image (1.27.3 or newer) of clusters that name none
    #[arg(long, env = "EAISER_GATEWAY_IMAGE", default_value = "nginxinc/nginx-unprivileged:1.29")]
    pub gateway_image: String,
    /// MongoDB image of clusters that name none
    #[arg(long, env = "EAISER_MONGODB_IMAGE", default_value = "mongo:8.0")]
    pub mongodb_image: String,
    /// Redis image of clusters that name none
    #[arg(long, env = "EAISER_REDIS_IMAGE", default_value = "redis:8.0")]
    pub redis_image: String,
    /// DNS domain of the Kubernetes cluster
    #[arg(long, env = "EAISER_CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// Who may reach the pods from outside their cluster
    #[command(flatten)]
    pub network: NetworkSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway_image: "nginxinc/nginx-unprivileged:1.29".to_owned(),
            mongodb_image: "mongo:8.0".to_owned(),
            redis_image: "redis:8.0".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            network: NetworkSettings::default(),
        }
    }
}
