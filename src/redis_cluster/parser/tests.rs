//! Answers of real Redis 7.0.15 servers, and what must be refused.

use super::*;

/// Primary with an open slot, taken from the giving end.
const MIGRATING: &str = "\
7d4634088449135b6592232430178373bf4d7eb9 127.0.0.1:21002@31002,pod-2.svc master - 0 1795475950040 2 connected 5461-16383
bd8dadfcd074e0969f0e50175f788f7713a9a74e 127.0.0.1:21003@31003,pod-3.svc slave 5a9e4b634f96ad1b9a88bf80ea499da33dd25dda 0 1795475949024 1 connected
5a9e4b634f96ad1b9a88bf80ea499da33dd25dda 127.0.0.1:21001@31001,pod-1.svc myself,master - 0 1795475950000 1 connected 0-5460 [77->-7d4634088449135b6592232430178373bf4d7eb9]
";

/// The same cluster from the taking end, before gossip brought the hostnames.
const IMPORTING: &str = "\
bd8dadfcd074e0969f0e50175f788f7713a9a74e 127.0.0.1:21003@31003,pod-3.svc slave 5a9e4b634f96ad1b9a88bf80ea499da33dd25dda 0 1795475949021 1 connected
7d4634088449135b6592232430178373bf4d7eb9 127.0.0.1:21002@31002,pod-2.svc myself,master - 0 1795475945000 2 connected 5461-16383 [77-<-5a9e4b634f96ad1b9a88bf80ea499da33dd25dda]
5a9e4b634f96ad1b9a88bf80ea499da33dd25dda 127.0.0.1:21001@31001 master - 0 1795475950040 1 connected 0-5460
";

/// Right after two `CLUSTER MEET`: random ids, and no address of its own yet.
const HANDSHAKE: &str = "\
878581938d75c61a66df195ab872a8e2b98feb1b 127.0.0.1:21003@31003 handshake - 0 0 0 connected
5a9e4b634f96ad1b9a88bf80ea499da33dd25dda :21001@31001,pod-1.svc myself,master - 0 0 0 connected
70cbb1f0d082887c1890d41ea9de945085338d0b 127.0.0.1:21002@31002 handshake - 0 0 0 connected
";

/// IPv6, and a node whose address is now another's.
const IPV6_NOADDR: &str = "\
c04155c072eb179f625b1105444e2a70325e82e1 :0@0 master,noaddr - 1795476419779 1795476418071 0 disconnected
b313d891612dbfbfb939742e8748f02a2894358d ::1:21013@31013 master - 0 1795476422090 2 connected
b2e2e65e714f3c20b7ba603552437a49219f3578 ::1:21011@31011 myself,master - 0 1795476421000 1 connected
";

/// A replica whose process was killed.
const FAILED: &str = "\
7d4634088449135b6592232430178373bf4d7eb9 127.0.0.1:21002@31002,pod-2.svc master - 0 1795475956073 2 connected 5461-16383
bd8dadfcd074e0969f0e50175f788f7713a9a74e 127.0.0.1:21003@31003,pod-3.svc slave,fail 5a9e4b634f96ad1b9a88bf80ea499da33dd25dda 1795475951044 1795475949024 1 disconnected
5a9e4b634f96ad1b9a88bf80ea499da33dd25dda 127.0.0.1:21001@31001,pod-1.svc myself,master - 0 1795475955000 1 connected 0-5460 [77->-7d4634088449135b6592232430178373bf4d7eb9]
";

const ONE: &str = "5a9e4b634f96ad1b9a88bf80ea499da33dd25dda";

fn entry(text: &str, id_prefix: &str) -> NodeEntry {
    let entries = cluster_nodes(text).unwrap();
    entries.into_iter().find(|entry| entry.id.as_str().starts_with(id_prefix)).unwrap()
}

#[test]
fn every_field_of_a_line_is_read() {
    let entry = entry(MIGRATING, "7d46");
    let address = entry.address.unwrap();
    assert_eq!(address.ip, "127.0.0.1".parse::<IpAddr>().unwrap());
    assert_eq!((address.port, address.bus_port), (21002, 31002));
    assert_eq!(entry.hostname.as_deref(), Some("pod-2.svc"));
    assert!(entry.flags.primary && !entry.flags.myself && !entry.flags.replica);
    assert_eq!(entry.primary_id, None);
    assert_eq!((entry.ping_sent, entry.pong_received, entry.config_epoch), (0, 1_795_475_950_040, 2));
    assert!(entry.link_connected && entry.is_healthy());
    assert_eq!(entry.slots, SlotSet::parse("5461-16383").unwrap());
}

#[test]
fn a_replica_names_its_primary() {
    let entry = entry(MIGRATING, "bd8d");
    assert!(entry.flags.replica && !entry.flags.primary);
    assert_eq!(entry.primary_id.unwrap().as_str(), ONE);
}

#[test]
fn open_slots_are_read_from_both_ends() {
    let giving = entry(MIGRATING, "5a9e");
    assert_eq!(giving.slots, SlotSet::parse("0-5460").unwrap());
    assert_eq!((giving.open_slots[0].kind, giving.open_slots[0].slot), (OpenSlotKind::Migrating, 77));
    let taking = entry(IMPORTING, "7d46");
    assert_eq!(taking.open_slots[0].kind, OpenSlotKind::Importing);
    assert_eq!(taking.open_slots[0].peer.as_str(), ONE);
}

