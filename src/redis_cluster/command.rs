//! The closed list of commands the operator can send to a Redis node. Pure.
//!
//! Nothing else can be expressed: no command that empties a node, resets it, or promotes a replica
//! by force has a variant here, and the client sends nothing but this type.

use super::slots::SlotSet;
use super::topology::{NodeAddress, NodeId};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `PING`
    Ping,
    /// `DBSIZE`
    DbSize,
    /// `INFO section`
    Info(InfoSection),
    /// `CLUSTER NODES`
    ClusterNodes,
    /// `CLUSTER INFO`
    ClusterInfo,
    /// `CLUSTER MYID`
    ClusterMyId,
    /// `CLUSTER MEET ip port bus-port`: shake hands, or correct the address of a known node.
    ClusterMeet(NodeAddress),
    /// `CLUSTER SET-CONFIG-EPOCH epoch`: only a node that knows no other accepts it.
    ClusterSetConfigEpoch(u64),
    /// `CLUSTER ADDSLOTSRANGE start end …`: all or nothing, refused when a slot has an owner.
    ClusterAddSlotsRange(SlotSet),
    /// `CLUSTER REPLICATE id`: a primary that holds keys or slots refuses it.
    ClusterReplicate(NodeId),
    /// `CLUSTER FORGET id`
    ClusterForget(NodeId),
    /// `CLUSTER FAILOVER`: the replica asked takes over once its primary has stopped writing and
    /// nothing is missing. Without the words that would skip the primary or the vote.
    ClusterFailover,
}

/// The parts of `INFO` the operator reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoSection {
    /// `INFO server`
    Server,
    /// `INFO replication`
    Replication,
}

