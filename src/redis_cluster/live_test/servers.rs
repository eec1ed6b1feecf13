//! `redis-server` processes on loopback, one per pod, configured as the operator configures them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;

use super::pause;
use crate::password::Password;
use crate::redis_cluster::topology::{NodeId, View};
use crate::redis_cluster::{Connections, Credentials, Target, Wanted, WantedShard, observe};

pub(super) const PASSWORD: &str = "correct-horse-battery";

static NEXT_PORT: AtomicU16 = AtomicU16::new(22_000);
static NEXT_DIRECTORY: AtomicU32 = AtomicU32::new(0);

/// One pod: its volume is the directory, its address the port.
struct Server {
    pod: String,
    shard: usize,
    port: u16,
    directory: PathBuf,
    process: Option<Child>,
}

/// Processes end with the value.
pub(super) struct Cluster {
    servers: Vec<Server>,
    shards: usize,
    root: PathBuf,
}

impl Cluster {
    pub(super) async fn start(shards: usize, pods: usize) -> Self {
        let number = NEXT_DIRECTORY.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("eaiser-redis-{}-{number}", std::process::id()));
        let place = |shard: usize, pod: usize| Server {
            pod: format!("shard-{shard}-{pod}"),
            shard,
            port: free_port(),
            directory: root.join(format!("{shard}-{pod}")),
            process: None,
        };
        let servers = (0..shards).flat_map(|shard| (0..pods).map(move |pod| (shard, pod)));
        let servers = servers.map(|(shard, pod)| place(shard, pod)).collect();
        let mut cluster = Self { servers, shards, root };
        cluster.servers.iter_mut().for_each(Server::start);
        cluster.await_answers().await;
        cluster
    }

    pub(super) fn wanted(&self) -> Wanted {
        let pods = |shard| {
            let servers = self.servers.iter().filter(move |server| server.shard == shard);
            servers.map(|server| server.pod.clone()).collect()
        };
        let shard = |shard| WantedShard { name: format!("shard-{shard}"), pods: pods(shard) };
        Wanted { shards: (0..self.shards).map(shard).collect() }
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        self.servers.iter().map(Server::target).collect()
    }

    pub(super) fn connections(&self) -> Connections {
        self.connections_with(PASSWORD)
    }

    #[expect(clippy::unused_self, reason = "reads as a property of the cluster")]
    pub(super) fn connections_with(&self, password: &str) -> Connections {
        Connections::new(Credentials { username: None, password: Password::new(password) })
    }

    pub(super) async fn ids(&self) -> Vec<Option<NodeId>> {
        let topology = observe::topology(&self.targets(), &self.connections()).await;
        topology.nodes.iter().map(|node| node.view.node().map(|view| view.id.clone())).collect()
    }

    pub(super) fn stop(&mut self, index: usize) {
        self.servers[index].stop();
    }

    pub(super) fn wipe(&mut self, index: usize) {
        fs::remove_dir_all(&self.servers[index].directory).unwrap();
    }

    /// As an in-memory cluster after a restart: `nodes.conf` is there, the keys are not.
    pub(super) fn lose_data_but_not_identity(&mut self, index: usize) {
        fs::remove_dir_all(self.servers[index].directory.join("appendonlydir")).unwrap();
    }

    /// What a person would type into `redis-cli`; the module itself cannot express it.
    pub(super) async fn promote_by_hand(&self, pod: &str) {
        let server = self.servers.iter().find(|server| server.pod == pod).unwrap();
        let mut connection = server.client().await;
        let mut failover = redis::cmd("CLUSTER");
        failover.arg("FAILOVER").arg("FORCE");
        failover.query_async::<()>(&mut connection).await.unwrap();
    }

    pub(super) async fn restart(&mut self, index: usize) {
        self.servers[index].stop();
        self.servers[index].start();
        self.await_answers().await;
    }

    pub(super) async fn restart_with_new_port(&mut self, index: usize) {
        self.servers[index].stop();
        self.servers[index].port = free_port();
        self.servers[index].start();
        self.await_answers().await;
    }

    pub(super) async fn restart_all_with_new_ports(&mut self) {
        for server in &mut self.servers {
            server.stop();
            server.port = free_port();
        }
        self.servers.iter_mut().for_each(Server::start);
        self.await_answers().await;
    }

    /// Every server comes back where another one was.
    pub(super) async fn restart_all_with_rotated_ports(&mut self) {
        self.servers.iter_mut().for_each(Server::stop);
        let ports: Vec<u16> = self.servers.iter().map(|server| server.port).collect();
        let count = ports.len();
        for (index, server) in self.servers.iter_mut().enumerate() {
            server.port = ports[(index + 1) % count];
            server.start();
        }
        self.await_answers().await;
    }

    /// Writes at whichever node owns the key's slot, and waits until its replica has it.
    pub(super) async fn write(&self, key: &str, value: &str) {
        for server in &self.servers {
            let mut connection = server.client().await;
            let set = redis::cmd("SET").arg(key).arg(value).query_async::<()>(&mut connection).await;
            if set.is_ok() {
                let wait = redis::cmd("WAIT").arg(1).arg(5000).query_async::<i64>(&mut connection).await;
                assert_eq!(wait.unwrap(), 1, "the replica has the key");
                return;
            }
        }
        panic!("no node took the key {key}");
    }

    pub(super) async fn read(&self, key: &str) -> Option<String> {
        for server in &self.servers {
            let mut connection = server.client().await;
            if let Ok(value) = redis::cmd("GET").arg(key).query_async(&mut connection).await {
                return value;
            }
        }
        None
    }

    async fn await_answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let topology = observe::topology(&self.targets(), &self.connections()).await;
            if topology.nodes.iter().all(|node| matches!(node.view, View::Node(_))) {
                return;
            }
            pause(Duration::from_millis(20)).await;
        }
        panic!("servers do not answer; see {}", self.root.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(Server::stop);
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

impl Server {
    fn target(&self) -> Target {
        Target {
            pod: self.pod.clone(),
            shard: self.shard,
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port: self.port,
            host_node: None,
            terminating: false,
        }
    }

    fn start(&mut self) {
        fs::create_dir_all(&self.directory).unwrap();
        let binary = std::env::var_os("REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let log = fs::File::create(self.directory.join("server.log")).unwrap();
        let port = self.port.to_string();
        let process = Process::new(binary)
            .current_dir(&self.directory)
            .args(["--port", &port, "--bind", "127.0.0.1", "--cluster-enabled", "yes"])
            .args(["--cluster-node-timeout", "5000", "--cluster-announce-ip", "127.0.0.1"])
            .args(["--cluster-announce-hostname", &format!("{}.redis.svc", self.pod)])
            .args(["--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"])
            .args(["--appendonly", "yes", "--save", "", "--requirepass", PASSWORD, "--masterauth", PASSWORD])
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("redis-server: {error}")));
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    async fn client(&self) -> MultiplexedConnection {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port);
        redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
    }
}

/// Client port and bus port are both free at this moment.
fn free_port() -> u16 {
    loop {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "out of ports");
        let free = |port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}
