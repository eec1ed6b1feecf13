//! The whole loop against three running servers on loopback: observe, decide, run.
//!
//! `MONGOD=/path/to/mongod cargo test --lib mongo::driver::live_test -- --ignored --nocapture`
//! with a real mongod, or with the stand-in of `tests/lab`, which its output then says.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use mongodb::options::WriteConcern;

use super::{Outcome, run};
use crate::mongo::Connections;
use crate::mongo::observe::{self, Credentials, Target};
use crate::mongo::steps::{Next, Step, next};
use crate::mongo::topology::{Topology, UserState, View};
use crate::mongo::wanted::{ApplicationUser, Wanted, WantedMember};
use crate::password::Password;

const KEY: &str = "bG9vcGJhY2stdGVzdC1rZXlmaWxlLWNvbnRlbnQ=";
const PATIENCE: Duration = Duration::from_secs(60);

/// One server process; killed by its process id when dropped.
struct Server {
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Lab {
    mongod: PathBuf,
    folder: PathBuf,
    ports: Vec<u16>,
    servers: Vec<Option<Server>>,
    connections: Connections,
    password: Password,
}

impl Lab {
    fn start(mongod: PathBuf) -> Self {
        let folder = std::env::temp_dir().join(format!("eaiser-mongo-live-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let keyfile = folder.join("keyfile");
        // The line break is there on purpose: Secrets often end in one.
        fs::write(&keyfile, format!("{KEY}\n")).unwrap();
        fs::set_permissions(&keyfile, fs::Permissions::from_mode(0o400)).unwrap();
        let mut lab = Self {
            mongod,
            folder,
            ports: free_ports(3),
            servers: vec![None, None, None],
            connections: Connections::new(),
            password: Password::new("first p@ss:word"),
        };
        for pod in 0..3 {
            lab.boot(pod);
        }
        lab
    }

    fn boot(&mut self, pod: usize) {
        let data = self.folder.join(format!("db-{pod}"));
        fs::create_dir_all(&data).unwrap();
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.folder.join(format!("db-{pod}.log")));
        let child = Command::new(&self.mongod)
            .args(["--replSet", "db", "--bind_ip", "127.0.0.1", "--port", &self.ports[pod].to_string()])
            .arg("--dbpath")
            .arg(&data)
            .arg("--keyFile")
            .arg(self.folder.join("keyfile"))
            .stdout(log.unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.servers[pod] = Some(Server { child });
    }

    fn host(&self, pod: usize) -> String {
        self.address(pod).to_string()
    }

    fn address(&self, pod: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[pod]))
    }

    fn user(&self) -> ApplicationUser {
        ApplicationUser { name: "app".into(), database: "shop".into(), password: self.password.clone() }
    }

    fn wanted(&self, members: usize) -> Wanted {
        let member = |pod| WantedMember { pod: format!("db-{pod}"), host: self.host(pod) };
        Wanted {
            replica_set: "db".into(),
            members: (0..members).map(member).collect(),
            application_user: self.user(),
            initiated_before: false,
        }
    }

    async fn observe(&self) -> Topology {
        let running = (0..3).filter(|pod| self.servers[*pod].is_some());
        let target = |pod| Target {
            pod: format!("db-{pod}"),
            host: self.host(pod),
            address: Some(self.address(pod)),
            terminating: false,
        };
        let credentials =
            Credentials { keyfile: Password::new(format!("{KEY}\n")), application_user: self.user() };
        observe::topology(&running.map(target).collect::<Vec<_>>(), &credentials, &self.connections).await
    }

    /// Passes until settled; the steps that were carried out.
    async fn settle(&self, members: usize, what: &str) -> Vec<Step> {
        let (wanted, began, mut steps) = (self.wanted(members), Instant::now(), Vec::new());
        let mut told = String::new();
        while began.elapsed() < PATIENCE {
            let seen = self.observe().await;
            match next(&wanted, &seen) {
                Next::Settled => {
                    println!("{what}: settled after {:?} with {} steps", began.elapsed(), steps.len());
                    return steps;
                }
                Next::Do(step) => {
                    let outcome = run(&step, &wanted, &seen, &self.connections).await;
                    println!("{what}: {:>6.2?} {step}: {outcome:?}", began.elapsed());
                    if outcome.unwrap() == Outcome::Done {
                        steps.push(step);
                        continue;
                    }
                }
                Next::Wait(reason) if reason != told => {
                    println!("{what}: {:>6.2?} waits: {reason}", began.elapsed());
                    told = reason;
                }
                Next::Wait(_) => {}
            }
            pause().await;
        }
        panic!("{what}: not settled within {PATIENCE:?}: {told}; steps {steps:?}");
    }

    async fn primary(&self) -> usize {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some((observed, _)) = self.observe().await.primary() {
                return (0..3).find(|pod| self.host(*pod) == observed.host).unwrap();
            }
            pause().await;
        }
        panic!("no primary within {PATIENCE:?}");
    }

