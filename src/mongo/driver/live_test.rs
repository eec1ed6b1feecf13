//! The whole loop against three running servers on loopback: observe, decide, run.
//!
//! `MONGOD=/path/to/mongod cargo test --lib mongo::driver::live_test -- --ignored --nocapture`
//! with a real mongod, or with the stand-in of `tests/lab`, which its output then says.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use mongodb::options::WriteConcern;

use super::{Error, Outcome, run};
use crate::mongo::Connections;
use crate::mongo::observe::{self, Credentials, Target};
use crate::mongo::steps::{Next, Step, next, next_of_users};
use crate::mongo::topology::{Topology, UserState, View};
use crate::mongo::users::{Role, User, UserName};
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
    users: Vec<User>,
    unwanted: BTreeSet<UserName>,
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
            users: Vec::new(),
            unwanted: BTreeSet::new(),
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
            users: self.users.clone(),
            unwanted_users: self.unwanted.clone(),
        }
    }

    async fn observe(&self) -> Topology {
        let target = |pod| Target {
            pod: format!("db-{pod}"),
            host: self.host(pod),
            address: self.servers[pod].is_some().then(|| self.address(pod)),
            terminating: false,
        };
        let credentials = Credentials {
            keyfile: Password::new(format!("{KEY}\n")),
            application_user: self.user(),
            users: self.users.clone(),
            asked_for: Vec::new(),
        };
        observe::topology(&(0..3).map(target).collect::<Vec<_>>(), &credentials, &self.connections).await
    }

    /// Passes until settled; the steps that were carried out.
    async fn settle(&self, members: usize, what: &str) -> Vec<Step> {
        let (wanted, began, mut steps) = (self.wanted(members), Instant::now(), Vec::new());
        let mut told = String::new();
        while began.elapsed() < PATIENCE {
            let seen = self.observe().await;
            let of_users = || next_of_users(&wanted, &seen).map(Next::Do);
            let verdict = match next(&wanted, &seen) {
                Next::Settled => of_users().unwrap_or(Next::Settled),
                other => other,
            };
            match verdict {
                Next::Settled => {
                    println!("{what}: settled after {:?} with {} steps", began.elapsed(), steps.len());
                    return steps;
                }
                Next::Do(step) => {
                    let outcome = run(&step, &wanted, &seen, &self.connections).await;
                    println!("{what}: {:>6.2?} {step}: {outcome:?}", began.elapsed());
                    // What is refused is not repeated for a while, and the others go on.
                    if matches!(outcome, Ok(Outcome::Done) | Err(Error::Refused { .. })) {
                        steps.push(step);
                        continue;
                    }
                    outcome.unwrap();
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
    assert_eq!(lab.settle(3, "change password").await, [Step::UpdateUser { user: lab.user().user().name }]);
    lab.write(2).await;

    lab = users_come_change_and_go(lab).await;

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

/// Users besides the application's: one of another database, one that the server refuses, one that is
/// changed by hand, one that leaves.
async fn users_come_change_and_go(mut lab: Lab) -> Lab {
    let user = |name: &str, database: &str, role: &str, on: &str| User {
        name: UserName { name: name.into(), database: database.into() },
        roles: [Role { name: role.into(), database: on.into() }].into(),
        password: Password::new(format!("{name}'s p@ss/word: %")),
    };
    lab.users = vec![
        user("auditor", "shop", "no-such-role", "shop"),
        user("billing", "bank", "readWrite", "bank"),
        user("reader", "admin", "read", "shop"),
    ];
    let names: Vec<UserName> = lab.users.iter().map(|user| user.name.clone()).collect();
    let steps = lab.settle(3, "users").await;
    assert_eq!(steps, names.iter().map(|user| Step::CreateUser { user: user.clone() }).collect::<Vec<_>>());
    let seen = lab.observe().await.users.unwrap();
    let refusal = seen.wanted[&names[0]].refusal.clone().unwrap();
    assert!(refusal.contains("no-such-role") && !refusal.contains("p@ss"), "{refusal}");
    assert_eq!([&names[1], &names[2]].map(|name| seen.state(name)), [UserState::Matches; 2]);

    lab.users.remove(0);
    let primary = lab.primary().await;
    let system = lab.connections.known(&lab.host(primary)).unwrap();
    let by_hand = doc! { "updateUser": "billing", "pwd": "by hand", "roles": [] };
    system.database("bank").run_command(by_hand).await.unwrap();
    let repaired = lab.settle(3, "changed by hand").await;
    assert_eq!(repaired, [Step::UpdateUser { user: names[1].clone() }]);
    system.database("bank").run_command(doc! { "updateUser": "billing", "pwd": "by hand" }).await.unwrap();
    assert_eq!(lab.observe().await.users.unwrap().state(&names[1]), UserState::PasswordDiffers);
    assert_eq!(lab.settle(3, "password changed by hand").await.len(), 1);

    lab.users.clear();
    assert_eq!(lab.settle(3, "left and kept").await, []);
    assert_eq!(lab.observe().await.users.unwrap().others, names[1..].iter().cloned().collect());
    lab.unwanted = names[1..2].iter().cloned().collect();
    assert_eq!(lab.settle(3, "dropped").await, [Step::DropUser { user: names[1].clone() }]);
    assert_eq!(lab.observe().await.users.unwrap().others, names[2..].iter().cloned().collect());
    lab.unwanted.clear();
    lab
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
