//! A change of the API's password from the request to the end, and with a crash at every point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::{Value, json};

use super::*;
use crate::desired::stage::Stage;
use crate::desired::{self, Desired};
use crate::drive;
use crate::mongo::fixture::topology;
use crate::mongo::steps::next_of_users;
use crate::mongo::{SeenUser, SeenUsers, Step};
use crate::names::{ANNOTATION_ROTATE_PASSWORD, APPLICATION_USER, APPLICATION_USER_B, Identity};
use crate::settings::Settings;
use crate::snapshot::{Children, Credentials, ServedKinds};

const SET: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
const API: &str = "eaiser-api";

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let identity = Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u".to_owned() };
    let spec = "{capacity: {users: 1000}, api: {image: a, replicas: 2, autoscaling: {enabled: false}}}";
    crate::plan::plan(identity, &serde_saphyr::from_str(spec).unwrap(), &Settings::default()).unwrap()
});

/// What survives an operator: Secrets, the Deployment and its pods, and the users with their passwords.
#[derive(Clone, Debug, Default)]
struct World {
    request: Option<&'static str>,
    secrets: BTreeMap<String, Secret>,
    template: Option<String>,
    /// The Deployment's controller has looked at the template.
    seen: bool,
    /// Each with the digest it was made for and the login it read at start.
    pods: Vec<(String, (String, String))>,
    users: BTreeMap<String, String>,
    /// Passwords drawn so far.
    drawn: u8,
    switches: usize,
}

/// What an operator remembers; another has none of it.
#[derive(Clone, Debug, Default)]
struct Memory(Option<Credentials>);

impl World {
    fn text(&self, secret: &str, key: &str) -> Option<String> {
        let value = self.secrets.get(secret)?.data.as_ref()?.get(key)?.0.clone();
        Some(String::from_utf8(value).unwrap())
    }

    fn login(&self) -> Option<(String, String)> {
        let read = |key| self.text("eaiser-mongodb-connection", key);
        Some((read("username")?, read("password")?))
    }