#[test]
fn a_missing_hostname_is_none() {
    assert_eq!(entry(IMPORTING, "5a9e").hostname, None);
}

#[test]
fn handshakes_and_the_unknown_own_address_are_recognised() {
    assert!(entry(HANDSHAKE, "8785").flags.handshake);
    assert_eq!(entry(HANDSHAKE, "5a9e").address, None);
}

#[test]
fn ipv6_addresses_keep_their_colons() {
    let address = entry(IPV6_NOADDR, "b313").address.unwrap();
    assert_eq!(address, NodeAddress { ip: "::1".parse().unwrap(), port: 21013, bus_port: 31013 });
}

#[test]
fn a_lost_address_is_none_and_flagged() {
    let entry = entry(IPV6_NOADDR, "c041");
    assert_eq!(entry.address, None);
    assert!(entry.flags.no_address && !entry.flags.failed && !entry.is_healthy());
}

#[test]
fn suspicion_and_failure_are_told_apart() {
    assert!(entry(FAILED, "bd8d").flags.failed && !entry(FAILED, "bd8d").flags.suspected);
    let suspected = FAILED.replace("slave,fail ", "slave,fail? ");
    assert!(entry(&suspected, "bd8d").flags.suspected && !entry(&suspected, "bd8d").flags.failed);
}

#[test]
fn newer_fields_and_unknown_flags_are_passed_over() {
    let line = format!(
        "{ONE} 10.1.2.3:6379@16379,pod-1.svc,shard-id=69bc08,nodename=x myself,master,nofailover,telepathic - 0 0 1 connected 5"
    );
    let entry = &cluster_nodes(&line).unwrap()[0];
    assert_eq!(entry.hostname.as_deref(), Some("pod-1.svc"));
    assert!(entry.flags.primary);
    assert_eq!(entry.slots.count(), 1);
    let without_hostname = line.replace("pod-1.svc", "");
    assert_eq!(cluster_nodes(&without_hostname).unwrap()[0].hostname, None);
}

#[test]
fn the_oldest_form_has_no_bus_port() {
    let line = format!("{ONE} 10.1.2.3:6379 myself,master - 0 0 1 connected");
    assert_eq!(cluster_nodes(&line).unwrap()[0].address.unwrap().bus_port, 16379);
}

#[test]
fn malformed_lines_are_refused_with_line_and_field() {
    let good = format!("{ONE} 10.1.2.3:6379@16379 myself,master - 0 0 1 connected 0-5");
    assert!(cluster_nodes(&good).is_ok());
    for (from, to, expected) in [
        (ONE, "5a9e", "40 hexadecimal digits"),
        ("10.1.2.3:6379@16379", "10.1.2.3", "ip:port@bus-port"),
        ("6379@16379", "6379@99999", "ip:port@bus-port"),
        (" - ", " someone ", "40 hexadecimal digits"),
        ("0 0 1 connected", "0 0 one connected", "config-epoch \"one\""),
        (" connected 0-5", "", "link-state is missing"),
        ("0-5", "5-0", "is not a slot"),
        ("0-5", "0-16384", "is not a slot"),
        ("0-5", "[77->-5a9e]", "40 hexadecimal digits"),
        ("0-5", "[77]", "not an open slot"),
    ] {
        let error = cluster_nodes(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains(expected), "{from} -> {to}: {error}");
    }
}

#[test]
fn an_answer_without_one_self_is_refused() {
    assert_eq!(cluster_nodes("").unwrap_err(), ParseError::Myself { found: 0 });
    let twice = format!("{MIGRATING}{MIGRATING}");
    assert_eq!(cluster_nodes(&twice).unwrap_err(), ParseError::Myself { found: 2 });
}

#[test]
fn cluster_info_is_read() {
    let text = "cluster_state:fail\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n\
                cluster_known_nodes:3\r\ncluster_size:2\r\ncluster_current_epoch:2\r\ncluster_my_epoch:1\r\n";
    let expected = ClusterInfo { state_ok: false, slots_assigned: 16384, current_epoch: 2 };
    assert_eq!(cluster_info(text).unwrap(), expected);
    let error = cluster_info("cluster_state:ok\r\n").unwrap_err().to_string();
    assert_eq!(error, "CLUSTER INFO lacks a readable cluster_slots_assigned");
}

#[test]
fn replication_tells_role_and_link() {
    let replica = "# Replication\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\n";
    assert_eq!(replication("# Replication\r\nrole:master\r\n").unwrap(), Replication::Primary);
    let down = LinkStatus::Down { dialing: Some("127.0.0.1".parse().unwrap()) };
    assert_eq!(replication(replica).unwrap(), Replication::Replica { link: down });
    let syncing = replica.replace("in_progress:0", "in_progress:1");
    assert_eq!(replication(&syncing).unwrap(), Replication::Replica { link: LinkStatus::Syncing });
    let up = replica.replace("link_status:down", "link_status:up");
    assert_eq!(replication(&up).unwrap(), Replication::Replica { link: LinkStatus::Up });
    assert!(replication("").is_err());
}

#[test]
fn valkey_tells_its_own_version() {
    assert_eq!(version("redis_version:7.0.15\r\n").as_deref(), Some("7.0.15"));
    assert_eq!(version("redis_version:7.2.4\r\nvalkey_version:8.1.0\r\n").as_deref(), Some("8.1.0"));
    assert_eq!(version(""), None);
}
