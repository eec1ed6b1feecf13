//! Who the operator and Prometheus are to a NetworkPolicy. Plain data and its parsers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::{ArgAction, Args};

use crate::names::LABEL_NAME;

/// Where allowed connections come from that no cluster's own pods open.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Network policies")]
pub struct NetworkSettings {
    /// Isolate the pods of every tier; `false` leaves it to policies of your own
    #[arg(long = "network-policies", env = "EAISER_NETWORK_POLICIES", default_value_t = true, action = ArgAction::Set)]
    pub enabled: bool,
    /// Namespace of the operator's pods, which reach the databases from there
    #[arg(long, env = "EAISER_OPERATOR_NAMESPACE")]
    pub operator_namespace: Option<String>,
    /// Address blocks of operators that run outside the Kubernetes cluster, such as 10.0.0.5/32
    #[arg(long = "operator-address-block", env = "EAISER_OPERATOR_ADDRESS_BLOCKS", value_delimiter = ',')]
    pub operator_address_blocks: Vec<AddressBlock>,
    /// Namespace of Prometheus; any when absent
    #[arg(long, env = "EAISER_PROMETHEUS_NAMESPACE")]
    pub prometheus_namespace: Option<String>,
    /// Labels of the Prometheus pods that scrape the tiers
    #[arg(long, env = "EAISER_PROMETHEUS_POD_LABELS", default_value_t)]
    pub prometheus_pod_labels: PodLabels,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            operator_namespace: None,
            operator_address_blocks: Vec::new(),
            prometheus_namespace: None,
            prometheus_pod_labels: PodLabels::default(),
        }
    }
}

/// A value of a setting that does not mean anything, with what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not `ADDRESS/BITS`.
    #[error("`{0}` is no address block; write it like 10.0.0.0/16 or fd00::/64")]
    AddressBlock(String),
    /// Bits set beyond the prefix: the API server refuses to guess which of the two was meant.
    #[error("`{block}` sets bits beyond its prefix; write {network} for the network")]
    HostBits {
        /// As given.
        block: String,
        /// The network it lies in.
        network: AddressBlock,
    },
    /// Not `KEY=VALUE[,KEY=VALUE…]`.
    #[error("`{0}` are no labels; write them like app.kubernetes.io/name=prometheus,team=platform")]
    PodLabels(String),
}

/// A network as NetworkPolicies write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    network: IpAddr,
    bits: u8,
}

impl FromStr for AddressBlock {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::AddressBlock(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(malformed)?;
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits: u8 = bits.parse().map_err(|_| malformed())?;
        let network = match address {
            IpAddr::V4(address) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
            _ => return Err(malformed()),
        };
        let block = Self { network, bits };
        if network == address {
            Ok(block)
        } else {
            Err(ParseError::HostBits { block: text.to_owned(), network: block })
        }
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.bits)
    }
}

/// Labels a pod must have, all of them; never empty, which would mean every pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLabels(BTreeMap<String, String>);

impl PodLabels {
    /// Key and value of each.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl Default for PodLabels {
    /// What the Helm charts of Prometheus and prometheus-operator put on its pods.
    fn default() -> Self {
        Self([(LABEL_NAME.to_owned(), "prometheus".to_owned())].into())
    }
}

impl FromStr for PodLabels {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let word = |word: &str, also: &str| {
            word.chars().all(|character| character.is_ascii_alphanumeric() || also.contains(character))
        };
        let label = |pair: &str| {
            let (key, value) = pair.trim().split_once('=')?;
            let fits = !key.is_empty() && word(key, "-_./") && value.len() <= 63 && word(value, "-_.");
            fits.then(|| (key.to_owned(), value.to_owned()))
        };
        let labels = text.split(',').map(label).collect::<Option<BTreeMap<_, _>>>();
        labels.map(Self).ok_or_else(|| ParseError::PodLabels(text.to_owned()))
    }
}

impl fmt::Display for PodLabels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&crate::names::selector_text(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_block_reads_back_as_it_was_written() {
        for text in ["10.0.0.5/32", "10.0.0.0/8", "0.0.0.0/0", "fd00:1::/64", "::1/128"] {
            assert_eq!(text.parse::<AddressBlock>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_block_is_refused_with_the_right_form() {
        for text in ["", "10.0.0.5", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/-1", "10.0.0.0/8 "] {
            let message = text.parse::<AddressBlock>().unwrap_err().to_string();
            assert!(message.contains("write it like 10.0.0.0/16"), "{text}: {message}");
        }
    }

    #[test]
    fn bits_beyond_the_prefix_are_refused_with_the_network_they_lie_in() {
        let message = "10.87.3.1/16".parse::<AddressBlock>().unwrap_err().to_string();
        assert!(message.contains("write 10.87.0.0/16"), "{message}");
    }

    #[test]
    fn labels_read_back_in_the_order_of_their_keys() {
        let labels: PodLabels = "team=platform,app.kubernetes.io/name=prometheus".parse().unwrap();
        assert_eq!(labels.to_string(), "app.kubernetes.io/name=prometheus,team=platform");
    }

    #[test]
    fn no_labels_would_select_every_pod_and_are_refused() {
        for text in ["", ",", "prometheus", "=prometheus", "a=b,", "a b=c", "a={}"] {
            let message = text.parse::<PodLabels>().unwrap_err().to_string();
            assert!(message.contains("app.kubernetes.io/name=prometheus"), "{text}: {message}");
        }
    }
}
