//! A cluster, its pods and its operator, small enough to let the operator die everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::{Value, json};

use super::super::*;
use crate::desired::stage::Stage;
use crate::desired::{self, Desired};
use crate::drive;
use crate::mongo::fixture::topology;
use crate::mongo::steps::next_of_users;
use crate::mongo::{SeenUser, SeenUsers, Step};
use crate::names::{ANNOTATION_ROTATE_PASSWORD, APPLICATION_USER, Identity};
use crate::settings::Settings;
use crate::snapshot::{Children, Credentials, ServedKinds};

pub(super) const SET: &str = "0 PRIMARY vote\n 1 SECONDARY vote\n 2 SECONDARY vote";
pub(super) const API: &str = "eaiser-api";

pub(super) static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let identity = Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "u".to_owned() };
    let spec = "{capacity: {users: 1000}, api: {image: a, replicas: 2, autoscaling: {enabled: false}}}";
    crate::plan::plan(identity, &serde_saphyr::from_str(spec).unwrap(), &Settings::default()).unwrap()
});

/// What survives an operator: Secrets, the Deployment and its pods, and the users with their passwords.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) request: Option<&'static str>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) template: Option<String>,
    /// The Deployment's controller has looked at the template.
    pub(super) seen: bool,
    /// Each with the digest it was made for and the login it read at start.
    pub(super) pods: Vec<(String, (String, String))>,
    pub(super) users: BTreeMap<String, String>,
    /// Passwords drawn so far.
    pub(super) drawn: u8,
    pub(super) switches: usize,
}

/// What an operator remembers; another has none of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(pub(super) Option<Credentials>);

impl World {
    pub(super) fn text(&self, secret: &str, key: &str) -> Option<String> {
        let value = self.secrets.get(secret)?.data.as_ref()?.get(key)?.0.clone();
        Some(String::from_utf8(value).unwrap())
    }

    pub(super) fn login(&self) -> Option<(String, String)> {
        let read = |key| self.text("eaiser-mongodb-connection", key);
        Some((read("username")?, read("password")?))
    }

    pub(super) fn object<K: serde::de::DeserializeOwned>(value: Value) -> Arc<K> {
        Arc::new(serde_json::from_value(value).unwrap())
    }

    pub(super) fn children(&self) -> Children {
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

    pub(super) fn snapshot(&mut self, memory: &mut Memory, set: &str) -> Snapshot {
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

    pub(super) fn secret_is_written(&mut self, secret: &Secret) {
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
    pub(super) fn pass(&mut self, memory: &mut Memory, mut writes: usize) {
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

    pub(super) fn carry_out(&mut self, step: &Step, wanted: &crate::mongo::Wanted) {
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
    pub(super) fn roll(&mut self) {
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
    pub(super) fn check(&self) {
        for (_, (user, password)) in &self.pods {
            assert_eq!(self.users.get(user), Some(password), "a pod cannot log in as {user}");
        }
    }

    pub(super) fn settle(&mut self, memory: &mut Memory) {
        for _ in 0..20 {
            self.pass(memory, usize::MAX);
            self.roll();
            self.check();
        }
    }
}

/// A cluster that runs with its first password.
pub(super) fn running() -> World {
    let mut world = World::default();
    // Before the first login exists the pods fail to start, and Kubernetes starts them again.
    for _ in 0..3 {
        world.pass(&mut Memory::default(), usize::MAX);
    }
    world.settle(&mut Memory::default());
    assert_eq!(world.users.keys().collect::<Vec<_>>(), [APPLICATION_USER]);
    world
}