    /// Writes one document as the application user, acknowledged by a majority.
    async fn write(&self, number: i32) {
        let client = self.application(self.primary().await);
        let orders = client.database("shop").collection("orders");
        orders.insert_one(doc! { "_id": number }).write_concern(WriteConcern::majority()).await.unwrap();
    }

    /// Waits until the application user sees so many documents on one member: a majority write need
    /// not have reached every secondary yet.
    async fn has_documents(&self, pod: usize, documents: i32) {
        let (client, began, mut seen) = (self.application(pod), Instant::now(), 0);
        while began.elapsed() < PATIENCE {
            let reply = client.database("shop").run_command(doc! { "count": "orders" }).await.unwrap();
            seen = reply.get_i32("n").unwrap();
            if seen == documents {
                return;
            }
            pause().await;
        }
        panic!("db-{pod} has {seen} documents, not {documents}, after {PATIENCE:?}");
    }

    fn application(&self, pod: usize) -> mongodb::Client {
        let member = (self.host(pod), self.address(pod));
        let password = self.password.expose().to_owned();
        self.connections.client((&member.0, member.1), "app", "shop", password).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.servers.clear();
        if std::thread::panicking() {
            println!("logs and data are kept in {}", self.folder.display());
        } else {
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test waits for servers; reconciling does not")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[expect(clippy::disallowed_methods, reason = "the path of the server under test comes from outside")]
fn mongod() -> PathBuf {
    let path = std::env::var("MONGOD").expect("$MONGOD: path of a mongod or of the stand-in");
    assert!(Path::new(&path).is_file(), "{path} is no file");
    PathBuf::from(path)
}

fn count_steps(steps: &[Step], is_counted: fn(&Step) -> bool) -> usize {
    steps.iter().filter(|step| is_counted(step)).count()
}

/// One story rather than many tests: forming a set costs seconds on a real server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs $MONGOD: path of a mongod or of the stand-in"]
async fn a_set_is_formed_scaled_and_given_a_new_password() {
    let mut lab = Lab::start(mongod());

    let formed = lab.settle(3, "form").await;
    assert_eq!(count_steps(&formed, |step| matches!(step, Step::Initiate { .. })), 1);
    assert_eq!(count_steps(&formed, |step| matches!(step, Step::GrantVote { .. })), 2);
    assert_eq!(lab.settle(3, "form again").await, []);
    lab.write(1).await;

    lab.password = Password::new("second p@ss/word%");
    assert_eq!(lab.observe().await.application_user, UserState::PasswordDiffers);
    assert_eq!(lab.settle(3, "change password").await, [Step::UpdateUser]);
    lab.write(2).await;

    lab = hand_over_and_shrink(lab).await;
    lab.has_documents(0, 2).await;
    lab.write(3).await;

    lab.boot(1);
    lab.boot(2);
    let grown = lab.settle(3, "grow").await;
    assert_eq!(count_steps(&grown, |step| matches!(step, Step::GrantVote { .. })), 2);
    lab.write(4).await;
    for pod in 0..3 {
        lab.has_documents(pod, 4).await;
    }

    lab = lose_a_disk(lab).await;
    lab.has_documents(2, 4).await;
}

/// The primary is one of those that leave, so it has to hand over.
async fn hand_over_and_shrink(mut lab: Lab) -> Lab {
    let first = lab.primary().await;
    if first == 0 {
        let seen = lab.observe().await;
        let step = Step::StepDown { host: lab.host(0) };
        let outcome = run(&step, &lab.wanted(3), &seen, &lab.connections).await;
        println!("step down db-0: {outcome:?}");
        assert_eq!(outcome.unwrap(), Outcome::Done);
    }
    assert_ne!(lab.primary().await, 0);
    let shrunk = lab.settle(1, "shrink").await;
    assert_eq!(count_steps(&shrunk, |step| matches!(step, Step::RemoveMember { .. })), 2);
    assert_eq!(lab.primary().await, 0);
    assert_eq!(lab.observe().await.occupied(), Some([lab.host(0)].into()));
    lab.servers[1] = None;
    lab.servers[2] = None;
    lab
}

/// A member whose disk was emptied finds its way back without a second set.
async fn lose_a_disk(mut lab: Lab) -> Lab {
    lab.servers[2] = None;
    let seen = lab.observe().await;
    assert!(seen.survives_loss_of(&lab.host(1)).is_err(), "a second one may not go too");
    fs::remove_dir_all(lab.folder.join("db-2")).unwrap();
    lab.boot(2);
    let steps = lab.settle(3, "lost disk").await;
    assert_eq!(count_steps(&steps, |step| matches!(step, Step::Initiate { .. })), 0);
    assert!(lab.observe().await.members.iter().all(|observed| matches!(observed.view, View::Member(_))));
    lab
}