    fn object<K: serde::de::DeserializeOwned>(value: Value) -> Arc<K> {
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn children(&self) -> Children {
        let template = |digest: &String| json!({"annotations": {"eaiser.io/configuration": digest}});
        let ready = self.pods.iter().filter(|(digest, _)| Some(digest) == self.template.as_ref()).count();
        let deployment = self.template.as_ref().map(|digest| {
            Self::object::<Deployment>(json!({
                "metadata": {"name": API, "generation": 2},
                "spec": {"replicas": 2, "selector": {}, "template": {"metadata": template(digest)}},
                "status": {"observedGeneration": if self.seen { 2 } else { 1 }, "readyReplicas": self.pods.len(), "updatedReplicas": ready},
            }))
        });
        let pod = |(index, (digest, _)): (usize, &(String, (String, String)))| {
            let mut metadata = template(digest);
            metadata["name"] = json!(format!("{API}-{index}"));
            metadata["labels"] = json!({"app.kubernetes.io/component": "api"});
            Self::object::<Pod>(json!({"metadata": metadata}))
        };
        Children {
            secrets: self.secrets.values().cloned().map(Arc::new).collect(),
            deployments: deployment.into_iter().collect(),
            pods: self.pods.iter().enumerate().map(pod).collect(),
            ..Children::default()
        }
    }

    fn snapshot(&mut self, memory: &mut Memory, set: &str) -> Snapshot {
        let (plan, children) = (&*PLAN, self.children());
        let drawn = &mut self.drawn;
        let mut random = |buffer: &mut [u8]| {
            *drawn += 1;
            buffer.fill(*drawn);
        };
        let before = memory.0.take().unwrap_or_else(|| Credentials::draw(&mut random));
        let live = before.or_live(&plan.identity, &children);
        let mongodb_application =
            live.mongodb_application.with_unused_spare(&live.mongodb_password, &mut random);
        let credentials = Credentials { mongodb_application, ..live };
        memory.0 = Some(credentials.clone());
        let request = |value: &str| (ANNOTATION_ROTATE_PASSWORD.to_owned(), value.to_owned());
        let requests = self.request.map(request).into_iter().collect();
        let offline = Snapshot::offline(ServedKinds::default());
        let mut snapshot = Snapshot { children, credentials, requests, ..offline };
        snapshot.mongodb = topology(set);
        if snapshot.mongodb.primary().is_none() {
            snapshot.mongodb.users = None;
            snapshot.mongodb.application_user = UserState::Unknown;
            return snapshot;
        }
        let state = |user: &crate::mongo::User| match self.users.get(&user.name.name) {
            None => UserState::Missing,
            Some(password) if password == user.password.expose() => UserState::Matches,
            Some(_) => UserState::PasswordDiffers,
        };
        let application = drive::application_user(&snapshot.credentials).user();
        let wanted: BTreeMap<UserName, SeenUser> = drive::database_users(plan, &snapshot.credentials)
            .iter()
            .map(|user| {
                (user.name.clone(), SeenUser { state: state(user), may_be_marked: true, refusal: None })
            })
            .collect();
        let is_other = |name: &UserName| *name != application.name && !wanted.contains_key(name);
        let others: BTreeSet<UserName> = self.users.keys().map(|user| name(user)).filter(is_other).collect();
        snapshot.mongodb.application_user = state(&application);
        snapshot.mongodb.users = Some(SeenUsers { wanted, others });
        snapshot
    }

    fn secret_is_written(&mut self, secret: &Secret) {
        let name = secret.metadata.name.clone().unwrap();
        if self.secrets.get(&name).is_some_and(|old| {
            old.data == secret.data && old.metadata.annotations == secret.metadata.annotations
        }) {
            return;
        }
        let before = self.login();
        self.secrets.insert(name, secret.clone());
        if before.is_some() && before != self.login() {
            self.switches += 1;
        }
    }

    /// The writes of one pass, in their order; `writes` of them before the operator dies.
    fn pass(&mut self, memory: &mut Memory, mut writes: usize) {
        let plan = &*PLAN;
        let snapshot = self.snapshot(memory, SET);
        let mut may = || {
            let alive = writes > 0;
            writes = writes.saturating_sub(1);
            alive
        };
        let mut desired = Desired::default();
        desired::mongodb::build(plan, &snapshot, Stage::of(plan, &snapshot), &mut desired);
        desired::api::build(plan, &snapshot, Stage::of(plan, &snapshot), &mut desired);
        let Desired { secrets, deployments, .. } = desired;
        for secret in &secrets {
            if may() {
                self.secret_is_written(secret);
            }
        }
        let api = deployments.into_iter().find(|found| found.metadata.name.as_deref() == Some(API)).unwrap();
        let annotations = api.spec.unwrap().template.metadata.unwrap().annotations.unwrap();
        let digest = annotations["eaiser.io/configuration"].clone();
        if may() && self.template.as_ref() != Some(&digest) {
            (self.template, self.seen) = (Some(digest), false);
        }
        let wanted: BTreeSet<_> = secrets.iter().filter_map(|secret| secret.metadata.name.clone()).collect();
        if may() {
            self.secrets.retain(|name, _| wanted.contains(name));
        }
        let wanted = drive::mongodb_wanted(plan, &snapshot, true);
        // The rule about the application's user comes first, as in the planner of the members.
        let user = wanted.application_user.user().name;
        let step = match snapshot.mongodb.application_user {
            UserState::Missing => Some(Step::CreateUser { user }),
            UserState::PasswordDiffers => Some(Step::UpdateUser { user }),
            _ => next_of_users(&wanted, &snapshot.mongodb),
        };
        if let Some(step) = step.filter(|_| may()) {
            self.carry_out(&step, &wanted);
        }
        self.check();
    }

    fn carry_out(&mut self, step: &Step, wanted: &crate::mongo::Wanted) {
        match step {
            Step::CreateUser { user } | Step::UpdateUser { user } => {
                let password = wanted.user(user).unwrap().password.expose().to_owned();
                self.users.insert(user.name.clone(), password);
            }
            Step::DropUser { user } => {
                self.users.remove(&user.name);
            }
            other => panic!("{other}"),
        }
    }

    /// Kubernetes moves on by one pod: a new one reads the Secret as it is, an old one goes.
    fn roll(&mut self) {
        self.seen = true;
        let Some(digest) = self.template.clone() else { return };
        if let Some(old) = self.pods.iter().position(|(made_for, _)| *made_for != digest) {
            if self.pods.len() > 2 {
                self.pods.remove(old);
                return;
            }
        } else if self.pods.len() >= 2 {
            return;
        }
        let login = self.login().unwrap();
        self.pods.push((digest, login));
    }

    /// Every pod can log in at any time.
    fn check(&self) {
        for (_, (user, password)) in &self.pods {
            assert_eq!(self.users.get(user), Some(password), "a pod cannot log in as {user}");
        }
    }

    fn settle(&mut self, memory: &mut Memory) {
        for _ in 0..20 {
            self.pass(memory, usize::MAX);
            self.roll();
            self.check();
        }
    }
}

/// A cluster that runs with its first password.
fn running() -> World {
    let mut world = World::default();
    // Before the first login exists the pods fail to start, and Kubernetes starts them again.
    for _ in 0..3 {
        world.pass(&mut Memory::default(), usize::MAX);
    }
    world.settle(&mut Memory::default());
    assert_eq!(world.users.keys().collect::<Vec<_>>(), [APPLICATION_USER]);
    world
}

#[test]
fn a_cluster_that_is_asked_for_nothing_has_the_secret_of_earlier_versions() {
    let world = running();
    assert_eq!(world.secrets["eaiser-mongodb-connection"].metadata.annotations, None);
    assert_eq!(world.login().unwrap().0, APPLICATION_USER);
    assert_eq!(world.switches, 0);
}

#[test]
fn a_request_leads_to_another_user_with_another_password_and_ends_the_one_before() {
    let mut world = running();
    let before = world.login().unwrap();
    world.request = Some("1");
    world.settle(&mut Memory::default());
    let after = world.login().unwrap();
    assert_eq!(after.0, APPLICATION_USER_B);
    assert_ne!(after.1, before.1);
    assert_eq!(world.users, BTreeMap::from([after]), "the earlier user is gone");
    assert!(!world.secrets.contains_key("eaiser-mongodb-next-login"), "{:?}", world.secrets.keys());
    assert_eq!(world.switches, 1);
}

#[test]
fn the_same_request_again_and_one_that_is_taken_back_change_nothing() {
    let mut world = running();
    world.request = Some("1");
    world.settle(&mut Memory::default());
    let login = world.login();
    for request in [Some("1"), None, Some("1")] {
        world.request = request;
        world.settle(&mut Memory::default());
        assert_eq!((world.login(), world.switches), (login.clone(), 1), "{request:?}");
    }
}

#[test]
fn the_next_request_leads_back_to_the_first_user_with_a_third_password() {
    let mut world = running();
    // One operator through all of it: what it drew before must not come back.
    let mut memory = Memory::default();
    let mut passwords = BTreeSet::from([world.login().unwrap().1]);
    for (request, user) in [("1", APPLICATION_USER_B), ("2", APPLICATION_USER), ("3", APPLICATION_USER_B)] {
        world.request = Some(request);
        world.settle(&mut memory);
        let (found, password) = world.login().unwrap();
        assert_eq!(found, user);
        assert!(passwords.insert(password), "a password came back");
    }
}

#[test]
fn a_request_that_is_older_than_the_cluster_is_served_by_its_first_password() {
    let mut world = World { request: Some("from the start"), ..World::default() };
    for _ in 0..3 {
        world.pass(&mut Memory::default(), usize::MAX);
    }
    world.settle(&mut Memory::default());
    assert_eq!((world.login().unwrap().0.as_str(), world.switches), (APPLICATION_USER, 0));
}

#[test]
fn a_second_request_during_the_first_is_served_after_it() {
    for passes in 0..12 {
        let mut world = running();
        let mut memory = Memory::default();
        world.request = Some("1");
        for _ in 0..passes {
            world.pass(&mut memory, usize::MAX);
            world.roll();
        }
        world.request = Some("2");
        world.settle(&mut memory);
        assert!((1..=2).contains(&world.switches), "after {passes} passes: {}", world.switches);
        let served = &world.secrets["eaiser-mongodb-connection"].metadata.annotations.as_ref().unwrap()
            [ANNOTATION_ROTATE_PASSWORD];
        assert_eq!(served, "2", "after {passes} passes");
        assert_eq!(world.users.len(), 1);
    }
}

#[test]
fn an_operator_may_die_at_every_write_and_another_goes_on() {
    let mut deaths = 0;
    for pass in 0..14 {
        for writes in 0..7 {
            let mut world = running();
            let before = world.login().unwrap();
            world.request = Some("1");
            let mut memory = Memory::default();
            for _ in 0..pass {
                world.pass(&mut memory, usize::MAX);
                world.roll();
            }
            world.pass(&mut memory, writes);
            deaths += 1;
            world.settle(&mut Memory::default());
            let after = world.login().unwrap();
            assert_eq!((after.0.as_str(), world.switches), (APPLICATION_USER_B, 1), "{pass}/{writes}");
            assert_ne!(after.1, before.1);
            assert_eq!(world.users, BTreeMap::from([after]), "{pass}/{writes}");
        }
    }
    println!("{deaths} deaths of the operator during a change of password; every pod could always log in");
}

#[test]
fn without_a_primary_nothing_begins_and_nothing_goes_back() {
    let mut world = running();
    world.request = Some("1");
    let dead = "0 SECONDARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
    let rotation = Rotation::of(&PLAN, &world.snapshot(&mut Memory::default(), dead));
    assert!(matches!(rotation, Rotation::Waits(_)), "{rotation:?}");
    // Once the login to come is written down it stays written down.
    world.pass(&mut Memory::default(), usize::MAX);
    let rotation = Rotation::of(&PLAN, &world.snapshot(&mut Memory::default(), dead));
    assert!(matches!(rotation, Rotation::Preparing(_)), "{rotation:?}");
}

#[test]
fn the_earlier_user_stays_while_a_pod_that_knows_no_other_is_there_and_the_reason_names_it() {
    let mut world = running();
    let mut memory = Memory::default();
    world.request = Some("1");
    let mut reasons = Vec::new();
    for _ in 0..30 {
        if let Rotation::Retiring { used_by: Some(reason), .. } =
            Rotation::of(&PLAN, &world.snapshot(&mut memory, SET))
        {
            reasons.push(reason);
        }
        world.pass(&mut memory, usize::MAX);
        world.roll();
    }
    assert!(reasons.iter().any(|reason| reason.contains("of 2 API pods are ready")), "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains("pod eaiser-api-0 still runs with it")),
        "{reasons:?}"
    );
    assert_eq!(world.users.len(), 1);
}

#[test]
fn an_empty_value_asks_for_nothing_and_a_long_one_is_served_once() {
    static LONG: LazyLock<String> = LazyLock::new(|| "x".repeat(100_000));
    let mut world = running();
    for (value, switches) in [("", 0), (LONG.as_str(), 1), (LONG.as_str(), 1)] {
        world.request = Some(value);
        world.settle(&mut Memory::default());
        assert_eq!(world.switches, switches);
    }
    let served = &world.secrets["eaiser-mongodb-connection"].metadata.annotations.as_ref().unwrap();
    assert!(served[ANNOTATION_ROTATE_PASSWORD].len() <= LONGEST);
}

#[test]
fn a_damaged_value_of_the_secret_is_no_way_to_another_user() {
    let mut world = running();
    let secret = world.secrets.get_mut("eaiser-mongodb-connection").unwrap();
    secret.data.as_mut().unwrap().insert("username".to_owned(), ByteString(b"root".to_vec()));
    let snapshot = world.snapshot(&mut Memory::default(), SET);
    assert_eq!(snapshot.credentials.mongodb_application.user, APPLICATION_USER);
}