impl Command {
    /// The command as Redis takes it, one argument per element.
    pub fn words(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Ping => words(&["PING"]),
            Self::DbSize => words(&["DBSIZE"]),
            Self::Info(InfoSection::Server) => words(&["INFO", "server"]),
            Self::Info(InfoSection::Replication) => words(&["INFO", "replication"]),
            Self::ClusterNodes => words(&["CLUSTER", "NODES"]),
            Self::ClusterInfo => words(&["CLUSTER", "INFO"]),
            Self::ClusterMyId => words(&["CLUSTER", "MYID"]),
            Self::ClusterMeet(NodeAddress { ip, port, bus_port }) => {
                words(&["CLUSTER", "MEET", &ip.to_string(), &port.to_string(), &bus_port.to_string()])
            }
            Self::ClusterSetConfigEpoch(epoch) => words(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()]),
            Self::ClusterAddSlotsRange(slots) => {
                let bounds = slots.ranges().flat_map(|range| [range.start(), range.end()]);
                let bounds = bounds.map(|slot| slot.to_string());
                words(&["CLUSTER", "ADDSLOTSRANGE"]).into_iter().chain(bounds).collect()
            }
            Self::ClusterReplicate(id) => words(&["CLUSTER", "REPLICATE", id.as_str()]),
            Self::ClusterForget(id) => words(&["CLUSTER", "FORGET", id.as_str()]),
            Self::ClusterFailover => words(&["CLUSTER", "FAILOVER"]),
        }
    }

    /// The command without its arguments, for messages and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::DbSize => "DBSIZE",
            Self::Info(_) => "INFO",
            Self::ClusterNodes => "CLUSTER NODES",
            Self::ClusterInfo => "CLUSTER INFO",
            Self::ClusterMyId => "CLUSTER MYID",
            Self::ClusterMeet(_) => "CLUSTER MEET",
            Self::ClusterSetConfigEpoch(_) => "CLUSTER SET-CONFIG-EPOCH",
            Self::ClusterAddSlotsRange(_) => "CLUSTER ADDSLOTSRANGE",
            Self::ClusterReplicate(_) => "CLUSTER REPLICATE",
            Self::ClusterForget(_) => "CLUSTER FORGET",
            Self::ClusterFailover => "CLUSTER FAILOVER",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Command> {
        let id = NodeId::parse(&"a".repeat(40)).unwrap();
        let address = NodeAddress { ip: "10.0.0.7".parse().unwrap(), port: 6379, bus_port: 16379 };
        vec![
            Command::Ping,
            Command::DbSize,
            Command::Info(InfoSection::Server),
            Command::Info(InfoSection::Replication),
            Command::ClusterNodes,
            Command::ClusterInfo,
            Command::ClusterMyId,
            Command::ClusterMeet(address),
            Command::ClusterSetConfigEpoch(3),
            Command::ClusterAddSlotsRange(SlotSet::parse("0-5,9").unwrap()),
            Command::ClusterReplicate(id.clone()),
            Command::ClusterForget(id),
            Command::ClusterFailover,
        ]
    }

    /// Fails to compile when a variant is added, so that the list above and the one below are
    /// looked at again.
    fn is_on_the_list(command: &Command) -> bool {
        match command {
            Command::Ping
            | Command::DbSize
            | Command::Info(InfoSection::Server | InfoSection::Replication)
            | Command::ClusterNodes
            | Command::ClusterInfo
            | Command::ClusterMyId
            | Command::ClusterMeet(_)
            | Command::ClusterSetConfigEpoch(_)
            | Command::ClusterAddSlotsRange(_)
            | Command::ClusterReplicate(_)
            | Command::ClusterForget(_)
            | Command::ClusterFailover => true,
        }
    }

    #[test]
    fn only_harmless_commands_can_be_expressed() {
        let allowed = [
            "PING",
            "DBSIZE",
            "INFO server",
            "INFO replication",
            "CLUSTER NODES",
            "CLUSTER INFO",
            "CLUSTER MYID",
            "CLUSTER MEET",
            "CLUSTER SET-CONFIG-EPOCH",
            "CLUSTER ADDSLOTSRANGE",
            "CLUSTER REPLICATE",
            "CLUSTER FORGET",
            "CLUSTER FAILOVER",
        ];
        let forbidden = ["FLUSHALL", "FLUSHDB", "RESET", "TAKEOVER", "FORCE", "DEL", "DELSLOTS"];
        let commands = one_of_each();
        assert_eq!(commands.len(), allowed.len(), "every variant has its place on the list");
        for (command, expected) in commands.iter().zip(allowed) {
            assert!(is_on_the_list(command));
            let words = command.words();
            assert!(words.join(" ").starts_with(expected), "{words:?} is not {expected}");
            assert!(expected.starts_with(command.name()));
            assert!(words.iter().all(|word| !forbidden.contains(&word.to_uppercase().as_str())), "{words:?}");
        }
    }

    #[test]
    fn a_failover_is_plain_and_takes_no_option() {
        assert_eq!(Command::ClusterFailover.words(), ["CLUSTER", "FAILOVER"]);
    }

    #[test]
    fn the_client_sends_this_type_and_nothing_else() {
        // The one place where a command leaves for the wire builds it from `Command::words`.
        let client = include_str!("client.rs");
        assert_eq!(client.matches("Cmd::new()").count(), 1);
        assert_eq!(client.matches("redis::cmd(").count(), 0);
        assert_eq!(client.matches("command.words()").count(), 1);
    }

    #[test]
    fn slot_ranges_become_pairs_of_bounds() {
        let slots = SlotSet::parse("0-5,9").unwrap();
        assert_eq!(
            Command::ClusterAddSlotsRange(slots).words(),
            ["CLUSTER", "ADDSLOTSRANGE", "0", "5", "9", "9"]
        );
    }

    #[test]
    fn meet_carries_the_bus_port_and_an_ipv6_address_without_brackets() {
        let address = NodeAddress { ip: "fd00::7".parse().unwrap(), port: 6379, bus_port: 16379 };
        assert_eq!(Command::ClusterMeet(address).words(), ["CLUSTER", "MEET", "fd00::7", "6379", "16379"]);
    }
}
