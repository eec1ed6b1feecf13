//! Readers of what Redis prints: `CLUSTER NODES`, `CLUSTER INFO`, `INFO`. Pure.
//!
//! The formats have grown with every release, so unknown flags, fields and sections are passed
//! over; what the operator decides upon must be there and well formed, or the whole answer is
//! refused. A half-read view of a cluster is worse than none.

use std::net::IpAddr;

use thiserror::Error;

use super::slots::{SlotRange, SlotSet};
use super::topology::{
    ClusterInfo, EntryFlags, LinkStatus, NodeAddress, NodeEntry, NodeId, OpenSlot, OpenSlotKind, Replication,
};

/// An answer that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// A line of `CLUSTER NODES` with a missing or malformed field.
    #[error("CLUSTER NODES line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Which field, and what it holds.
        problem: String,
    },
    /// Not exactly one line carries the flag `myself`.
    #[error("CLUSTER NODES names {found} nodes as myself, expected one")]
    Myself {
        /// How many lines do.
        found: usize,
    },
    /// A `key:value` field is missing or malformed.
    #[error("{section} lacks a readable {field}")]
    Field {
        /// The command that was answered.
        section: &'static str,
        /// The key.
        field: &'static str,
    },
}

/// Reads the whole answer of `CLUSTER NODES`; exactly one entry is `myself`.
pub fn cluster_nodes(text: &str) -> Result<Vec<NodeEntry>, ParseError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            let entry = node_line(line);
            entries.push(entry.map_err(|problem| ParseError::Line { line: index + 1, problem })?);
        }
    }
    let found = entries.iter().filter(|entry| entry.flags.myself).count();
    if found == 1 { Ok(entries) } else { Err(ParseError::Myself { found }) }
}

/// `id ip:port@bus[,hostname[,key=value…]] flags primary ping pong epoch link slot…`
fn node_line(line: &str) -> Result<NodeEntry, String> {
    let mut fields = line.split_ascii_whitespace();
    let mut field = |name: &str| fields.next().ok_or_else(|| format!("{name} is missing"));
    let id = node_id(field("id")?)?;
    let (address, hostname) = address(field("address")?)?;
    let flags = flags(field("flags")?);
    let primary_id = match field("primary")? {
        "-" => None,
        text => Some(node_id(text)?),
    };
    let ping_sent = number(field("ping-sent")?, "ping-sent")?;
    let pong_received = number(field("pong-received")?, "pong-received")?;
    let config_epoch = number(field("config-epoch")?, "config-epoch")?;
    let link_connected = field("link-state")? == "connected";
    let mut slots = SlotSet::new();
    let mut open_slots = Vec::new();
    for text in fields {
        if text.starts_with('[') {
            open_slots.push(open_slot(text)?);
        } else {
            slots.insert(SlotRange::parse(text).map_err(|error| error.to_string())?);
        }
    }
    Ok(NodeEntry {
        id,
        address,
        hostname,
        flags,
        primary_id,
        ping_sent,
        pong_received,
        config_epoch,
        link_connected,
        slots,
        open_slots,
    })
}

fn node_id(text: &str) -> Result<NodeId, String> {
    NodeId::parse(text).ok_or_else(|| format!("\"{text}\" is not a node id of 40 hexadecimal digits"))
}

fn number(text: &str, name: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name} \"{text}\" is not a number"))
}

/// The last colon parts address and port, since an IPv6 address has colons of its own.
/// An empty address means unknown: the node itself before its first contact, or `noaddr`.
fn address(text: &str) -> Result<(Option<NodeAddress>, Option<String>), String> {
    let invalid = || format!("\"{text}\" is not ip:port@bus-port");
    let mut fields = text.split(',');
    let endpoint = fields.next().ok_or_else(invalid)?;
    let hostname = fields.next().filter(|field| !field.is_empty() && !field.contains('=')).map(str::to_owned);
    let (ip, ports) = endpoint.rsplit_once(':').ok_or_else(invalid)?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| invalid());
    let (port, bus_port) = if let Some((port, bus)) = ports.split_once('@') {
        (number(port)?, number(bus)?)
    } else {
        // Redis 3 prints no bus port; it is fixed there.
        (number(ports)?, number(ports)?.saturating_add(10_000))
    };
    let bare = ip.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok().map(|ip| NodeAddress { ip, port, bus_port });
    Ok((address, hostname))
}

fn flags(text: &str) -> EntryFlags {
    let mut flags = EntryFlags::default();
    for flag in text.split(',') {
        match flag {
            "myself" => flags.myself = true,
            "master" => flags.primary = true,
            "slave" | "replica" => flags.replica = true,
            "fail?" => flags.suspected = true,
            "fail" => flags.failed = true,
            "handshake" => flags.handshake = true,
            "noaddr" => flags.no_address = true,
            _ => {}
        }
    }
    flags
}

/// `[77->-id]` on the node that gives the slot away, `[77-<-id]` on the one that takes it.
fn open_slot(text: &str) -> Result<OpenSlot, String> {
    let invalid = || format!("\"{text}\" is not an open slot");
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(invalid)?;
    let (kind, slot, peer) = if let Some((slot, peer)) = inner.split_once("->-") {
        (OpenSlotKind::Migrating, slot, peer)
    } else if let Some((slot, peer)) = inner.split_once("-<-") {
        (OpenSlotKind::Importing, slot, peer)
    } else {
        return Err(invalid());
    };
    let slot = SlotRange::parse(slot).map_err(|_| invalid())?.start();
    Ok(OpenSlot { kind, slot, peer: node_id(peer)? })
}

/// Reads `CLUSTER INFO`.
pub fn cluster_info(text: &str) -> Result<ClusterInfo, ParseError> {
    let missing = |field| ParseError::Field { section: "CLUSTER INFO", field };
    let number = |field| {
        let value = value(text, field).and_then(|text| text.parse::<u64>().ok());
        value.ok_or_else(|| missing(field))
    };
    let state = value(text, "cluster_state").ok_or_else(|| missing("cluster_state"))?;
    let assigned = number("cluster_slots_assigned")?;
    Ok(ClusterInfo {
        state_ok: state == "ok",
        slots_assigned: u16::try_from(assigned).map_err(|_| missing("cluster_slots_assigned"))?,
        current_epoch: number("cluster_current_epoch")?,
    })
}

/// Reads `INFO replication`.
pub fn replication(text: &str) -> Result<Replication, ParseError> {
    match value(text, "role") {
        Some("master") => Ok(Replication::Primary),
        Some("slave" | "replica") => Ok(Replication::Replica {
            link: match value(text, "master_link_status") {
                Some("up") => LinkStatus::Up,
                _ if value(text, "master_sync_in_progress") == Some("1") => LinkStatus::Syncing,
                _ => LinkStatus::Down {
                    dialing: value(text, "master_host").and_then(|host| host.parse().ok()),
                },
            },
        }),
        _ => Err(ParseError::Field { section: "INFO replication", field: "role" }),
    }
}

/// The server's version out of `INFO server`. Valkey reports the Redis version it is compatible
/// with under `redis_version` and its own under `valkey_version`; its own is what counts.
pub fn version(text: &str) -> Option<String> {
    value(text, "valkey_version").or_else(|| value(text, "redis_version")).map(str::to_owned)
}

fn value<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim_end().strip_prefix(field)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests;
